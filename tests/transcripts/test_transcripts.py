"""Which file belongs to which video, what stands in it, and what of it falls into a scene."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from corridor_cli.errors import ConfigError, TranscriptError
from corridor_cli.records import SpokenLine
from corridor_cli.transcripts import Transcript, TranscriptFiles, TranscriptSource, load_transcript

SRT = """1
00:00:01,000 --> 00:00:03,000
<i>Good</i>
morning.

2
00:00:05,500 --> 00:00:06,500
Good night.
"""
VTT = """WEBVTT

00:01.000 --> 00:03.000
Good morning.

00:05.500 --> 00:06.500
Good night.
"""
JSON = json.dumps(
    {
        "text": "all",
        "segments": [
            {"id": 0, "start": 5.5, "end": 6.5, "text": " Good night."},
            {"id": 1, "start": 1.0, "end": 3, "text": " Good  morning."},
        ],
    }
)


def load(path: Path) -> Transcript:
    found = TranscriptFiles("beside").of(path.with_name("film.mp4"), "film.mp4")
    assert found is not None
    return load_transcript(found)


@pytest.mark.parametrize(
    ("name", "text", "encoding"),
    [
        ("film.srt", SRT, "utf-8"),
        ("film.SRT", SRT.replace("\n", "\r\n"), "utf-8-sig"),
        ("film.en.srt", SRT, "utf-16"),
        ("film.vtt", VTT, "utf-8"),
        ("film.pt-BR.json", JSON, "utf-8"),
        ("film.json", json.dumps(json.loads(JSON)["segments"]), "utf-8"),
    ],
)
def test_all_formats_say_the_same(tmp_path: Path, name: str, text: str, encoding: str) -> None:
    (tmp_path / name).write_text(text, encoding=encoding)
    told = load(tmp_path / name)
    assert [(line.start, line.end, line.text) for line in told.lines] == [
        (1.0, 3.0, "Good morning."),
        (5.5, 6.5, "Good night."),
    ]


def test_a_plain_name_goes_first_and_other_videos_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("film.fr.srt", "film.de.srt", "film.mp4.srt", "film2.srt", "film.part.srt", "film.txt"):
        (tmp_path / name).write_text(SRT)
    files = TranscriptFiles("beside")
    found = files.of(tmp_path / "film.mp4", "film.mp4")
    assert found is not None
    assert found.path.name == "film.de.srt"
    assert files.of(tmp_path / "other.mp4", "other.mp4") is None
    (tmp_path / "clip.mov.srt").write_text(SRT)
    (tmp_path / "clip.mkv.vtt").write_text(VTT)
    assert TranscriptFiles("beside").of(tmp_path / "clip.mov", "clip.mov") is None
    (tmp_path / "film.json").write_text(JSON)
    found = TranscriptFiles("beside").of(tmp_path / "film.mp4", "film.mp4")
    assert found is not None
    assert found.path.name == "film.json"


def test_a_folder_has_them_in_the_videos_place_or_at_the_top(tmp_path: Path) -> None:
    (tmp_path / "said" / "day1").mkdir(parents=True)
    (tmp_path / "said" / "day1" / "a.srt").write_text(SRT)
    (tmp_path / "said" / "b.vtt").write_text(VTT)
    files = TranscriptFiles(str(tmp_path / "said"))
    places = [files.of(Path(f"/videos/day1/{name}.mp4"), f"day1/{name}.mp4") for name in "abc"]
    assert [place and place.path.relative_to(tmp_path / "said").as_posix() for place in places] == [
        "day1/a.srt",
        "b.vtt",
        None,
    ]
    with pytest.raises(ConfigError, match="allowed: beside, or a folder"):
        TranscriptFiles(str(tmp_path / "nowhere"))


def test_the_mark_follows_the_content(tmp_path: Path) -> None:
    def mark(text: str) -> str:
        (tmp_path / "film.srt").write_text(text)
        found = TranscriptFiles("beside").of(tmp_path / "film.mp4", "film.mp4")
        assert found is not None
        return found.mark

    assert mark(SRT) == mark(SRT) != mark(SRT + "\n")


def test_lines_are_cut_to_scenes() -> None:
    spans = [(0.0, 2.0, "one"), (2.0, 10.0, "two"), (9.5, 10.5, "three"), (20.0, 20.0, "now")]
    told = Transcript(SpokenLine(*span) for span in spans)
    assert told.between(0, 2) == "one"
    assert told.between(0, 2.9) == "one", "less than a second of it"
    assert told.between(0, 3) == "one two"
    assert told.between(4, 6) == "two", "in the middle of it"
    assert told.between(10, 12) == "three", "half of a short line"
    assert told.between(12, 19) is None
    assert told.between(19, 21) == "now"


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("film.srt", b"\x80\x81", "is not UTF-8"),
        ("film.srt", b"hello, this is no subtitle", "has no line with a time"),
        ("film.json", b"{", "is no JSON"),
        ("film.json", b"{}", "has no list of segments"),
        ("film.json", b'[{"start": "a", "end": 1, "text": ""}]', "segment 0 needs start and end"),
        ("film.json", b'[{"start": NaN, "end": 1, "text": ""}]', "segment 0 needs start and end"),
        (
            "film.json",
            b'[{"start": 0, "end": 1%s, "text": ""}]' % (b"0" * 400),
            "segment 0 needs start and end",
        ),
        ("film.json", b"[" * 100_000, "is no JSON"),
    ],
)
def test_files_that_say_nothing_are_told(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(TranscriptError, match=said):
        load(tmp_path / name)


def test_half_a_surrogate_pair_can_be_written_to_a_document(tmp_path: Path) -> None:
    (tmp_path / "film.json").write_bytes(b'[{"start": 0, "end": 1, "text": "oh \\ud83d"}]')
    (line,) = load(tmp_path / "film.json").lines
    assert line.text == "oh \\ud83d"


@pytest.mark.parametrize("text", ["", "WEBVTT\n", "WEBVTT\nKind: captions\nLanguage: en\n\n"])
def test_an_empty_transcript_is_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "film.vtt").write_text(text)
    assert load(tmp_path / "film.vtt").lines == []


@pytest.mark.parametrize(
    ("name", "cue", "said"),
    [
        ("film.vtt", "so <00:00:01.200><c> it</c><00:00:01.400><c> goes</c>", "so it goes"),
        ("film.vtt", "<v Bob>Q&amp;A&nbsp;time</v>", "Q&A time"),
        ("film.srt", "{\\an8}<font color=red>a {smile}\\Nb</font> < c", "a {smile} b < c"),
    ],
)
def test_marks_in_a_line_are_not_said(tmp_path: Path, name: str, cue: str, said: str) -> None:
    stamp = "00:00:01.000 --> 00:00:03.000"
    text = f"WEBVTT\n\n{stamp}\n{cue}\n" if name.endswith("vtt") else f"1\n{stamp}\n{cue}\n"
    (tmp_path / name).write_text(text)
    assert load(tmp_path / name).lines == [SpokenLine(1.0, 3.0, said)]


@pytest.mark.parametrize("filler", ["{\\", "<a", "\n", "\r", "<", "{", "\\"])
def test_a_mark_that_never_ends_takes_no_longer_than_text(tmp_path: Path, filler: str) -> None:
    (tmp_path / "film.srt").write_text(
        f"1\n00:00:01,000 --> 00:00:03,000\na{filler * 300_000}b\n", newline=""
    )
    began = time.process_time()
    (line,) = load(tmp_path / "film.srt").lines
    assert line.text.startswith("a")
    assert line.text.endswith("b")
    assert time.process_time() - began < 5  # 0.1 s measured; the library's own way took minutes


def test_a_file_changed_meanwhile_and_one_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "film.srt").write_text(SRT)
    with pytest.raises(TranscriptError, match="was changed while this ran"):
        load_transcript(TranscriptSource(tmp_path / "film.srt", "0" * 32))
    (tmp_path / "film.srt").unlink()
    (tmp_path / "film.srt").mkdir()
    num_open = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(TranscriptError, match="no regular file"):
        TranscriptFiles("beside").of(tmp_path / "film.mp4", "film.mp4")
    assert len(list(Path("/proc/self/fd").iterdir())) == num_open
