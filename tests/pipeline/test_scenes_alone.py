"""`vlmtl scenes` with real workers: its forms, its files, and the scan records it shares with `vlmtl run`."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from runs import (
    documents,
    draw_scenes,
    echo_options,
    kill_marked,
    run,
    start,
    wait_until_gone,
)

from corridor_cli.cli.main import call
from corridor_cli.errors import ExitCode
from corridor_cli.media.open_reader import open_reader
from corridor_cli.scenes.blend_windows import MAX_RESIDUAL
from corridor_cli.scenes.detectors.adaptive import DEFAULT_THRESHOLD
from corridor_cli.scenes.looks import change_score
from corridor_cli.settings import DecodeSettings
from corridor_cli.timeline.contact_sheet import PAGE_WIDTH_PX, PICK_WIDTH_PX, place_cells
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.listing import CSV_COLUMNS
from corridor_cli.timeline.lock import OutputLock
from tests import clips

# Any scan would stop at the second frame, and limits are in no key: what is known must be used.
NO_SCAN = ["--set", "decode.max_frames=1"]
HOSTILE = "a[b]\n\x1b[31m\udcff.mp4"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two good videos and a broken one."""
    made = tmp_path_factory.mktemp("videos")
    clips.draw("h264.mp4", made).rename(made / "a.mp4")
    draw_scenes(made / "b" / "c.mp4", 5)
    (made / "broken.mp4").write_text("not a video")
    return made


@pytest.fixture(scope="module")
def known(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str | Path]:
    """The good videos with their scans recorded: what is told of them needs no worker."""
    output = tmp_path_factory.mktemp("known")
    arguments = [folder / "a.mp4", folder / "b", "--output", output]
    assert call(["scenes", *map(str, arguments), "-q"]) == ExitCode.OK
    return arguments


@pytest.fixture
def told(capfdbinary: pytest.CaptureFixture[bytes]) -> Any:
    """Calls the command line in this process: `told(ARGUMENTS)` gives the exit code, stdout and stderr."""

    def call_and_read(*arguments: str | Path) -> tuple[int, str, str]:
        code = call([str(argument) for argument in arguments])
        read = capfdbinary.readouterr()
        return code, read.out.decode("utf-8"), read.err.decode("utf-8", "surrogateescape")

    return call_and_read


def records(output: Path) -> dict[str, tuple[bytes, int]]:
    """The scan records of a folder, and when each was written."""
    paths = sorted((output / ".vlmtl" / "scans").rglob("*.json"))
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def test_a_run_uses_the_scans_of_scenes_and_scenes_those_of_a_run(
    folder: Path, told: Any, tmp_path: Path
) -> None:
    code, out, err = told("scenes", folder, "--output", tmp_path, "--json")
    assert code == ExitCode.PARTIAL, err
    again = f"to try them again: vlmtl scenes --retry-failed {folder} --output {tmp_path} --json"
    assert again in err, "the command is what was called, whatever the process was started with"
    listed = {video["path"]: video for video in json.loads(out)["videos"]}
    assert [video["is_scan_reused"] for video in listed.values()] == [False] * 3
    before = records(tmp_path)
    assert len(before) == 2
    assert not documents(tmp_path), "a scan makes no document"

    code, out, err = run("run", folder, tmp_path, *echo_options(), *NO_SCAN, "-v", "--json")
    assert code == ExitCode.PARTIAL, err
    reused = {video["relative"]: video["is_scan_reused"] for video in json.loads(out)["videos"]}
    assert reused == {"a.mp4": True, "b/c.mp4": True, "broken.mp4": False}
    assert "b/c.mp4: complete, 5 scenes known from an earlier scan" in err
    assert "reading " not in err, "a scan was begun"
    assert records(tmp_path) == before

    for name, document in documents(tmp_path).items():
        listing = listed[document["source"]["path"]]
        assert listing["status"] == document["status"], name
        assert listing["transitions"] == document["transitions"]
        assert listing["source"] == document["source"]
        for scene, full in zip(listing["scenes"], document["scenes"], strict=True):
            assert scene["frames"] == [
                {key: frame[key] for key in frame if key not in ("path", "caption")}
                for frame in full["frames"]
            ]
            shared = scene.keys() - {"frames"}
            assert {key: full[key] for key in shared} == {key: scene[key] for key in shared}

    code, out, err = told("scenes", folder / "b", "--output", tmp_path, "--json", "-v", *NO_SCAN)
    assert code == ExitCode.OK
    (video,) = json.loads(out)["videos"]
    assert video == listed[video["path"]] | {"is_scan_reused": True}
    assert "reading " not in err
    assert records(tmp_path) == before


