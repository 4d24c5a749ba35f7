"""The job this tool was asked for: a 30-second video, 8 scenes, 24 frames, captioned by the 2B."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.busy import BusySampler
from bench.checks import Options, Result, at_least, attempt
from bench.ours import Bench, settings_with
from bench.workload import Pixels, draw_frame
from corridor_cli.settings import CaptionSettings, ModelSettings, PipelineSettings, Settings

PRESET = "internvl3-2b"
NUM_SCENES = 8
NUM_FRAMES = 24
VIDEO_SECONDS = 30.0
GOAL_SECONDS = 10.0
BUSY_GOAL_PERCENT = 80
_BUSY_SECONDS = 8.0
# What the pipe needs beside torch and transformers; the machine may lack them.
PIPE_PACKAGES = ("annotated_types", "av", "filelock", "natsort", "psutil", "pydantic", "yaml")


def run_job(options: Options, tell: Callable[[list[Result]], None]) -> None:
    """The job end to end where videos can be decoded, and the engine's part of it on generated frames."""
    caption = CaptionSettings(max_new_tokens=8) if options.is_quick else CaptionSettings()
    wanted: dict[str, Any] = (
        {"model": "tiny"} if options.is_quick else {"load_format": "dummy", "preset": PRESET}
    )
    model = settings_with(device=options.device, **wanted)
    missing = [package for package in PIPE_PACKAGES if find_spec(package) is None]
    name = "job: video to timeline"
    if missing:
        tell([Result(name, None, f"not measured: this machine lacks {', '.join(missing)}")])
    else:
        tell(attempt(name, lambda: _run_pipe(name, model, caption, options)))
    tell(attempt("job: frames to captions", lambda: _run_engine(model, caption, options)))


def _run_pipe(name: str, model: ModelSettings, caption: CaptionSettings, options: Options) -> Result:
    from bench.clips import draw_clips
    from bench.pipe import staged

    settings = replace(Settings(), gpu_pipeline=PipelineSettings(model), caption=caption)
    scenes, size = (2, (192, 108)) if options.is_quick else (NUM_SCENES, (1280, 720))
    scene_seconds = 0.6 if options.is_quick else VIDEO_SECONDS / NUM_SCENES
    with tempfile.TemporaryDirectory() as folder:
        videos = draw_clips(Path(folder), 1, scenes, scene_seconds, size)
        with staged(videos, settings, 0) as stage:
            num_picks = len(stage.scan().pictures)
            stage.start_engine()
            seconds = [stage.run(stage.workers()) for _ in range(1 if options.is_quick else 3)]
    told = f"{seconds[0]:.2f} s, {num_picks} frames (goal under {GOAL_SECONDS:g} s)"
    holds = None if options.is_quick else seconds[0] < GOAL_SECONDS
    return Result(
        name,
        holds,
        told,
        {"seconds_of_each_run": seconds, "num_frames": num_picks, "write_seconds": stage.write_seconds},
    )


def _run_engine(model: ModelSettings, caption: CaptionSettings, options: Options) -> list[Result]:
    """The captions alone; then the same over and over, because one is too short for the driver to judge."""
    num_frames = 4 if options.is_quick else NUM_FRAMES
    pictures: list[Pixels] = [draw_frame(number, 1280, 720) for number in range(num_frames)]
    bench = Bench(model, pictures, caption)
    first = bench.caption(bench.requests(caption.prompt, caption.max_new_tokens))[1]
    captions, seconds = bench.caption(bench.requests(caption.prompt, caption.max_new_tokens))
    num_jobs = 0
    started = time.perf_counter()
    with BusySampler(options.device) as busy:
        while not options.is_quick and time.perf_counter() - started < _BUSY_SECONDS:
            bench.caption(bench.requests(caption.prompt, caption.max_new_tokens))
            num_jobs += 1
    bench.close()
    told = f"{seconds:.2f} s, {first:.2f} s the first time ({num_frames} generated frames)"
    tokens = sum(each.output_tokens for each in captions)
    details = {"first_seconds": first, "seconds": seconds, "output_tokens": tokens}
    holds = None if options.is_quick else first < GOAL_SECONDS
    return [
        Result("job: frames to captions", holds, told, details),
        at_least(
            f"job: GPU busy over {num_jobs} of them ({busy.source})",
            busy.percent, BUSY_GOAL_PERCENT, options, " %",
        ),
    ]  # fmt: skip
