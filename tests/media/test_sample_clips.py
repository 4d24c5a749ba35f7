"""The videos the demo draws are what they are said to be."""

from __future__ import annotations

from pathlib import Path

import pytest
import sample_clips

from corridor_cli.media.open_reader import open_reader
from corridor_cli.settings import DecodeSettings


def test_the_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sample_clips.main([str(tmp_path)]) == 0
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    seen = []
    for path in paths:
        reader = open_reader(path, DecodeSettings(), for_picks=False)
        num_frames = sum(1 for _ in reader.read_frames())
        assert reader.end is not None
        assert 8 <= round(reader.end) <= 12
        assert (reader.info.width_px, reader.info.height_px) == (640, 360)
        assert reader.warnings == []
        seen.append((path.suffix, reader.info.video_codec, num_frames, reader.is_variable_frame_rate))
        reader.close()
    assert seen == [
        (".mp4", "h264", 240, False),
        (".webm", "vp9", 150, True),
        (".mkv", "av1", 230, False),
    ]


def test_wrong_usage_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert sample_clips.main([]) == 2
    assert "usage" in capsys.readouterr().err