def test_forced_scans_leave_the_same_record_and_a_locked_folder_is_left_alone(
    folder: Path, told: Any, tmp_path: Path
) -> None:
    arguments = ["scenes", folder / "b", "--output", tmp_path, "-q"]
    assert told(*arguments)[0] == ExitCode.OK
    before = records(tmp_path)
    assert told(*arguments, "--force")[0] == ExitCode.OK
    after = records(tmp_path)
    assert {name: data for name, (data, _) in after.items()} == {
        name: data for name, (data, _) in before.items()
    }
    assert after != before, "nothing was written anew"
    with OutputLock(OutputLayout(tmp_path)):
        code, out, err = told(*arguments, "--force")
    assert (code, out) == (ExitCode.LOCKED, "")
    assert "Another run owns" in err


def test_a_table_fits_80_columns_and_is_plain_in_a_pipe(
    folder: Path, known: list[str | Path], told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = told("scenes", folder)
    assert code == ExitCode.PARTIAL
    first, second, third = out.removesuffix("\n").split("\n\n")
    assert first.splitlines()[0] == "a.mp4: 3 scenes, 00:00:02.800, h264 160×120, 25 fps"
    header, *rows = (line.split() for line in first.splitlines()[1:])
    assert header == ["index", "start", "end", "duration", "boundary", "transitions"]
    assert [row[:4] for row in rows[:2]] == [
        ["0", "00:00:00.000", "00:00:01.000", "1.000"],
        ["1", "00:00:01.000", rows[2][1], f"{float(rows[2][1][-6:]) - 1:.3f}"],
    ]
    assert rows[1][5:] == ["cut"]
    assert rows[2][5:8] == ["transition", "dissolve", "of"]
    assert second.splitlines()[0].startswith("b/c.mp4: 5 scenes")
    assert third.startswith("broken.mp4: failed: is not a video file")
    assert third.endswith("(NotVideoError)")
    assert "\x1b" not in out
    assert not any(line != line.rstrip() for line in out.splitlines())
    assert "2 complete, 1 failed; 8 scenes in" in err
    assert "caption" not in err

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdout", Terminal())
    for name, value in (("COLUMNS", "80"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert call(["scenes", *map(str, known), "-q"]) == ExitCode.OK
    import sys

    shown = sys.stdout.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[1m" in shown
    bare = [
        line.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
        for line in shown.split("\n")
    ]
    assert max(map(len, bare)) <= 80
    assert "\x1b" not in "".join(bare)


def test_csv_holds_what_json_holds(folder: Path, known: list[str | Path], told: Any, tmp_path: Path) -> None:
    one = folder / "b" / "c.mp4"
    output = known[2:]
    _, out, _ = told("scenes", one, *output, "-q", "--json", "--csv", tmp_path / "one.csv")
    (video,) = json.loads(out)["videos"]
    expected = [{column: str(scene[column]) for column in CSV_COLUMNS} for scene in video["scenes"]]
    with (tmp_path / "one.csv").open(newline="") as file:
        reader = csv.DictReader(file)
        assert list(reader) == expected
        assert tuple(reader.fieldnames or ()) == CSV_COLUMNS

    code, out, _ = told("scenes", *known, "-q", "--csv", "-")
    assert code == ExitCode.OK
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == ["path", *CSV_COLUMNS]
    assert [row.pop("path") for row in rows] == [str(folder / "a.mp4")] * 3 + [str(one)] * 5
    assert rows[3:] == expected

    told("scenes", *known, "-q", "--csv", tmp_path / "each")
    files = sorted(path.relative_to(tmp_path / "each").as_posix() for path in tmp_path.glob("each/**/*.csv"))
    assert files == ["a.mp4.scenes.csv", "b/c.mp4.scenes.csv"]
    assert (tmp_path / "each/b/c.mp4.scenes.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()


def test_the_scores_are_the_detectors_own(folder: Path, told: Any, tmp_path: Path) -> None:
    stats = tmp_path / "stats.csv"
    code, out, _ = told("scenes", folder / "a.mp4", "-q", "--json", "--stats", stats, "--output", tmp_path)
    assert code == ExitCode.OK
    (video,) = json.loads(out)["videos"]
    assert video["stats"] == str(stats)
    with stats.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["frame_index", "time", "score", "threshold", "transition"]
    reader = open_reader(folder / "a.mp4", DecodeSettings(), for_picks=False)
    frames = [(frame.index, float(frame.time), frame.planes) for frame in reader.read_frames()]
    reader.close()
    assert [(int(row["frame_index"]), float(row["time"])) for row in rows] == [frame[:2] for frame in frames]
    scores = [change_score(before[2], after[2]) for before, after in pairwise(frames)]
    assert [row["score"] for row in rows] == ["", *map(str, scores)]

    cut = next(scene["start_frame"] for scene in video["scenes"] if scene["boundary"] == "cut")
    reached = [int(row["frame_index"]) for row in rows[1:] if float(row["score"]) >= float(row["threshold"])]
    assert reached == [cut]
    assert min(float(row["threshold"]) for row in rows) == DEFAULT_THRESHOLD
    (dissolve,) = video["transitions"]
    blended = [
        float(row["time"]) for row in rows if row["transition"] and float(row["transition"]) <= MAX_RESIDUAL
    ]
    assert any(dissolve["start"] <= time for time in blended)
    assert not any(time < dissolve["start"] for time in blended)

    # Scores are in no record: a file whose scan is known is scanned for them, and the record stays as it was.
    before = records(tmp_path)
    told("scenes", folder / "a.mp4", "-q", "--stats", tmp_path / "more", "--output", tmp_path)
    assert (tmp_path / "more/a.mp4.stats.csv").read_bytes() == stats.read_bytes()
    assert [data for data, _ in records(tmp_path).values()] == [data for data, _ in before.values()]
    code, _, err = told("scenes", folder, "-q", "--stats", stats)
    assert code == ExitCode.USAGE
    assert "there are 3 videos, allowed: a folder" in err


def bars(page: Image.Image) -> list[int]:
    """Where the cells of a page begin: the left ends of the bars above the picks, in reading order."""
    pixels = np.asarray(page.convert("RGB")).astype(int)
    places = set()
    for colour, tolerance in ((0x0072B2, 40), (0x9A9A9A, 12), (0xE69F00, 60)):
        rgb = colour >> 16, colour >> 8 & 0xFF, colour & 0xFF
        is_colour = np.abs(pixels - rgb).max(axis=2) < tolerance
        for top, row in enumerate(is_colour):
            ends = np.flatnonzero(np.diff(np.concatenate(([0], row.astype(int), [0]))))
            places |= {(top, int(a)) for a, b in zip(ends[::2], ends[1::2], strict=True) if b - a > 600}
    found: list[tuple[int, int]] = []
    for top, left in sorted(places):  # a bar is some pixels high, and JPEG frays its ends
        if not any(abs(top - y) < 8 and abs(left - x) < 8 for y, x in found):
            found.append((top, left))
    return [left for top, left in sorted((top // 8, left) for top, left in found)]


@pytest.mark.parametrize("is_known", [False, True])
def test_a_contact_sheet_has_a_cell_for_each_scene(
    folder: Path, told: Any, tmp_path: Path, is_known: bool
) -> None:
    if is_known:
        told("scenes", folder / "b", "-q", "--output", tmp_path / "out")
    arguments = [folder / "b", "-q", "--json", "--sheet", tmp_path, "--output", tmp_path / "out"]
    (tmp_path / "c.mp4.sheet-2.jpg").write_bytes(b"a page of an earlier sheet")
    _, out, _ = told("scenes", *arguments, *(NO_SCAN if is_known else []))
    (video,) = json.loads(out)["videos"]
    assert (video["is_scan_reused"], video["sheets"]) == (is_known, [str(tmp_path / "c.mp4.sheet.jpg")])
    assert not (tmp_path / "c.mp4.sheet-2.jpg").exists()
    with Image.open(tmp_path / "c.mp4.sheet.jpg") as page:
        assert page.width == PAGE_WIDTH_PX
        cells = place_cells(range(5), round(PICK_WIDTH_PX * 108 / 192))
        assert [round(left, -1) for left in bars(page)] == [round(cell.left, -1) for cell in cells]
        # Each scene has a ground of its own: the picks of a cell show it.
        grounds = [
            page.convert("RGB").getpixel((cell.left + cell.width // 2, cell.top + 34)) for cell in cells
        ]
    names = [
        min(("white", "black", "gray"), key=lambda name: distance(clips.COLOURS[name], seen))
        for seen in grounds
    ]
    assert names == ["white", "black", "gray", "white", "black"]


def distance(a: Any, b: Any) -> int:
    return int(np.abs(np.array(a, int) - np.array(b, int)).sum())


def test_hostile_names_are_told_safely(folder: Path, told: Any, tmp_path: Path) -> None:
    home = tmp_path / "in"
    home.mkdir()
    shutil.copy(folder / "b" / "c.mp4", home / HOSTILE)
    files = tmp_path / "files"
    arguments = [
        "scenes",
        home,
        "--sheet",
        files,
        "--stats",
        files,
        "--csv",
        files,
        "--output",
        tmp_path / "out",
    ]
    code, out, err = told(*arguments, "-v")
    assert code == ExitCode.OK
    assert out.startswith("a[b]\\n\\x1b[31m\\xff.mp4: 5 scenes")
    assert "\x1b" not in out + err
    assert len(list(files.iterdir())) == 3
    output = arguments[-2:]
    code, out, _ = told("scenes", home, *output, "--json", "-q")
    (video,) = json.loads(out.encode("utf-8"))["videos"]
    assert bytes.fromhex(video["source"]["path_bytes"]) == os.fsencode(home / HOSTILE)
    code, out, _ = told("scenes", home, *output, "--csv", "-", "-q")
    assert {row["path"] for row in csv.DictReader(io.StringIO(out))} == {video["path"]}


def test_nothing_and_nothing_good(folder: Path, told: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, out, err = told("scenes", tmp_path / "empty", "--json")
    assert (code, out) == (ExitCode.NO_INPUTS, "")
    assert "No video was found" in err
    code, out, _ = told("scenes", folder / "broken.mp4", tmp_path / "missing.mp4", "--json", "-q")
    assert code == ExitCode.NO_INPUTS
    missing, broken = json.loads(out)["videos"]
    assert [video["errors"][0]["type"] for video in (missing, broken)] == ["UnreadableError", "NotVideoError"]
    assert (broken["status"], broken["scenes"], broken["transitions"]) == ("failed", [], [])
    # What was found before the stop is still told.
    stop = ["--fail-fast", "--workers", "1"]
    code, out, err = told("scenes", folder / "broken.mp4", folder / "a.mp4", "--json", "-q", *stop)
    assert code == ExitCode.STOPPED
    assert [video["status"] for video in json.loads(out)["videos"]] == ["failed", "pending"]


def test_a_damaged_file_is_partial_and_recorded_as_such(folder: Path, told: Any, tmp_path: Path) -> None:
    home = tmp_path / "in"
    home.mkdir()
    clips.truncated(clips.draw("faststart.mp4", tmp_path), home / "cut.mp4", 0.7)
    for is_reused in (False, True):
        code, out, _ = told("scenes", home, "--output", tmp_path / "out", "--json", "-q")
        assert code == ExitCode.PARTIAL
        (video,) = json.loads(out)["videos"]
        assert (video["status"], video["is_scan_reused"]) == ("partial", is_reused)
        assert video["errors"][0]["type"] == "DecodeError"
    _, out, _ = told("scenes", home, "--output", tmp_path / "out", "--retry-failed", "--json", "-q")
    assert not json.loads(out)["videos"][0]["is_scan_reused"]


def test_a_table_marks_what_was_damaged_and_says_it_below(told: Any, tmp_path: Path) -> None:
    home = tmp_path / "in"
    home.mkdir()
    whole = clips.draw("h264.mp4", tmp_path)
    shutil.copy(whole, home / "good.mp4")
    clips.with_bad_packet(whole, home / "bad.mp4", 40)
    clips.truncated(clips.draw("faststart.mp4", tmp_path), home / "cut.mp4", 0.7)
    code, out, _ = told("scenes", home, "-q")
    assert code == ExitCode.PARTIAL
    bad, cut, good = out.removesuffix("\n").split("\n\n")
    assert good.splitlines()[0].endswith("25 fps")
    assert "\n*" not in good
    assert bad.splitlines()[0].endswith("25 fps *")
    assert any(line.startswith("* ") and "near 1." in line for line in bad.splitlines()), bad
    assert cut.splitlines()[0].endswith("25 fps *")
    assert any(line.startswith("* partial: ") for line in cut.splitlines()), cut


@pytest.fixture(scope="module")
def two(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short video and one that takes a while."""
    made = tmp_path_factory.mktemp("two")
    shutil.copy(folder / "a.mp4", made)
    draw_scenes(made / "long.mp4", 10, seconds=2.0)
    return made


def test_a_lost_worker_costs_nothing(two: Path, tmp_path: Path) -> None:
    straight, lossy = tmp_path / "straight", tmp_path / "lossy"
    outputs = []
    for files in (straight, lossy):
        mark = f"lost-{files.name}-{os.getpid()}"
        arguments = ["scenes", two / "long.mp4", "--json", "--stats", files, "--sheet", files]
        process = start(arguments, mark=mark)
        while files is lossy and not kill_marked(mark, "media_worker") and process.poll() is None:
            time.sleep(0.02)
        out, err = process.communicate(timeout=60)
        assert process.returncode == ExitCode.OK, err
        outputs.append(json.loads(out.replace(str(files), "FILES")))
    assert "Trying again" in err
    assert outputs[0] == outputs[1]
    for name in ("long.mp4.stats.csv", "long.mp4.sheet.jpg"):
        assert (straight / name).read_bytes() == (lossy / name).read_bytes()


@pytest.mark.alone
def test_ctrl_c_tells_what_was_found(two: Path, tmp_path: Path) -> None:
    mark = f"ctrl-c-{os.getpid()}"
    process = start(["scenes", two, "--json", "--output", tmp_path, "--workers", "1"], mark=mark)
    while not records(tmp_path) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED, err
    assert [video["status"] for video in json.loads(out)["videos"]] == ["complete", "pending"]
    assert "to go on: give the same command again" in err
    assert len(records(tmp_path)) == 1
    wait_until_gone(mark)
