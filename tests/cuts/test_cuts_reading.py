"""Files of cuts: each form read as its makers mean it, and everything else refused with its line."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenedetect import FrameTimecode
from scenedetect.output import write_scene_list, write_scene_list_edl, write_scene_list_otio

from corridor_cli.cuts.choose import CutFiles, VideoNames
from corridor_cli.cuts.edl import read_edl
from corridor_cli.cuts.files import MAX_BYTES, mark_of
from corridor_cli.cuts.load import load_cuts
from corridor_cli.cuts.times import TIMECODE, timecode_time
from corridor_cli.errors import ConfigError, CutFileError
from corridor_cli.records import CutSource, GivenCuts

NTSC = Fraction(30000, 1001)
FILM = Fraction(24000, 1001)


def load(path: Path, rate: Fraction | int | None = 25) -> GivenCuts:
    """What a file says to the process that decodes a video of this rate."""
    return load_cuts(
        CutSource(str(path), mark_of(path, path.read_bytes())), None if rate is None else Fraction(rate)
    )


def times(path: Path, data: str | bytes, rate: Fraction | int | None = 25) -> list[Fraction | None]:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return [cut.time for cut in load(path, rate).cuts]


# --- CSV --------------------------------------------------------------------------------------------------

GOOD = {
    "seconds": "1\n2.5\n.75\n1e-3\n",
    "clock": "00:00:01.000\n0:0:2.5\n00:00:00.75\n00:00:00.001\n",
    "a header": "time\n1\n2.5\n0.75\n0.001\n",
    "carriage returns": "start\r\n1\r\n2.5\r\n\r\n.75\r\n0.001",
    "other columns": 'who,start,why\nme,1,"a ""b"",\nc"\nme,2.5,\nyou,0.75,\nyou,0.001,\n',
    "semicolons": "Start;Note\n1;x\n2,5;y\n0,75;z\n0,001;\n",
    "tabs": "start\tend\n1\t2\n2.5\t3\n.75\t4\n.001\t5\n",
    "a byte order mark": "\ufefftime\n1\n2.5\n0.75\n0.001\n",
    "gaps filled from the timecode": "start,start_timecode\n1,\n,00:00:02.500\n0.75,\n,00:00:00.001\n",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_times_in_many_spellings(text: str, tmp_path: Path) -> None:
    expected = [Fraction(1), Fraction(5, 2), Fraction(3, 4), Fraction(1, 1000)]
    assert times(tmp_path / "cuts.csv", text) == expected


def test_frames_and_frame_timecodes(tmp_path: Path) -> None:
    path = tmp_path / "cuts.csv"
    path.write_text("frame\n0\n25\n")
    assert [(cut.time, cut.frame_index) for cut in load(path).cuts] == [(None, 0), (None, 25)]
    assert times(path, "00:00:01:05\n00:01:00:00\n") == [Fraction(30, 25), Fraction(60)]
    # An hour of 29.97 takes longer than one of a clock, unless numbers are dropped.
    assert times(path, "01:00:00:00\n01:00:00;00\n", NTSC) == [108000 / NTSC, 107892 / NTSC]


def test_a_row_that_contradicts_itself_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cuts.csv"
    path.write_text("start,start_timecode\n1.0004,00:00:01.000\n2,00:00:09.000\n")
    (note,) = load(path).notes
    assert "differ in 1 rows, and start counts; the first is line 3" in note


BAD = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\n", "is empty"),
    "only a header": (b"start,end\n", "has a header and no row"),
    "negative": (b"1\n-2\n", r":2: got '-2' \(a time before the start of the video\), allowed: seconds"),
    "not a number": (b"start\n1\nnan\n", ":3: got 'nan', allowed: seconds"),
    "infinite": (b"inf\n", ":1: got 'inf'"),
    "words": (b"1\n2\nabout three\n", ":3: got 'about three', allowed: seconds (12.5), HH:MM:SS.mmm or HH"),
    "61 seconds": (b"00:00:61.0\n", ":1: got '00:00:61.0'"),
    "frame 25 of 25": (b"time\n00:00:01:25\n", ":2: .*frame 25 of a second, and the video has 25 frames"),
    "drop-frame at 25": (b"00:01:00;02\n", r":1: .*drop-frame timecode, and the video has 25 frames/s"),
    "a long number": (b"1" * 100, "…', allowed: seconds"),
    "half a frame": (b"frame\n2.5\n", ":2: got '2.5', allowed: a frame, counted from 0"),
    "frame 0 of 1": (b"Scene Number,Start Frame\n1,0\n", ":2: got '0', allowed: a frame, counted from 1"),
    "a row without": (b"index,start\n0,1\n1,\n", ":3: has no start"),
    "two columns": (b"1,2\n", ":1: got 2 columns without a header"),
    "zero bytes": (b"1\n2\0\n", ":2: holds a zero byte"),
    "UTF-16": ("1\n2\n".encode("utf-16"), "is UTF-16, allowed: UTF-8"),
    "Latin-1": ("start,note\n1,é\n".encode("latin-1"), ":2: is not UTF-8 text"),
    "a video": (bytes(range(1, 256)) * 9, ":\\d+: is not UTF-8 text"),
    "a cell without end": (b'start\n"' + b"1" * 200_000, ":\\d+: is not CSV: field larger"),
    "too many cuts": (b"1\n" * 100_001, "has 100,001 cuts of one video, allowed: at most 100,000"),
    "two videos": (b"path,start\na.mp4,1\nb.mp4,2\n", "has rows of 2 videos, allowed: those of one"),
}


@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD)
def test_bad_tables_are_refused_with_their_line(data: bytes, message: str, tmp_path: Path) -> None:
    escaped = message.replace("(12.5)", r"\(12.5\)")
    with pytest.raises(CutFileError, match=escaped):
        times(tmp_path / "cuts.csv", data)


def test_a_file_that_is_none_or_too_large_or_new_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    large.write_bytes(b"1\n")
    os.truncate(large, MAX_BYTES + 1)
    os.mkfifo(tmp_path / "pipe.csv")
    reasons = {"large.csv": "larger than 64 MiB", "pipe.csv": "no regular file", "none.csv": "no such file"}
    for name, reason in reasons.items():
        with pytest.raises(CutFileError, match=reason):
            load_cuts(CutSource(str(tmp_path / name), ""), Fraction(25))
    (tmp_path / "new.csv").write_text("1\n")
    with pytest.raises(CutFileError, match=r"changed while this ran"):
        load_cuts(CutSource(str(tmp_path / "new.csv"), "another mark"), Fraction(25))
    (tmp_path / "frames.csv").write_text("00:00:01:00\n")
    with pytest.raises(CutFileError, match="the video states no frame rate"):
        load(tmp_path / "frames.csv", rate=None)


# --- timecode, edit lists, timelines ----------------------------------------------------------------------


@pytest.mark.parametrize("is_drop", [False, True])
@pytest.mark.parametrize("rate", [24, 25, 30, 50, 60, FILM, NTSC, 2 * NTSC])
def test_timecode_is_opentimelineios(rate: Fraction | int, is_drop: bool) -> None:
    is_drop = is_drop and rate in (NTSC, 2 * NTSC)
    for number in range(0, 2_000_000, 4999):
        library = otio.opentime.RationalTime(number, float(rate))
        text = library.to_timecode(float(rate), drop_frame=is_drop)
        match = TIMECODE.fullmatch(text)
        assert match is not None
        assert (match[4] == ";") == is_drop
        assert timecode_time(match, Fraction(rate), is_drop=is_drop) == number / Fraction(rate)


EDL = """TITLE: a list
FCM: NON-DROP FRAME

