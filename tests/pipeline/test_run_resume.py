"""Killed in any way at any moment, the same command gives the document of a straight run."""

from __future__ import annotations

import json
import os
import signal
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from runs import (
    documents,
    draw_scenes,
    echo_options,
    kill_marked,
    logged_captions,
    marked_processes,
    run,
    start,
    wait_for_captions,
    wait_until_gone,
)

SLOW = echo_options(delay_seconds=0.05)
NUM_CAPTIONS = 30  # three roles of ten scenes


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    draw_scenes(folder / "a.mp4", 6)
    draw_scenes(folder / "b" / "c.mp4", 4, first=6)
    return folder


@pytest.fixture(scope="module")
def straight(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("straight")
    assert run("run", videos, output, *echo_options())[0] == 0
    assert logged_captions(output) == NUM_CAPTIONS
    return output


def finish_and_compare(videos: Path, output: Path, straight: Path) -> None:
    code, _, err = run("run", videos, output, *echo_options())
    assert code == 0, err
    assert documents(output) == documents(straight)
    assert run("validate", output)[0] == 0
    assert logged_captions(output) == NUM_CAPTIONS, "a logged caption was asked for again"


@pytest.mark.parametrize("num_captions", [0, 1, 7, 16, 29])
@pytest.mark.parametrize("victim", ["everything", "main"])
def test_kill_main_or_everything(
    victim: str, num_captions: int, videos: Path, straight: Path, tmp_path: Path
) -> None:
    mark = f"{victim}-{num_captions}-{os.getpid()}"
    process = start(["run", videos, tmp_path, *SLOW, "--batch-size", "2"], mark=mark)
    wait_for_captions(tmp_path, num_captions, process)
    if victim == "main":
        process.kill()
    else:
        kill_marked(mark, "")
    process.communicate()
    wait_until_gone(mark)
    finish_and_compare(videos, tmp_path, straight)


@pytest.mark.parametrize("num_captions", [0, 5, 20])
@pytest.mark.parametrize("victim", ["media_worker", "engine_host"])
def test_kill_a_child_and_the_run_goes_on(
    victim: str, num_captions: int, videos: Path, straight: Path, tmp_path: Path
) -> None:
    mark = f"{victim}-{num_captions}-{os.getpid()}"
    process = start(["run", videos, tmp_path, *SLOW, "--batch-size", "2"], mark=mark)
    wait_for_captions(tmp_path, num_captions, process)
    while not kill_marked(mark, victim) and process.poll() is None:
        time.sleep(0.01)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    wait_until_gone(mark)
    assert documents(tmp_path) == documents(straight)
    assert logged_captions(tmp_path) == NUM_CAPTIONS


# As long has a successor from its start to its first frame, and it is to be in time on a busy machine, too.
STALLING = [*echo_options(delay_seconds=0.1), "--batch-size", "1", "--set", "decode.stall_seconds=3"]
# One scene's worth of slots: the decoder waits for the engine, and can be caught in mid-file.
STALLING += ["--set", "gpu_pipeline.internvl3.async_frame_loading=false"]


@pytest.mark.alone
def test_a_decoder_that_stops_answering_is_replaced(videos: Path, straight: Path, tmp_path: Path) -> None:
    mark = f"stall-{os.getpid()}"
    process = start(["run", videos, tmp_path, *STALLING], mark=mark)
    wait_for_captions(tmp_path, 3, process)
    stopped = [pid for pid, line in marked_processes(mark) if "media_worker" in line]
    assert stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "no sign of life" in err
    wait_until_gone(mark)
    assert documents(tmp_path) == documents(straight)


@pytest.mark.alone
def test_a_video_that_stalls_every_decoder_is_partial(videos: Path, straight: Path, tmp_path: Path) -> None:
    mark = f"stall-twice-{os.getpid()}"
    process = start(["run", videos / "a.mp4", tmp_path, *STALLING], mark=mark)
    stopped: set[int] = set()
    while process.poll() is None:
        if logged_captions(tmp_path) >= 3:
            found = {pid for pid, line in marked_processes(mark) if "media_worker" in line} - stopped
            for pid in found:
                os.kill(pid, signal.SIGSTOP)
            stopped |= found
        time.sleep(0.02)
    _, err = process.communicate()
    assert process.returncode == 3, err
    (document,) = documents(tmp_path).values()
    assert document["status"] == "partial"
    assert document["errors"][0]["type"] == "StalledError"
    kept = documents(straight)["a.mp4.timeline.json"]["scenes"][: len(document["scenes"])]
    assert document["scenes"] == kept
    assert run("run", videos / "a.mp4", tmp_path, *echo_options(), "--retry-failed")[0] == 0
    assert documents(tmp_path) == {
        name: document for name, document in documents(straight).items() if name.startswith("a.mp4")
    }


@pytest.mark.alone
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_cleanly_and_resumably(
    number: signal.Signals, code: int, videos: Path, straight: Path, tmp_path: Path
) -> None:
    mark = f"{number.name}-{os.getpid()}"
    process = start(["run", videos, tmp_path, *SLOW, "--batch-size", "2"], mark=mark)
    wait_for_captions(tmp_path, 5, process)
    began = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert time.monotonic() - began < 5
    assert "same command" in err
    assert "Traceback" not in err
    wait_until_gone(mark)
    finish_and_compare(videos, tmp_path, straight)


@pytest.mark.alone
def test_a_second_signal_ends_at_once(videos: Path, straight: Path, tmp_path: Path) -> None:
    mark = f"twice-{os.getpid()}"
    process = start(["run", videos, tmp_path, *echo_options(hang_after=3), "--batch-size", "2"], mark=mark)
    wait_for_captions(tmp_path, 2, process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130
    assert time.monotonic() - began < 2
    wait_until_gone(mark)
    finish_and_compare(videos, tmp_path, straight)


def test_finished_videos_are_skipped_without_any_child(videos: Path, straight: Path) -> None:
    # run.json notes how each run was called.
    before = {path: path.stat().st_mtime_ns for path in straight.rglob("*.json") if path.name != "run.json"}
    mark = f"skip-{os.getpid()}"
    process = start(["run", videos, straight, *echo_options(die_after=0)], mark=mark)
    seen = set()
    while process.poll() is None:
        seen |= {pid for pid, _ in marked_processes(mark)}
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert "2 skipped" in err
    assert seen <= {process.pid}
    assert before == {path: path.stat().st_mtime_ns for path in straight.rglob("*.json") if path in before}


def test_another_prompt_asks_again_but_never_scans_again(
    videos: Path, straight: Path, tmp_path: Path
) -> None:
    assert run("run", videos, tmp_path, *echo_options())[0] == 0
    other = ["--set", "caption.prompt=What is this?"]
    code, _, err = run("run", videos, tmp_path, *echo_options(), *other, "-v")
    assert code == 0, err
    assert "reading" not in err, "a video was opened for a scan"
    texts = {
        name: [scene["caption"]["text"] for scene in document["scenes"]]
        for name, document in documents(tmp_path).items()
    }
    assert texts == {
        name: [scene["caption"]["text"] for scene in document["scenes"]]
        for name, document in documents(straight).items()
    }
    assert logged_captions(tmp_path) == 2 * NUM_CAPTIONS


def test_known_picks_are_sought_and_the_document_says_by_which_reader(videos: Path, tmp_path: Path) -> None:
    run("run", videos / "a.mp4", tmp_path, *echo_options())
    other = ["--set", "caption.prompt=What is this?"]
    assert run("run", videos / "a.mp4", tmp_path, *echo_options(), *other)[0] == 0
    document = json.loads((tmp_path / "a.mp4.timeline.json").read_bytes())
    assert document["run"]["environment"]["picks_reader"].startswith("decord: ")
    more = ["--set", "caption.prompt=And this?", "--set", "decode.reader=pyav"]
    assert run("run", videos / "a.mp4", tmp_path, *echo_options(), *more)[0] == 0
    document = json.loads((tmp_path / "a.mp4.timeline.json").read_bytes())
    assert document["run"]["environment"]["picks_reader"].startswith("pyav: ")


def test_a_long_run_says_how_long_it_will_take(videos: Path, tmp_path: Path) -> None:
    process = start(["run", videos, tmp_path, *echo_options(delay_seconds=4), "--batch-size", "1"])
    assert process.stderr is not None
    lines = iter(process.stderr.readline, "")
    told = next(line for line in lines if "expected time" in line)
    process.kill()
    process.communicate()
    assert "about 2 min" in told
    assert "4 s each" in told


def test_an_output_removed_in_mid_run_is_told_and_the_next_run_makes_it_whole(
    videos: Path, straight: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    process = start(["run", videos, output, *SLOW, "--batch-size", "2"])
    wait_for_captions(output, 8, process)
    output.rename(tmp_path / "removed")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 6, err
    assert "removed or replaced" in err
    assert run("run", videos, output, *echo_options())[0] == 0
    assert documents(output) == documents(straight)
    assert run("validate", output)[0] == 0


def test_a_moved_file_is_recognised(videos: Path, straight: Path, tmp_path: Path) -> None:
    folder, output = tmp_path / "in", tmp_path / "out"
    draw_scenes(folder / "old.mp4", 3)
    assert run("run", folder, output, *echo_options())[0] == 0
    (folder / "old.mp4").rename(folder / "new.mp4")
    code, _, err = run("run", folder, output, *echo_options(die_after=0))
    assert code == 0, err
    found = documents(output)
    assert found["new.mp4.timeline.json"]["scenes"] == [
        {**scene, "frames": [{**f, "path": f["path"].replace("old.", "new.")} for f in scene["frames"]]}
        for scene in found["old.mp4.timeline.json"]["scenes"]
    ]


def only(output: Path, pattern: str) -> Path:
    (path,) = output.glob(pattern)
    return path


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def lines(*records: dict[str, Any]) -> bytes:
    payloads = [json.dumps(record).encode("ascii") for record in records]
    return b"".join(b"%08x %s\n" % (zlib.crc32(payload), payload) for payload in payloads)


def test_a_scan_that_does_not_fit_is_forgotten_with_its_captions(tmp_path: Path) -> None:
    clip, output = draw_scenes(tmp_path / "a.mp4", 3), tmp_path / "out"
    assert run("run", clip, output, *echo_options())[0] == 0
    expected = documents(output)
    # Another FFmpeg decoded it once: another picture in scene 1, and captions of what it saw.
    scan = only(output, ".vlmtl/scans/*/*.json")
    record = json.loads(scan.read_bytes())["record"]
    record["picks"][1][1]["rgb_crc32"] ^= 1
    scan.write_bytes(
        canonical({"format": "vlmtl.scan/1", "crc32": zlib.crc32(canonical(record)), "record": record})
    )
    log = only(output, ".vlmtl/captions/*/*.jsonl")
    known = [json.loads(line.partition(b" ")[2]) for line in log.read_bytes().splitlines()]
    kept = [{**each, "caption": {**each["caption"], "text": "old"}} for each in known if "caption" in each]
    kept = [each for each in kept if each["caption"]["scene"] != 1]
    log.write_bytes(lines(*(each for each in known if "model" in each), *kept))
    only(output, "*.timeline.json").unlink()
    code, _, err = run("run", clip, output, *echo_options())
    assert code == 0, err
    assert documents(output) == expected
    degraded = json.loads(only(output, "*.timeline.json").read_bytes())["run"]["degraded"]
    assert "did not fit" in degraded[0]
    only(output, "*.timeline.json").unlink()
    assert run("run", clip, output, *echo_options(die_after=0))[0] == 0
    assert documents(output) == expected


def test_captions_whose_model_is_not_known_any_more_are_asked_for_again(tmp_path: Path) -> None:
    clip, output = draw_scenes(tmp_path / "a.mp4", 2), tmp_path / "out"
    assert run("run", clip, output, *echo_options())[0] == 0
    expected = documents(output)
    log = only(output, ".vlmtl/captions/*/*.jsonl")
    log.write_bytes(log.read_bytes().partition(b"\n")[2])
    only(output, "*.timeline.json").unlink()
    code, _, err = run("run", clip, output, *echo_options())
    assert code == 0, err
    assert documents(output) == expected


@pytest.mark.alone
def test_a_limit_of_time_is_not_tried_twice(videos: Path, tmp_path: Path) -> None:
    mark = f"limit-{os.getpid()}"
    limits = ["--set", "decode.max_seconds=2", "--set", "decode.stall_seconds=60"]
    process = start(["run", videos / "a.mp4", tmp_path, *STALLING, *limits], mark=mark)
    wait_for_captions(tmp_path, 3, process)
    (worker,) = (pid for pid, line in marked_processes(mark) if "media_worker" in line)
    os.kill(worker, signal.SIGSTOP)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert "Trying again" not in err
    (document,) = documents(tmp_path).values()
    assert [error["type"] for error in document["errors"]] == ["LimitError"]
    assert document["scenes"]


def test_state_that_cannot_be_read_is_a_storage_error(tmp_path: Path) -> None:
    clip, output = draw_scenes(tmp_path / "a.mp4", 1), tmp_path / "out"
    assert run("run", clip, output, *echo_options())[0] == 0
    mark = only(output, ".vlmtl/pictures/*/*.txt")
    mark.unlink()
    mark.mkdir()
    only(output, "*.timeline.json").unlink()
    code, _, err = run("run", clip, output, *echo_options())
    assert code == 6, err
