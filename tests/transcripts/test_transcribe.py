"""`vlmtl transcribe` with the real faster-whisper, whose model here hears nonsense in whatever sounds."""

from __future__ import annotations

import json
import os
import shutil
import signal
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from corridor_cli.cli.main import call
from corridor_cli.errors import ExitCode
from corridor_cli.media.discover import SourceFile
from corridor_cli.records import Listened, SpokenLine
from corridor_cli.runners import transcribe
from corridor_cli.transcripts import TranscriptFiles, load_transcript, transcript_path, transcript_srt
from tests import clips

pytest.importorskip("faster_whisper")
from whisper_model import make_model

RATE = 16000
PITCHES = (90, 130, 170, 220)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model") / "whisper")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with videos that hum like voices, one that is silent, one without sound, and a text."""
    folder = tmp_path_factory.mktemp("videos")
    (folder / "day 1").mkdir()
    time = np.arange(4 * RATE) / RATE
    syllables = np.sin(2 * np.pi * 2.5 * time) > 0
    for pitch in PITCHES:
        voice = sum(np.sin(2 * np.pi * pitch * harmonic * time) / harmonic for harmonic in range(1, 20))
        draw(folder / "day 1" / f"voice {pitch}.mp4", voice * syllables / 4)
    draw(folder / "silent.mp4", np.zeros(2 * RATE))
    clips.draw("h264.mp4", folder)
    (folder / "text.mp4").write_text("no video")
    return folder


def draw(path: Path, samples: npt.NDArray[np.float64]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=RATE)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(samples.astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def heard(
    capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = ExitCode.OK
) -> dict[str, dict]:
    capsys.readouterr()
    assert call(["transcribe", *map(str, arguments), "--device", "cpu", "--json", "-q"]) == code
    return {video["video"]: video for video in json.loads(capsys.readouterr().out)["videos"]}


def test_each_video_gets_a_file_where_runs_look_for_it(
    sounds: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = tmp_path / "said"
    found = heard(capsys, sounds, said, "--model", model, "--language", "en", code=ExitCode.PARTIAL)
    assert found["text.mp4"]["error"]["type"]
    assert found["silent.mp4"]["lines"] == found["h264.mp4"]["lines"] == 0
    assert (said / "silent.srt").read_bytes() == b""
    voices = {name: found[name] for name in (f"day 1/voice {pitch}.mp4" for pitch in PITCHES)}
    # Which nonsense is heard hangs on the last digits of a machine's arithmetic, and now and then it is none.
    assert any(voice["lines"] > 0 for voice in voices.values())
    for name, voice in voices.items():
        assert voice["language"] == ("en" if voice["lines"] else None)
        source = TranscriptFiles(str(said)).of(sounds / name, name)
        assert source is not None
        lines = load_transcript(source).lines
        assert len(lines) == voice["lines"]
        assert all(0 <= line.start <= line.end <= 4.2 for line in lines)


def test_what_is_there_is_kept_unless_it_is_asked_for_again(
    sounds: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = tmp_path / "said"
    said.mkdir()
    (said / "silent.srt").write_text("mine")
    found = heard(capsys, sounds / "silent.mp4", said, "--model", model)
    assert found["silent.mp4"]["kept"]
    assert (said / "silent.srt").read_text() == "mine"
    heard(capsys, sounds / "silent.mp4", said, "--model", model, "--force")
    assert (said / "silent.srt").read_bytes() == b""


def test_a_child_that_dies_costs_its_video_alone(
    sounds: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    videos = tmp_path / "in"
    videos.mkdir()
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        shutil.copy(sounds / "silent.mp4", videos / name)
    started: list[int] = []
    listen = transcribe._Listener.listen

    def listen_and_lose_one(self: transcribe._Listener, source: SourceFile) -> Listened:
        pid = self._started().pid
        started.append(pid)
        if source.relative.name == "b.mp4":
            os.kill(pid, signal.SIGKILL)
        return listen(self, source)

    monkeypatch.setattr(transcribe._Listener, "listen", listen_and_lose_one)
    found = heard(capsys, videos, tmp_path / "said", "--model", model, code=ExitCode.PARTIAL)
    assert found["b.mp4"]["error"]["type"] == "WorkerDiedError"
    assert "SIGKILL" in found["b.mp4"]["error"]["message"]
    assert found["a.mp4"]["error"] is found["c.mp4"]["error"] is None
    assert started[0] == started[1] != started[2]
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--model", "/no/such/folder"], ExitCode.MODEL, "faster-whisper cannot load"),
        (["--device", "tpu"], ExitCode.USAGE, "allowed: auto, cpu or cuda"),
    ],
)
def test_what_cannot_listen_is_told(
    sounds: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: ExitCode,
    said: str,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert call(["transcribe", str(sounds), str(tmp_path / "said"), *arguments]) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "said").exists()


def test_one_path_is_not_enough(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["transcribe", "videos"]) == ExitCode.USAGE
    assert "INPUT or more, and then FOLDER" in capsys.readouterr().err


def test_lines_come_back_as_they_were_written(tmp_path: Path) -> None:
    lines = [
        SpokenLine(0.0, 1.5, "Good <morning> {y:i} C:\\Names 00:01 --> 00:02"),
        SpokenLine(3661.001, 3662, "é 👍"),
    ]
    path = transcript_path(tmp_path, "film.mp4")
    path.write_bytes(transcript_srt(lines))
    source = TranscriptFiles(str(tmp_path)).of(Path("/in/film.mp4"), "film.mp4")
    assert source is not None
    first, second = load_transcript(source).lines
    assert first.text == "Good ‹morning› (y:i) C:⧵Names 00:01 --› 00:02"
    assert second == lines[1]
