"""The centre for a long time: whether a machine keeps its pace when it grows warm."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from statistics import fmean

from corridor_cli.bench.document import LongRun, Window
from corridor_cli.bench.frames import FrameSet
from corridor_cli.bench.measure import engine_settings, hardware_use
from corridor_cli.bench.points import Point
from corridor_cli.bench.rounds import BatchEars, Load
from corridor_cli.bench.sampler import Sampler
from corridor_cli.hosts.hosted_engine import HostedEngine
from corridor_cli.hosts.messages import EngineSetup
from corridor_cli.records import Caption
from corridor_cli.settings import Settings

_NUM_WINDOWS = 60
_MIN_WINDOW_SECONDS = 5.0


def run_long(centre: Point, batch_size: int, frames: FrameSet, settings: Settings, seconds: float) -> LongRun:
    """Caption without a pause for so long, and look at it window by window. Raises `ModelError`."""
    point = replace(centre, batch_size=batch_size)
    caption = replace(settings.caption, max_new_tokens=point.output_tokens)
    ears = BatchEars()
    setup = EngineSetup(engine_settings(point, settings), frames.slot_bytes, caption)
    engine = HostedEngine(setup, frames.arena_fd, settings.errors, ears.hear, lambda _: None)
    with closing(engine):
        info = engine.start()
        load = Load(engine, ears, frames, point, caption.prompt)
        load.round(info.batch_size)
        times: list[float] = []
        with Sampler(pids=[engine.pid or 0], device=info.device) as sampler:
            begun, started = sampler.mark(), time.perf_counter()

            def note(caption: Caption) -> None:
                if caption.error is None:
                    times.append(time.perf_counter() - started)

            load.stream(seconds, note)
            length = max(_MIN_WINDOW_SECONDS, seconds / _NUM_WINDOWS)
            windows = [
                Window(
                    start_seconds=start,
                    seconds=end - start,
                    frames_per_second=point.frames * count / (end - start),
                    hardware=hardware_use(sampler.summary(begun + start, begun + end)),
                )
                for start, end, count in cut(times, seconds, length)
            ]
            whole = hardware_use(sampler.summary(begun, sampler.mark()))
    return LongRun(
        batch_size=batch_size,
        seconds=seconds,
        frames_per_second=point.frames * sum(moment <= seconds for moment in times) / seconds,
        windows=windows,
        drift=drift([window.frames_per_second for window in windows]),
        throttle_reasons=whole.throttle_reasons,
    )


def cut(times: Sequence[float], seconds: float, length: float) -> list[tuple[float, float, int]]:
    """Windows of about `length` seconds: their ends, and how many of `times` lie in each."""
    num_windows = max(1, int(seconds / length))
    edges = [seconds * number / num_windows for number in range(num_windows + 1)]
    return [(start, end, sum(start < moment <= end for moment in times)) for start, end in pairwise(edges)]


def drift(rates: Sequence[float]) -> float:
    """The mean of the last quarter over that of the first; 1 where there is nothing to compare."""
    quarter = max(1, len(rates) // 4)
    first = fmean(rates[:quarter]) if rates else 0.0
    return fmean(rates[-quarter:]) / first if first else 1.0
