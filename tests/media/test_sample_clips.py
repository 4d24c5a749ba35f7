"""The videos the demo draws are what they are said to be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import sample_clips
from bench.decode_clips import draw_busy

from corridor_cli.media.open_reader import open_reader
from corridor_cli.settings import DecodeSettings
from tests import clips


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


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="a matter of Linux")
def test_an_encoder_leaves_the_process_its_priority(tmp_path: Path) -> None:
    """libsvtav1 makes root's process a real-time one, and then its children starve whatever else runs."""
    before = os.sched_getscheduler(0)
    assert before != os.SCHED_FIFO
    clips.draw("av1.mkv", tmp_path)
    assert os.sched_getscheduler(0) == before
    draw_busy(tmp_path, "av1", (64, 64), 2)
    assert os.sched_getscheduler(0) == before
