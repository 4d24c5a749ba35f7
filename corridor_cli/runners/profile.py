"""`run --profile`: where the time of a run went, as a trace for a browser and as one page to read.

`OUTPUT/.vlmtl/profile/trace.json` holds decoding and writing of the whole run, and some seconds of the engine
from inside: open it in ui.perfetto.dev or chrome://tracing. `summary.md` beside it adds up the whole run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corridor_cli.hosts.media_pool import Job, MediaPool, WorkerEvent
from corridor_cli.hosts.messages import JobLost
from corridor_cli.pipeline.writer import Writer
from corridor_cli.records import ScanEnd
from corridor_cli.telemetry import format_duration

ENGINE_TRACE = "engine.json"
_STAGES = ("decode", "tile", "vision", "prefill", "steps", "write")
_MAIN_PID = 1  # in the trace; torch numbers its own by the system's, which are larger


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of work: when it began (seconds since 1970), how long it took, and on which lane."""

    name: str
    start: float
    seconds: float
    lane: int
    detail: str = ""


class TimedPool(MediaPool):
    """A media pool that notes from when to when each video was in a worker's hands."""

    def __init__(self, spans: list[Span], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._spans = spans
        self._open: dict[int, tuple[float, str, int]] = {}

    def start(self, job: Job, num_waiting: int = 0) -> None:
        taken = {lane for _, _, lane in self._open.values()}
        lane = next(number for number in range(len(taken) + 1) if number not in taken)
        self._open[job.video] = (time.time(), Path(job.path).name, lane)
        super().start(job, num_waiting)

    def receive(self) -> Iterator[WorkerEvent]:
        for event in super().receive():
            self._note(event)
            yield event

    def kill_stuck(self) -> Iterator[JobLost]:
        for event in super().kill_stuck():
            self._note(event)
            yield event

    def _note(self, event: WorkerEvent) -> None:
        if isinstance(event, ScanEnd | JobLost) and event.video in self._open:
            start, name, lane = self._open.pop(event.video)
            self._spans.append(Span("decode", start, time.time() - start, lane, name))


class TimedWriter(Writer):
    """A writer that notes how long each of its tasks took."""

    def __init__(self, spans: list[Span]) -> None:
        super().__init__()
        self._spans = spans

    def submit(self, task: Callable[[], None]) -> None:
        def timed() -> None:
            start = time.time()
            task()
            self._spans.append(Span("write", start, time.time() - start, 0))

        super().submit(timed)


def write_profile(folder: Path, spans: Sequence[Span], batches: Path | None, wall_seconds: float) -> Path:
    """The trace and the summary in `folder`; the summary's path.

    Raises `OSError`, and `ValueError` where a file that was left for it is not whole.
    """
    engine = _read_trace(folder / ENGINE_TRACE)
    trace = merged(engine, spans)
    (folder / "trace.json").write_text(json.dumps(trace), encoding="utf-8")
    (folder / ENGINE_TRACE).unlink(missing_ok=True)
    lines = (
        batches.read_text(encoding="utf-8").splitlines() if batches is not None and batches.is_file() else []
    )
    summary = folder / "summary.md"
    told = summary_of(spans, [json.loads(line) for line in lines], wall_seconds, has_trace=bool(engine))
    summary.write_text(told, encoding="utf-8")
    return summary


def merged(engine: dict[str, Any], spans: Sequence[Span]) -> dict[str, Any]:
    """The engine's trace with main's spans on the same axis of time; times in a trace are microseconds."""
    base = float(engine.get("baseTimeNanoseconds", 0)) / 1000
    events = list(engine.get("traceEvents", []))
    origin = 0.0 if engine else min((span.start for span in spans), default=0.0) * 1e6
    lanes = {"decode": 0, "write": 1000}
    events += [
        {
            "ph": "X",
            "cat": "vlmtl",
            "name": f"vlmtl:{span.name}",
            "pid": _MAIN_PID,
            "tid": lanes[span.name] + span.lane,
            "ts": span.start * 1e6 - base - origin,
            "dur": span.seconds * 1e6,
            "args": {"file": span.detail} if span.detail else {},
        }
        for span in spans
    ]
    named = [("process_name", 0, "vlmtl: decoding and writing"), ("thread_name", 1000, "writer")]
    used = sorted({span.lane for span in spans if span.name == "decode"})
    named += [("thread_name", lane, f"media worker {lane + 1}") for lane in used]
    events += [
        {"ph": "M", "name": kind, "pid": _MAIN_PID, "tid": lane, "args": {"name": name}}
        for kind, lane, name in named
    ]
    return {**engine, "traceEvents": events}


def summary_of(
    spans: Sequence[Span], batches: Sequence[dict[str, Any]], wall_seconds: float, *, has_trace: bool
) -> str:
    """One page: seconds of each stage over the whole run, against the wall clock."""
    taken = dict.fromkeys(_STAGES, 0.0)
    for span in spans:
        taken[span.name] += span.seconds
    for batch in batches:
        for name, seconds in batch["pass_seconds"].items():
            taken[name] = taken.get(name, 0.0) + seconds
    captioning = sum(batch["wall_seconds"] for batch in batches)
    rows = [f"| {name} | {seconds:.2f} | {seconds / wall_seconds:.1%} |" for name, seconds in taken.items()]
    return "\n".join(
        [
            "# Where the time went",
            "",
            f"The run took {format_duration(wall_seconds)}. Stages run side by side, so shares add up to "
            "more than 100 % where the machine was well used. Decode counts each worker's time, waiting for "
            "the engine included.",
            "",
            "| stage | seconds | of the wall clock |",
            "|---|---|---|",
            *rows,
            "",
            f"The engine worked for {format_duration(captioning)} ({captioning / wall_seconds:.0%}) and else "
            "waited for frames, or was being loaded.",
            "",
            "`trace.json` opens in ui.perfetto.dev or chrome://tracing."
            if has_trace
            else "The engine did too few rounds to be looked into: `trace.json` has decoding and writing.",
            "",
        ]
    )


def _read_trace(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    trace: dict[str, Any] = json.loads(path.read_bytes())
    return trace
