"""Decoding, captioning and writing go on beside each other, and that changes nothing in the documents."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from runs import documents, draw_scenes

from corridor_cli.config import LoadedSettings, load_settings
from corridor_cli.pipeline import pictures
from corridor_cli.pipeline.tally import Tally
from corridor_cli.pipeline.video import VideoWork
from corridor_cli.records import BatchStats, EngineInfo, ReaderChoice, VideoInfo
from corridor_cli.runners import local
from corridor_cli.runners.local import run_local
from corridor_cli.settings import ModelSettings, Settings
from corridor_cli.telemetry import Counters, RunOptions, RunOutcome, RunPlan, VideoOutcome


@dataclass
class Witness:
    """A reporter that keeps what it is told, in order."""

    events: list[object] = field(default_factory=list)

    def note(self, message: str) -> None:
        self.events.append(message)

    def warn(self, message: str) -> None:
        self.events.append(message)

    def run_planned(self, plan: RunPlan) -> None:
        self.events.append(plan)

    def engine_started(self, info: EngineInfo) -> None:
        self.events.append(info)

    def video_opened(self, relative: str, info: VideoInfo, reader: ReaderChoice) -> None:
        self.events.append((relative, info, reader))

    def batch_done(self, stats: BatchStats) -> None:
        self.events.append(stats)

    def video_finished(self, outcome: VideoOutcome) -> None:
        self.events.append(outcome)

    def tick(self, counters: Counters) -> None:
        self.events.append(counters)

    def all(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]


def loaded(**model: object) -> LoadedSettings:
    base = load_settings(None, [], {})
    settings: Settings = base.settings
    internvl3 = replace(ModelSettings(engine="echo"), **model)  # type: ignore[arg-type]
    pipeline = replace(settings.gpu_pipeline, internvl3=internvl3)
    return replace(base, settings=replace(settings, gpu_pipeline=pipeline))


def go(videos: Path, output: Path, **model: object) -> tuple[RunOutcome, Witness]:
    witness = Witness()
    return run_local([str(videos)], output, loaded(**model), RunOptions(), witness), witness


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    draw_scenes(folder / "long.mp4", 24, seconds=1.5)
    draw_scenes(folder / "short.mp4", 2)
    return folder


def test_scenes_are_found_and_pictures_written_while_a_batch_runs(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the start of a batch and its end, other processes deliver: that is what overlap means."""
    happened: list[str] = []
    during: set[str] = set()

    def listen(owner: object, method: str, word: str) -> None:
        original = getattr(owner, method)

        def heard(*arguments: object, **named: object) -> object:
            happened.append(word)
            if happened.count("batch started") > happened.count("batch done"):
                during.add(word)
            return original(*arguments, **named)

        monkeypatch.setattr(owner, method, heard)

    monkeypatch.setattr(local, "_MAX_SLOTS", 12)  # so that decoding cannot be over before captioning starts
    listen(Tally, "batch_started", "batch started")
    listen(Tally, "batch_done", "batch done")
    listen(VideoWork, "scene_found", "scene found")
    listen(pictures, "write_atomically", "picture written")
    outcome, _ = go(videos, tmp_path, batch_size=4, echo={"delay_seconds": 0.05})
    assert outcome.exit_code == 0
    assert during >= {"scene found", "picture written"}
    assert happened.index("batch done") < len(happened) - 1 - happened[::-1].index("scene found")


def test_a_full_ring_holds_the_decoder_back(videos: Path, tmp_path: Path) -> None:
    """With one scene's worth of slots, decoding is never further ahead than those few pictures."""
    _, witness = go(videos, tmp_path, batch_size=1, async_frame_loading=False, echo={"delay_seconds": 0.03})
    assert max(tick.captions_pending for tick in witness.all(Counters)) <= 3 * 2


def test_batches_mix_videos_and_no_setting_of_speed_changes_a_document(videos: Path, tmp_path: Path) -> None:
    fast, witness = go(videos, tmp_path / "fast", batch_size=8, echo={"delay_seconds": 0.05})
    slow, _ = go(videos, tmp_path / "slow", enable_batch_processing=False, async_frame_loading=False)
    assert (fast.exit_code, slow.exit_code) == (0, 0)
    assert max(stats.batch_size for stats in witness.all(BatchStats)) > 1
    assert documents(tmp_path / "fast") == documents(tmp_path / "slow")


def test_running_out_of_memory_costs_no_caption(videos: Path, tmp_path: Path) -> None:
    straight, _ = go(videos, tmp_path / "straight", batch_size=8)
    tight, witness = go(videos, tmp_path / "tight", batch_size=8, echo={"oom_above": 3})
    assert (straight.exit_code, tight.exit_code) == (0, 0)
    assert sum(stats.num_oom_retries for stats in witness.all(BatchStats)) >= 1
    assert documents(tmp_path / "straight") == documents(tmp_path / "tight")


def test_size_time_and_memory_of_every_batch_are_logged(videos: Path, tmp_path: Path) -> None:
    _, witness = go(videos, tmp_path, batch_size=4)
    lines = (tmp_path / ".vlmtl" / "batches.jsonl").read_text().splitlines()
    assert [json.loads(line)["batch_size"] for line in lines] == [
        stats.batch_size for stats in witness.all(BatchStats)
    ]
    assert all({"time", "wall_seconds", "peak_memory_bytes"} <= json.loads(line).keys() for line in lines)


def test_a_poison_frame_costs_its_own_caption_only(videos: Path, tmp_path: Path) -> None:
    go(videos, tmp_path / "straight", batch_size=8)
    outcome, _ = go(videos, tmp_path / "poisoned", batch_size=8, echo={"fail_if": "0:3:representative"})
    assert (outcome.num_complete, outcome.num_partial) == (1, 1)
    poisoned = documents(tmp_path / "poisoned")["long.mp4.timeline.json"]
    straight = documents(tmp_path / "straight")["long.mp4.timeline.json"]
    assert poisoned["status"] == "partial"
    assert poisoned["scenes"][3]["caption"]["status"] == "error"
    assert poisoned["scenes"][3]["caption"]["text"] is None
    for index, (bad, good) in enumerate(zip(poisoned["scenes"], straight["scenes"], strict=True)):
        assert index == 3 or bad == good
