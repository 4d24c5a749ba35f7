"""A real run over the input, from files to timelines, with the batch size that was recommended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from corridor_cli.bench.document import PipeResult
from corridor_cli.bench.points import BatchSize
from corridor_cli.config import LoadedSettings
from corridor_cli.runners.local import run_local
from corridor_cli.telemetry import Reporter, RunOptions
from corridor_cli.timeline.layout import OutputLayout

_OUTPUT = ".whole-way"


def run_pipe(
    inputs: list[str], loaded: LoadedSettings, batch_size: BatchSize, folder: Path, reporter: Reporter
) -> PipeResult:
    """Run into a folder in `folder`, which goes again, and look at what was left there.

    So writing costs what it costs on that disk. Raises what the run raises.
    """
    settings = loaded.settings
    model = replace(settings.gpu_pipeline.internvl3, batch_size=batch_size)
    settings = replace(settings, gpu_pipeline=replace(settings.gpu_pipeline, internvl3=model))
    with _output_in(folder) as output:
        outcome = run_local(inputs, output, replace(loaded, settings=settings), RunOptions(), reporter)
        timelines = [json.loads(path.read_bytes()) for path in output.rglob("*.timeline.json")]
        batches = list(_batches(OutputLayout(output).batches))
    video_seconds = sum(timeline["source"]["duration"] or 0.0 for timeline in timelines)
    num_captions = outcome.num_captions or 0
    seconds = outcome.wall_seconds
    busy = busy_share(batches)
    stages = {"decode": outcome.decode_seconds}
    for batch in batches:
        for name, taken in batch["pass_seconds"].items():
            stages[name] = stages.get(name, 0.0) + taken
    stages["write"] = outcome.write_seconds
    return PipeResult(
        batch_size=batch_size,
        num_videos=len(timelines),
        num_scenes=outcome.num_scenes,
        num_captions=num_captions,
        video_seconds=video_seconds,
        wall_seconds=seconds,
        scenes_per_second=outcome.num_scenes / seconds,
        captions_per_second=num_captions / seconds,
        times_real_time=video_seconds / seconds,
        seconds_by_stage=stages,
        busy_share=busy,
        starved_share=None if busy is None else 1 - busy,
        exit_code=int(outcome.exit_code),
    )


@contextmanager
def _output_in(folder: Path) -> Iterator[Path]:
    output = folder / _OUTPUT
    shutil.rmtree(output, ignore_errors=True)  # of one that was killed: nothing in it is to be found finished
    try:
        yield output
    finally:
        shutil.rmtree(output, ignore_errors=True)


def busy_share(batches: Sequence[dict[str, Any]]) -> float | None:
    """The share (0 to 1) of the time from the first batch's beginning to the last one's end in which a batch
    ran; what is missing the engine spent waiting for frames. None without batches."""
    if not batches:
        return None
    ends = [datetime.fromisoformat(batch["time"]).timestamp() for batch in batches]
    worked = [float(batch["wall_seconds"]) for batch in batches]
    return min(1.0, sum(worked) / (ends[-1] - ends[0] + worked[0]))


def _batches(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)
