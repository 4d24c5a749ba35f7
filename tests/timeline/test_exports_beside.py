"""What lies beside a timeline, read by the programs it is for or by a parser that is not ours."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pysubs2
import pytest
import webvtt
from export_samples import HOSTILE, document, video
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from otio_cmx3600_adapter import cmx_3600

from corridor_cli.cuts.edl import read_edl
from corridor_cli.cuts.otio_file import read_otio
from corridor_cli.errors import TimelineError
from corridor_cli.timeline.exports import document as document_module
from corridor_cli.timeline.exports.document import Video, read_video
from corridor_cli.timeline.exports.edit_rate import edit_rate, timecode_rate
from corridor_cli.timeline.exports.edl import render_edl
from corridor_cli.timeline.exports.ffmetadata import render_ffmetadata
from corridor_cli.timeline.exports.markdown import render_markdown
from corridor_cli.timeline.exports.otio_file import render_otio
from corridor_cli.timeline.exports.plain import cut_short, one_line, text_lines
from corridor_cli.timeline.exports.subtitles import render_srt, render_vtt
from corridor_cli.timeline.exports.txt import render_txt

SCENE = 40 * 1001 / 24000
RENDER = (render_srt, render_vtt, render_txt, render_markdown, render_ffmetadata, render_edl, render_otio)

needs_ffmpeg = pytest.mark.skipif(
    not (shutil.which("ffmpeg") and shutil.which("ffprobe")),
    reason="ffmpeg and ffprobe are not installed (Debian: apt-get install ffmpeg)",
)

# Anything a model could say and worse: every kind of character, lone surrogates among them.
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(HOSTILE),
        st.text(st.characters(), max_size=60),
        st.text(st.sampled_from("\\N<>&{}-=;#*_[]()!|~`@\n\r\t 1:,."), max_size=40),
    ),
    min_size=1,
    max_size=4,
)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def mux(data: bytes, suffix: str, folder: Path) -> dict[str, Any]:
    """What ffprobe finds in an MKV that ffmpeg made of a picture and this file."""
    given_file, made = folder / f"given{suffix}", folder / "made.mkv"
    given_file.write_bytes(data)
    is_chapters = suffix == ".ffmetadata"
    maps = ["-map_metadata", "1", "-map_chapters", "1"] if is_chapters else ["-map", "1", "-c:s", "copy"]
    source = ["-f", "lavfi", "-i", "color=black:s=16x16:r=5:d=120"]
    ffmpeg = ["ffmpeg", "-v", "error", "-y", *source, "-i", str(given_file), "-map", "0", *maps, str(made)]
    done = subprocess.run(ffmpeg, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    probe = ["ffprobe", "-v", "error", "-of", "json", "-show_chapters", "-show_streams", "-show_format"]
    probe += [] if is_chapters else ["-show_packets", "-select_streams", "s"]
    told = subprocess.run([*probe, str(made)], capture_output=True, check=True).stdout
    found: dict[str, Any] = json.loads(told)
    if not is_chapters:
        decode = ["ffmpeg", "-v", "error", "-i", str(made), "-map", "0:s", "-f", "srt", "-"]
        found["srt"] = subprocess.run(decode, capture_output=True, check=True).stdout.decode()
    return found


def srt_cues(text: str) -> list[tuple[float, float, str]]:
    """By pysubs2, which strips what it takes for tags."""
    found = pysubs2.SSAFile.from_string(text, "srt")
    return [(cue.start / 1000, cue.end / 1000, cue.text.replace("\\N", "\n")) for cue in found]


def vtt_cues(data: bytes) -> list[tuple[float, float, str]]:
    """By webvtt-py, as a browser would show it."""
    found = webvtt.from_buffer(io.StringIO(data.decode()))
    unescaped = [
        cue.raw_text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for cue in found
    ]
    return [
        (cue.start_in_seconds, cue.end_in_seconds, text) for cue, text in zip(found, unescaped, strict=True)
    ]


def test_subtitles_say_when_and_what() -> None:
    found = video(["A red car.", "", None, "Two lines\nof a caption"])
    cues = [
        (0.0, pytest.approx(SCENE, abs=0.001), "A red car."),
        (pytest.approx(3 * SCENE, abs=0.001), pytest.approx(4 * SCENE, abs=0.001), "Two lines\nof a caption"),
    ]
    assert srt_cues(render_srt(found).decode()) == cues
    assert [text for _, _, text in vtt_cues(render_vtt(found))] == ["A red car.", "Two lines\nof a caption"]
    assert render_srt(found).startswith(b"1\n00:00:00,000 --> 00:00:01,668\nA red car.\n\n2\n")
    assert render_vtt(found).startswith(b"WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.668\nA red car.\n")


def test_subtitles_of_nothing_are_not_empty_files() -> None:
    assert render_srt(video([None, ""])) == b"\n"
    assert render_vtt(video([None, ""])).startswith(b"WEBVTT\n")


def test_a_cue_has_a_length_and_hours_end_at_a_hundred() -> None:
    found = video(["a", "b", "c"])
    for scene, (start, end) in zip(found.scenes, ((0, 0), (100, 400_000), (400_000, 9e9)), strict=True):
        scene["start"], scene["end"] = start, end
    assert srt_cues(render_srt(found).decode()) == [(0, 0.001, "a"), (100, 359_999.999, "b")]


@needs_ffmpeg
def test_ffmpeg_takes_the_subtitles(tmp_path: Path) -> None:
    texts = ["A red car.", None, "Grass & <sky>", "עברית"]
    found = mux(render_srt(video(texts)), ".srt", tmp_path)
    assert [stream["codec_name"] for stream in found["streams"] if stream["codec_type"] == "subtitle"] == [
        "subrip"
    ]
    assert [text for _, _, text in srt_cues(found["srt"])] == ["A red car.", "Grass & ‹sky›", "עברית"]
    found = mux(render_vtt(video(texts)), ".vtt", tmp_path)
    assert [stream["codec_name"] for stream in found["streams"] if stream["codec_type"] == "subtitle"] == [
        "webvtt"
    ]
    assert "Grass & <sky>" in found["srt"]


@needs_ffmpeg
def test_hostile_captions_stay_in_their_cue_and_chapter_for_ffmpeg(tmp_path: Path) -> None:
    texts = [text for each in HOSTILE for text in (each, f"after {len(each)}")]
    made = video(texts, name="a=b;c#d\\e.mp4")
    times = [round(scene["start"], 3) for scene in made.scenes]
    for render, suffix in ((render_srt, ".srt"), (render_vtt, ".vtt")):
        found = mux(render(made), suffix, tmp_path)
        assert [float(each["pts_time"]) for each in found["packets"]] == pytest.approx(times, abs=0.001)
        assert re.findall(r"\n(after \d+)\n\n", found["srt"]) == texts[1::2]
    found = mux(render_ffmetadata(made), ".ffmetadata", tmp_path)
    assert found["format"]["tags"]["title"] == "a=b;c#d\\e.mp4"
    titles = [chapter["tags"]["title"].rstrip(" ") for chapter in found["chapters"]]
    assert titles == [cut_short(text, 80) for text in texts]


@needs_ffmpeg
def test_ffmpeg_takes_the_chapters(tmp_path: Path) -> None:
    found = mux(render_ffmetadata(video(["A car.", None, ""])), ".ffmetadata", tmp_path)
    assert [chapter["tags"]["title"] for chapter in found["chapters"]] == ["A car.", "Scene 2", "Scene 3"]
    assert float(found["chapters"][1]["start_time"]) == pytest.approx(SCENE, abs=1e-6)


@given(texts=TEXTS)
@FUZZ
def test_no_caption_breaks_out_of_a_subtitle(texts: list[str]) -> None:
    found = video(["before", *texts, "after"])
    wanted = ["\n".join(text_lines(text)) for text in ["before", *texts, "after"]]
    wanted = [text for text in wanted if text]
    assert [text for _, _, text in vtt_cues(render_vtt(found))] == wanted
    srt = render_srt(found).decode()
    shown = [text.translate(str.maketrans("<>{}", "‹›()")) for text in wanted]
    cues = re.findall(r"(\d+)\n(\S+) --> (\S+)\n(.*?)\n\n(?=\d+\n\S+ --> |\Z)", srt, re.DOTALL)
    assert [cue[3] for cue in cues] == shown
    assert srt.count("-->") == len(shown)


@given(texts=TEXTS, name=st.text(st.characters(), min_size=1, max_size=20))
@FUZZ
def test_every_format_is_clean_text(texts: list[str], name: str) -> None:
    found = video(["before", *texts, None])
    found.fields["source"]["name"] = name
    for render in RENDER:
        text = render(found).decode("utf-8")
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]", text)


@given(texts=TEXTS)
@FUZZ
def test_markdown_shows_the_caption_and_nothing_else(texts: list[str]) -> None:
    html = MarkdownIt("gfm-like", {"linkify": False}).render(render_markdown(video(texts)).decode())
    tags = set(re.findall(r"</?([a-z0-9]+)", html))
    assert tags <= {"h1", "p", "strong", "em"}
    paragraphs = re.findall(r"<p><strong>\S+ – \S+</strong> (.*)</p>", html)
    shown = [
        re.sub(
            "&lt;|&gt;|&amp;|&quot;",
            lambda m: {"&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"'}[m[0]],
            p,
        )
        for p in paragraphs
    ]
    assert shown == [one_line(text) or "<em>(no caption)</em>" for text in texts]


@given(texts=TEXTS)
@FUZZ
def test_chapters_and_lines_stay_in_step(texts: list[str]) -> None:
    lines = render_ffmetadata(video(texts)).decode().split("\n")
    assert lines.count("[CHAPTER]") == len(texts)
    assert len(lines) == 2 + 6 * len(texts) + 1
    assert len(render_txt(video(texts)).decode().split("\n")) == 2 + len(texts) + 1


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), 24, 25, Fraction(30000, 1001), 30, 50, 60])
def test_edit_lists_are_read_back_by_the_library_and_by_us(rate: Fraction | int) -> None:
    found = video(["A car", None, "A tree"], fps=Fraction(rate))
    frames = [round(scene["start"] * rate) for scene in found.scenes]
    written = render_edl(found).decode()
    track = cmx_3600.read_from_string(written, rate=float(rate)).tracks[0]
    assert [round(track.range_of_child(clip).start_time.value) for clip in track] == frames
    assert [clip.name for clip in track] == ["clip.mp4"] * 3
    cuts = read_edl(written, "a.edl", Fraction(rate)).cuts
    assert [round(cut.time * rate) for cut in cuts if cut.time is not None] == frames
    assert "* COMMENT: s0001 A car\n" in written
    assert "* COMMENT: s0002\n" in written
    is_drop = Fraction(rate) == Fraction(30000, 1001)
    assert f"\nFCM: {'DROP' if is_drop else 'NON-DROP'} FRAME\n" in written


@given(texts=TEXTS)
@FUZZ
def test_an_edit_list_has_an_event_a_scene_whatever_is_said(texts: list[str]) -> None:
    written = render_edl(video(texts)).decode()
    assert len(re.findall(r"(?m)^\d{3}  ", written)) == len(texts)
    assert len(cmx_3600.read_from_string(written, rate=24000 / 1001).tracks[0]) == len(texts)
    assert len(read_edl(written, "a.edl", Fraction(24000, 1001)).cuts) == len(texts)


@pytest.mark.parametrize(
    ("stated", "is_variable", "own", "timecode"),
    [
        ("24000/1001", False, Fraction(24000, 1001), Fraction(24000, 1001)),
        ("2997/100", False, Fraction(30000, 1001), Fraction(30000, 1001)),
        ("12/1", False, 12, 24),
        ("25/2", False, Fraction(25, 2), 25),
        ("120/1", False, 120, 60),
        ("25/1", True, 60, 60),
        ("25/1", None, 60, 60),
        (None, False, 60, 60),
        ("1/0", False, 60, 60),
        ("999999/1", False, 60, 60),
    ],
)
def test_rates(stated: str | None, is_variable: bool | None, own: Fraction, timecode: Fraction) -> None:
    source = video(["a"]).fields["source"]
    source["frame_rate"], source["variable_frame_rate"] = stated, is_variable
    assert (edit_rate(source), timecode_rate(source)) == (own, timecode)


def test_a_timecode_ends_after_a_day() -> None:
    found = video(["a", "b"])
    found.scenes[1]["end"] = 86_400.0
    with pytest.raises(TimelineError, match="24 hours"):
        render_edl(found)


def test_otio_is_read_back_by_the_library_and_by_us() -> None:
    found = video(["A car", None, "שלום"])
    timeline: Any = otio.core.deserialize_json_from_string(render_otio(found).decode())
    clips = list(timeline.video_tracks()[0])
    assert [clip.source_range.start_time.value for clip in clips] == [0, 40, 80]
    assert [clip.metadata["vlmtl"]["caption"] for clip in clips] == ["A car", "", "שלום"]
    assert [clip.metadata["vlmtl"]["caption_status"] for clip in clips] == ["success", "error", "success"]
    assert [[marker.comment for marker in clip.markers] for clip in clips] == [["A car"], [], ["שלום"]]
    assert {clip.media_reference.target_url for clip in clips} == {"file:///videos/clip.mp4"}
    cuts = read_otio(render_otio(found).decode(), "a.otio").cuts
    assert [cut.time and round(cut.time / Fraction(1001, 24000)) for cut in cuts] == [0, 40, 80]


def test_the_url_of_a_name_that_is_not_utf8() -> None:
    found = video(["a"])
    found.fields["source"] |= {"path": "/v/\\xff.mp4", "path_bytes": b"/v/\xff.mp4".hex()}
    assert b"file:///v/%FF.mp4" in render_otio(found)


def test_markdown_shows_the_saved_picture_only_where_a_run_puts_it() -> None:
    found = video(["a", "b"])
    picture = "clip.mp4.frames/s0001-representative.jpg"
    found.scenes[0]["frames"][1]["path"] = picture
    found.scenes[1]["frames"][1]["path"] = "../../etc/passwd"
    text = render_markdown(found).decode()
    assert f"![s0001]({picture})" in text
    assert "passwd" not in text


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: d.pop("scenes"), "scenes: Field required"),
        (lambda d: d.update(schema="vlmtl.timeline/2"), "this version reads vlmtl.timeline/1"),
        (lambda d: d.update(schema="other/1"), "no timeline of ours"),
        (lambda d: d.update(status="failed"), "failed document"),
        (lambda d: d["scenes"].clear(), "at least one"),
        (lambda d: d["scenes"][0].update(start="0"), "scenes[0].start"),
        (lambda d: d["scenes"][0].update(start_timecode="00:00:00\n"), "scenes[0].start_timecode"),
        (lambda d: d["scenes"][1].update(start=0.5), "before the end of the one before"),
        (lambda d: d["scenes"][1].update(end=0.5), "ends before it begins"),
        (lambda d: d["scenes"][0]["frames"][0].update(id="../x"), "scenes[0].frames[0].id"),
    ],
)
def test_a_damaged_timeline_is_told_apart(change: Any, what: str) -> None:
    found = document(["a", "b"])
    change(found)
    with pytest.raises(TimelineError, match=re.escape(what)):
        read_video(json.dumps(found).encode(), "clip.mp4")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b"[" * 100_000, b"3", b"null", b'{"schema": 3}', b'{"schema": "\\ud800"}']
)
def test_what_is_no_document_is_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(TimelineError):
        read_video(data, "x")


def test_without_orjson_the_same_is_read_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = json.dumps(document(["a", None, "שלום"])).encode()
    wanted = read_video(data, "x")
    monkeypatch.setattr(document_module, "find_spec", lambda name: None)
    parse = document_module._find_parser()
    assert parse.__name__ != "loads"
    monkeypatch.setattr(document_module, "_parse", parse)
    assert read_video(data, "x") == wanted
    for wrong in (b'{"schema": NaN}', b'["\\ud800"]', b"[" * 100_000, b"\xff"):
        with pytest.raises(TimelineError, match="no JSON document"):
            read_video(wrong, "x")


@pytest.mark.parametrize(
    ("text", "short"), [("a b", "a b"), ("one two three", "one two…"), ("x" * 20, "x" * 9 + "…")]
)
def test_cut_short(text: str, short: str) -> None:
    assert cut_short(text, 10) == short


def test_captions_that_failed_are_never_text() -> None:
    found: Video = video([None, "x"])
    assert found.scenes[0]["caption"]["error"]
    for render in RENDER:
        assert b"out of memory" not in render(found)