001  TAPE  V     C        00:00:00:00 00:00:02:00 01:00:00:00 01:00:02:00
* FROM CLIP NAME: film.mov
002  TAPE  A     C        00:00:00:00 00:00:09:00 01:00:00:00 01:00:09:00
003  TAPE  B     C        00:00:02:00 00:00:04:10 01:00:02:00 01:00:04:10
004  TAPE  V     C        00:00:04:10 00:00:04:10 01:00:04:10 01:00:04:10
004  TAPE  V     D    010 00:00:06:00 00:00:08:00 01:00:04:10 01:00:06:10
* FROM CLIP NAME: film.mov
* TO CLIP NAME: film.mov
005  BL    V     C        00:00:00:00 00:00:01:00 01:00:06:10 01:00:07:10
006  TAPE  V     C        00:00:20:00 00:00:21:00 01:00:07:10 01:00:08:10
"""


def test_an_edit_list_of_one_source_gives_source_times(tmp_path: Path) -> None:
    half = Fraction(5, 25)
    assert times(tmp_path / "a.edl", EDL) == [0, 2, 6 + half, 20]
    assert times(tmp_path / "a.edl", EDL.replace("\n", "\r\n"), 50) == [0, 2, 6 + half / 2, 20]


def test_an_edit_list_of_several_sources_gives_record_times(tmp_path: Path) -> None:
    path = tmp_path / "a.edl"
    black = 6 + Fraction(10, 25)
    expected = [0, 2, 4 + Fraction(15, 25), black, black + 1]
    assert times(path, EDL.replace("006  TAPE", "006  REEL")) == expected
    assert "draws on 2 sources, so its record times" in load(path).notes[0]
    assert times(path, EDL.replace("TO CLIP NAME: film", "TO CLIP NAME: other")) == expected


def test_our_events_are_those_of_opentimelineios_adapter() -> None:
    whole = EDL.replace("  B   ", "  V   ")
    timeline = otio.adapters.read_from_string(whole, "cmx_3600", rate=25)
    (track,) = timeline.video_tracks()
    found = []
    blend = 0.0
    for item in track:
        if isinstance(item, otio.schema.Transition):
            blend = item.duration().to_seconds() / 2
        elif not isinstance(item.media_reference, otio.schema.GeneratorReference):
            found.append(item.source_range.start_time.to_seconds() + blend)
            blend = 0.0
    assert [float(cut.time or 0) for cut in read_edl(whole, "a.edl", Fraction(25)).cuts] == found


def made(changes: Callable[[Any, Any], None] | None = None) -> str:
    """A timeline of three clips of a video whose own times begin at an hour, made by the library."""
    rate = 29.97

    def at(seconds: float) -> Any:
        return otio.opentime.RationalTime(round(seconds * 30), rate)

    track = otio.schema.Track("V1", kind="Video")
    for start, length in ((0, 2), (2, 3), (9, 1)):
        whole = otio.opentime.TimeRange(at(3600), at(60))
        clip = otio.schema.Clip("film", otio.schema.ExternalReference("file:///film.mov", whole))
        clip.source_range = otio.opentime.TimeRange(at(3600 + start), at(length))
        track.append(clip)
    timeline = otio.schema.Timeline("film")
    timeline.tracks.append(otio.schema.Track("A1", kind="Audio"))
    timeline.tracks.append(track)
    if changes is not None:
        changes(track, at)
    return str(timeline.to_json_string())


def test_a_timeline_counts_from_the_start_of_its_media(tmp_path: Path) -> None:
    frame = 1 / NTSC
    assert times(tmp_path / "a.otio", made()) == [0, 60 * frame, 270 * frame]

    def dissolve(track: Any, at: Any) -> None:
        track.insert(1, otio.schema.Transition("d", "SMPTE_Dissolve", at(0.5), at(1)))

    def another(track: Any, at: Any) -> None:
        track[1].media_reference.target_url = "file:///other.mov"

    assert times(tmp_path / "a.otio", made(dissolve)) == [
        0,
        60 * frame + Fraction(15, 2) * frame,
        270 * frame,
    ]
    assert times(tmp_path / "a.otio", made(another)) == [0, 60 * frame, 150 * frame]


@pytest.mark.parametrize("rate", [Fraction(25), FILM, NTSC, Fraction(60), Fraction(185, 14)])
def test_lists_of_pyscenedetect_are_read_as_it_means_them(rate: Fraction, tmp_path: Path) -> None:
    frames = list(range(0, 40_000, 97))
    scenes = [
        (FrameTimecode(start, rate), FrameTimecode(start + 97, rate)) for start in frames
    ]  # their frames count from 0 here, and from 1 in its CSV
    for name, write in {
        "with-cuts.csv": lambda file: write_scene_list(file, scenes, cut_list=[a for a, _ in scenes[1:]]),
        "with-times.csv": lambda file: write_scene_list(file, scenes),
        "plain.csv": lambda file: write_scene_list(file, scenes, include_cut_list=False),
        "a.otio": lambda file: write_scene_list_otio(file, scenes, "film.mp4", rate),
    }.items():
        file = io.StringIO()
        write(file)
        found = times(tmp_path / name, file.getvalue(), rate)
        assert [round((time or 0) * rate) for time in found] == frames, name
    file = io.StringIO()
    write_scene_list(file, scenes, include_cut_list=False)
    rows = [line.split(",")[1] for line in file.getvalue().splitlines()]
    (tmp_path / "frames.csv").write_text("\n".join(rows))
    assert [cut.frame_index for cut in load(tmp_path / "frames.csv", rate).cuts] == frames

    file = io.StringIO()
    write_scene_list_edl(file, scenes)
    found = [round((time or 0) * rate) for time in times(tmp_path / "a.edl", file.getvalue(), rate)]
    # It cuts off a float that should be whole: a few of its cuts are a frame early, in its own file.
    assert all(0 <= frame - other <= 1 for frame, other in zip(frames, found, strict=True))
    assert sum(map(int.__ne__, frames, found)) <= len(frames) // 10


def before_its_media(track: Any, at: Any) -> None:
    track[0].source_range = otio.opentime.TimeRange(at(3590), at(1))


def of_another_age(track: Any, at: Any) -> None:
    track[0].source_range = otio.opentime.TimeRange(otio.opentime.RationalTime(1e308, 1e-3), at(1))


def without_a_rate(track: Any, at: Any) -> None:
    track[0].source_range = otio.opentime.TimeRange(otio.opentime.RationalTime(5, 1e-9), at(1))


BAD_EDITS = {
    "a.edl": {
        "TITLE: nothing\n": "holds no video event of an EDL",
        "1 2 3\n": ":1: got 3 fields",
        EDL.replace(
            "00:00:04:10 00:00:04:10", "00:00:04:1x 00:00:04:10"
        ): ":8: got '00:00:04:1x', allowed: a timecode, HH:MM:SS:FF",
        EDL.replace("00:00:06:00", "00:00:06:25"): ":9: got '00:00:06:25', frame 25 of a second",
        EDL.replace("D    010", "D    ten"): ":9: got the edit 'D', allowed: C, or D",
        EDL.replace("NON-DROP", "DROP"): ":4: .*drop-frame timecode, and the video has 25",
    },
    "a.otio": {
        "not json": "is no OTIO timeline that can be read",
        "[" * 1_000_000: "is no OTIO timeline that can be read",
        '{"a":' * 50_000 + "1" + "}" * 50_000: "is no OTIO timeline that can be read",
        "[1, 2]": "is no OTIO timeline|allowed: a Timeline",
        '{"OTIO_SCHEMA": "Clip.1"}': "holds a Clip, allowed: a Timeline",
        str(otio.schema.Timeline().to_json_string()): "holds no clip on a video track",
        made(before_its_media): "item 1 of its video track begins 10.010 s before the media does",
        made(of_another_age): r"the time 1e\+308 at a rate of 0\.001",
        made(without_a_rate): "the time 5.0 at a rate of 1e-09",
        made(lambda track, at: track.clear()): "holds no clip",
        json.dumps({"OTIO_SCHEMA": "Timeline.1", "tracks": 7}): "is no OTIO timeline",
    },
}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [(name, *each) for name, all_ in BAD_EDITS.items() for each in all_.items()],
    ids=[message[:30] for all_ in BAD_EDITS.values() for message in all_.values()],
)
def test_bad_edits_are_refused(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CutFileError, match=message):
        times(tmp_path / name, text)


@settings(max_examples=150, deadline=None)
@given(
    suffix=st.sampled_from([".csv", ".edl", ".otio"]),
    data=st.binary(min_size=1, max_size=200)
    | st.text("0123456789:;.,\n\"' -CVD\tstarpho", max_size=200).map(str.encode),
    place=st.integers(0, 4000),
)
def test_whatever_the_bytes_nothing_else_is_raised(
    suffix: str, data: bytes, place: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"fuzz{suffix}"
    whole = {".csv": GOOD["other columns"], ".edl": EDL, ".otio": made()}[suffix].encode()
    at = place % len(whole)
    for content in (data, whole[:at] + data + whole[at + len(data) :]):
        path.write_bytes(content)
        try:
            assert all((cut.time or 0) >= 0 for cut in load(path).cuts)
        except CutFileError as error:
            told = str(error)
        else:
            told = str(path)
        assert str(path) in told


# --- which file for which video ---------------------------------------------------------------------------


def videos(*relatives: str) -> list[VideoNames]:
    return [VideoNames(Path("/videos") / each, each, each) for each in relatives]


@pytest.mark.parametrize(
    "name", ["d/a.mp4.scenes.csv", "d/a.mp4.csv", "d/a.csv", "d/a.mp4.edl", "d/a.otio", "d/a-Scenes.csv"]
)
def test_a_folder_holds_a_file_for_each_video(name: str, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / name).write_text("1\n")
    (tmp_path / "a.csv").write_text("another folder's")
    files = CutFiles(tmp_path, videos("d/a.mp4", "d/b.mp4"))
    assert files.of(Path("/videos/d/a.mp4")) == CutSource(
        str(tmp_path / name), mark_of(tmp_path / name, b"1\n")
    )
    with pytest.raises(CutFileError, match=r"has no file of cuts for it, allowed: d/b\.mp4\.scenes\.csv"):
        files.of(Path("/videos/d/b.mp4"))


@pytest.mark.parametrize(
    "name", ["d/A.MP4.CSV", "d/A.EDL", "d/A.mp4.Otio", "d/A.MP4.SCENES.CSV", "d/A-scenes.csv"]
)
def test_endings_may_be_in_capitals_and_names_are_as_they_are(name: str, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / name).write_text("1\n")
    files = CutFiles(tmp_path, videos("d/A.mp4", "d/a.mp4"))
    assert files.of(Path("/videos/d/A.mp4")).path == str(tmp_path / name)
    with pytest.raises(CutFileError, match="has no file of cuts for it"):
        files.of(Path("/videos/d/a.mp4"))


def test_two_spellings_of_an_ending_are_two_files(tmp_path: Path) -> None:
    for name in ("a.CSV", "a.csv"):
        (tmp_path / name).write_text("1\n")
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this disk does not tell capitals apart")
    files = CutFiles(tmp_path, videos("a.mp4"))
    with pytest.raises(CutFileError, match=r"several files of cuts for it: a\.CSV, a\.csv\. Keep one"):
        files.of(Path("/videos/a.mp4"))


def test_an_edit_list_of_black_alone_cuts_nothing_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.edl"
    event = "001  BL  V  C  00:00:00:00 00:00:02:00 00:00:00:00 00:00:02:00\n"
    assert times(path, event) == []
    assert (
        load(path)
        .notes[0]
        .endswith("its 1 event shows only black or bars, which cut nothing: the video is one scene")
    )
    path.write_text(event + event.replace("001", "002").replace("BL", "BARS"))
    assert "its 2 events show only black" in load(path).notes[0]


def test_two_files_for_a_video_and_two_videos_for_a_file(tmp_path: Path) -> None:
    for name in ("a.edl", "a.mp4.scenes.csv", "b.csv"):
        (tmp_path / name).write_text("1\n")
    files = CutFiles(tmp_path, videos("a.mp4", "b.mp4", "b.mov"))
    with pytest.raises(CutFileError, match=r"several files of cuts for it: a\.mp4\.scenes\.csv, a\.edl"):
        files.of(Path("/videos/a.mp4"))
    for name in ("b.mp4", "b.mov"):
        with pytest.raises(CutFileError, match=r"b\.csv: could be about any of b\.mp4, b\.mov"):
            files.of(Path("/videos") / name)

    # What is told to do next is not what was done already, and keeps the file's format.
    (tmp_path / "b.csv").rename(tmp_path / "b.edl")
    (tmp_path / "b.mp4.edl").write_text("1\n")
    files = CutFiles(tmp_path, videos("b.mp4", "b.mov"))
    with pytest.raises(CutFileError, match=r"several files of cuts for it: b\.mp4\.edl, b\.edl\. Keep one"):
        files.of(Path("/videos/b.mp4"))
    with pytest.raises(CutFileError, match=r"Name it with the extension of its video: b\.mov\.edl\."):
        files.of(Path("/videos/b.mov"))


def test_the_same_bytes_under_the_right_name_are_another_file(tmp_path: Path) -> None:
    """Or the failure under the wrong one would be taken for its result."""
    path = tmp_path / "a.csv"
    path.write_text("001  AX V C 00:00:01:00 00:00:02:00 00:00:00:00 00:00:01:00\n")
    wrong = CutFiles(tmp_path, videos("a.mp4")).of(Path("/videos/a.mp4"))
    path.rename(tmp_path / "a.edl")
    right = CutFiles(tmp_path, videos("a.mp4")).of(Path("/videos/a.mp4"))
    assert wrong.mark != right.mark
    assert [cut.time for cut in load_cuts(right, Fraction(25)).cuts] == [1]


def test_one_table_for_many_videos_is_shared_out(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    text = "path,start\n/videos/a.mp4,1\nd/b.mp4,2\n/videos/a.mp4,3\n/videos/c.mp4,4\nc.mp4,4\n"
    path.write_text(text)
    all_videos = videos("a.mp4", "d/b.mp4", "c.mp4", "e.mp4")
    files = CutFiles(path, all_videos)
    a = files.of(Path("/videos/a.mp4"))
    assert [cut.time for cut in load_cuts(a, None).cuts] == [1, 3]
    b = files.of(Path("/videos/d/b.mp4"))
    assert [cut.time for cut in load_cuts(b, None).cuts] == [2]
    with pytest.raises(CutFileError, match=r"names it as /videos/c\.mp4, c\.mp4"):
        files.of(Path("/videos/c.mp4"))
    with pytest.raises(CutFileError, match="has no row about this video"):
        files.of(Path("/videos/e.mp4"))

    # Rows of others come and go, and columns nobody reads: what is said of a video stays the same.
    path.write_text("path,note,start\n/videos/e.mp4,x,9\n" + text.split("\n", 1)[1].replace(",", ",y,"))
    again = CutFiles(path, all_videos)
    assert again.of(Path("/videos/a.mp4")).mark == a.mark
    path.write_text(text.replace("b.mp4,2", "b.mp4,2.5"))
    mended = CutFiles(path, all_videos)
    assert mended.of(Path("/videos/a.mp4")).mark == a.mark
    assert mended.of(Path("/videos/d/b.mp4")).mark != b.mark


def test_what_can_be_right_for_no_video_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = tmp_path / "one.csv"
    one.write_text("1\n")
    with pytest.raises(ConfigError, match="says nothing of which video it is about, and there are 2 videos"):
        CutFiles(one, videos("a.mp4", "b.mp4"))
    with pytest.raises(ConfigError, match="does not exist"):
        CutFiles(tmp_path / "none", videos("a.mp4"))
    one.write_text("path,start\n,1\n")
    with pytest.raises(ConfigError, match=r"one\.csv:2: has no path"):
        CutFiles(one, videos("a.mp4", "b.mp4"))
    (tmp_path / "a.otio").write_text(made())
    monkeypatch.setattr("corridor_cli.cuts.otio_file.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'vlmtl\[otio\]'"):
        CutFiles(tmp_path, videos("a.mp4"))
