"""What a page says of a video besides its scenes: facts, what went wrong, and what made it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from corridor_cli.printable import printable
from corridor_cli.telemetry import counted, format_bytes, format_duration
from corridor_cli.timeline.exports.plain import one_line
from corridor_cli.timeline.parts import ErrorPart, Provenance, Reader, Run, Source
from corridor_cli.timeline.report.views import lines_of
from corridor_cli.timeline.schema import Timeline
from corridor_cli.timeline.timecode import timecode

Kind = Literal["error", "warning", "retry"]
Row = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was not as it should be, of a scene where one is to blame."""

    kind: Kind
    text: str
    scene_id: str | None = None

    @property
    def scene_number(self) -> int:
        """As people count, from 1."""
        return int(self.scene_id[1:]) if self.scene_id else 0


def problems_of(timeline: Timeline) -> list[Problem]:
    """Failures first, then warnings of reading and captioning, then what was tried again.

    What is said of several frames of a scene alike stands there once.
    """
    found = list(dict.fromkeys(map(_error, timeline.errors)))
    reader, run = timeline.source.reader, timeline.run
    if reader is not None:
        found += [Problem("warning", one_line(each)) for each in reader.warnings]
    found += [Problem("warning", one_line(each)) for each in run.degraded]
    if run.attempts > 1:
        found.append(Problem("retry", f"it took {run.attempts:,} media jobs, where one is enough"))
    if run.oom_retries:
        times = "once" if run.oom_retries == 1 else f"{run.oom_retries:,} times"
        found.append(Problem("retry", f"memory ran out {times}, and what ran then was run again"))
    return found


def problem_counts(problems: list[Problem]) -> str:
    """`2 errors, 1 warning`."""
    plural = {"error": "errors", "warning": "warnings", "retry": "retries"}
    counts = {kind: sum(each.kind == kind for each in problems) for kind in plural}
    return ", ".join(
        f"{count:,} {kind if count == 1 else plural[kind]}" for kind, count in counts.items() if count
    )


def source_facts(source: Source) -> list[str]:
    """What a glance should tell of the file."""
    facts = []
    if source.duration is not None:
        facts.append(timecode(Fraction(source.duration)))
    if source.width is not None and source.height is not None:
        facts.append(f"{source.width}×{source.height}")
    if source.fps is not None:
        facts.append(f"{source.fps:.5g} fps" + (", variable" if source.variable_frame_rate else ""))
    if source.frame_count is not None:
        facts.append(counted(source.frame_count, "frame"))
    codecs = [codec for codec in (source.video_codec, source.audio_codec) if codec]
    if codecs:
        facts.append(one_line(" and ".join(codecs)))
    if source.size_bytes is not None:
        facts.append(format_bytes(source.size_bytes))
    return facts or ["nothing is known of it"]


def provenance_rows(timeline: Timeline) -> list[list[Row]]:
    """What made the captions, what read the file, and how the run went: a list for each."""
    parts = [
        list(_made(timeline.provenance, timeline)),
        list(_read(timeline.source, timeline.source.reader)),
        list(_went(timeline.run)),
    ]
    return [[(label, value) for label, value in rows if value] for rows in parts]


def _error(error: ErrorPart) -> Problem:
    return Problem("error", one_line(f"{error.stage}: {error.message} ({error.type})"), error.scene_id)


def _made(made: Provenance, timeline: Timeline) -> Iterator[Row]:
    yield "made by", one_line(f"{made.tool} {made.version}")
    yield "at", one_line(timeline.run.created_at)
    if model := made.model:
        yield "model", one_line(model.id)
        yield "revision", one_line(model.revision or "")
        yield "precision", one_line(model.dtype + (f", {model.quantization}" if model.quantization else ""))
        yield "engine", one_line(model.engine)
        yield "prompt", lines_of(made.prompt.text)
        yield "prompt id", one_line(f"{made.prompt.id}, SHA-256 {made.prompt.sha256[:16]}…")
        if made.prompt.mode == "scene":
            yield "asked about", "scenes as a whole"
        if made.prompt.format == "json":
            yield "asked for", "JSON"
        yield "language", one_line(made.prompt.language or "")
        yield "token limit", f"{made.generation.max_new_tokens:,}"
    threshold = f", threshold {made.detector.threshold:g}" if made.detector.threshold is not None else ""
    yield "scenes found by", one_line(made.detector.name) + threshold
    yield "pictures saved", one_line(made.pictures)


def _read(source: Source, reader: Reader | None) -> Iterator[Row]:
    yield "video", printable(source.path)
    yield "fingerprint", one_line(source.fingerprint or "")
    if reader is None:
        return
    yield "read by", one_line(f"{reader.name}: {reader.reason}")
    yield "not by", lines_of("\n".join(reader.fallbacks))
    expected = f" of {reader.frames_expected:,} promised" if reader.frames_expected is not None else ""
    yield "frames decoded", f"{reader.frames_decoded:,}{expected}"


def _went(run: Run) -> Iterator[Row]:
    if run.wall_seconds is not None:
        yield "took", format_duration(run.wall_seconds)
    phases = (f"{name} {format_duration(seconds)}" for name, seconds in run.phases.items())
    yield "of which", one_line(", ".join(phases))
    yield "media jobs", f"{run.attempts:,}"
    if run.batches:
        size = f" of up to {run.batch_size:,}" if run.batch_size else ""
        yield "batches", f"{run.batches:,}{size}"
    if run.tokens.prompt or run.tokens.output:
        yield "tokens", f"{run.tokens.prompt:,} read, {run.tokens.output:,} written"
    if run.peak_memory_bytes is not None:
        yield "peak memory", format_bytes(run.peak_memory_bytes)
    for name, value in run.environment.items():
        yield one_line(name), one_line(value)
