"""`vlmtl probe`: what would be decoded of a file, and why so."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corridor_cli.cli.options import ConfigFile, PlainUsage, Set, read_sets
from corridor_cli.cli.results import reason_of, show
from corridor_cli.printable import printable

if TYPE_CHECKING:
    from corridor_cli.pipeline.probes import Limit, ProbeReport
    from corridor_cli.records import ReaderChoice, VideoInfo

_LABEL_WIDTH = 12
# Facts that have a line of their own below; any other is told by its name.
_TOLD = {
    "container", "video_codec", "pixel_format", "width_px", "height_px", "rotation_degrees", "is_mirrored",
    "sample_aspect_ratio", "frame_rate", "duration_seconds_from_header", "num_frames_from_header",
    "audio_codec", "stream_index", "num_video_streams", "warnings",
}  # fmt: skip


class ProbeCommand(PlainUsage):
    """Shows its argument as it is meant."""

    usage = "FILE..."


def probe(
    inputs: Annotated[list[str], typer.Argument(metavar="FILE...", hidden=True)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
    config: ConfigFile = None,
    sets: Set = None,
) -> None:
    """Tell what would be decoded of each file, by which reader and why, without scanning it.

    FILE may be a folder (with all below it) or a pattern too. Files are opened in a process of their own: one
    that hangs or crashes the decoder is reported as failed.
    """
    import json
    from dataclasses import replace

    from corridor_cli.cli.reporting import open_reporter
    from corridor_cli.config import load_settings
    from corridor_cli.pipeline.probes import report_as_json
    from corridor_cli.runners.probe import run_probe

    settings = load_settings(config, read_sets(sets or []), os.environ).settings
    reports: list[ProbeReport] = []
    # What is good is told on stdout: only troubles are worth a line on stderr.
    with open_reporter(replace(settings.logging, level="warning"), sys.stderr) as reporter:
        outcome = run_probe(inputs, settings, reporter, reports.append)
    if as_json:
        show(json.dumps({"videos": [report_as_json(report) for report in reports]}, indent=2))
    else:
        is_terminal = sys.stdout is not None and sys.stdout.isatty()
        width = shutil.get_terminal_size().columns if is_terminal else None
        show("\n\n".join("\n".join(report_lines(report, width)) for report in reports))
    raise typer.Exit(outcome.exit_code)


def report_lines(report: ProbeReport, width: int | None) -> Iterator[str]:
    """The report for people: the name, then a line a fact, broken at `width` columns (None: never)."""
    if report.probed is None:
        why = f"failed: {reason_of(report.error, report.relative)}" if report.error else "not finished"
        yield f"{printable(report.relative)}: {why}"
        return
    yield printable(report.relative)
    for label, text in _facts(report):
        line = f"  {label:<{_LABEL_WIDTH}}{printable(text)}"
        indent = " " * (_LABEL_WIDTH + 2)
        yield from textwrap.wrap(line, width, subsequent_indent=indent) if width else [line]


def _facts(report: ProbeReport) -> Iterator[tuple[str, str]]:
    from corridor_cli.telemetry import format_bytes

    assert report.probed is not None, "a file that was not opened has no facts"
    info, probed = report.probed.info, report.probed
    size = f", {format_bytes(report.size_bytes)}" if report.size_bytes is not None else ""
    yield "container", f"{info.container}{size}"
    yield from _video_facts(info)
    for number, stream in enumerate(probed.streams):
        is_read = " (this one is read)" if stream.index == info.stream_index else ""
        facts = ", ".join([stream.codec or "no decoder known", *stream.details])
        yield "streams" if number == 0 else "", f"{stream.index} {stream.kind}: {facts}{is_read}"
    for field in fields(info):
        value = getattr(info, field.name)
        if field.name not in _TOLD and value not in (None, False, ()):
            yield "fact", f"{field.name.replace('_', ' ')}: {_shown(value)}"
    yield from _reader_facts("scan by", probed.scan_reader)
    yield from _reader_facts("picks by", probed.picks_reader)
    for limit in report.limits:
        yield "limit", _limit_in_words(limit)
    for warning in info.warnings:
        yield "warning", warning


def _video_facts(info: VideoInfo) -> Iterator[tuple[str, str]]:
    pixels = info.pixel_format or "pixel format unknown"
    turn = f"turned by {info.rotation_degrees}°" if info.rotation_degrees else "not turned"
    mirror = ", mirrored" if info.is_mirrored else ""
    yield "video", f"{info.video_codec}, {pixels}, {info.width_px}×{info.height_px}, {turn}{mirror}"
    if info.sample_aspect_ratio not in (None, 1):
        yield "pixel shape", f"{_shown(info.sample_aspect_ratio)}, width to height"
    rate = f"{float(info.frame_rate):.6g} fps" if info.frame_rate else "not stated"
    yield "frame rate", f"{rate}; whether it varies is known after a scan"
    seconds = info.duration_seconds_from_header
    yield "duration", f"{float(seconds):.3f} s, says the header" if seconds is not None else "not stated"
    count = info.num_frames_from_header
    yield "frames", f"{count:,}, says the header" if count is not None else "not stated"
    yield "audio", info.audio_codec or "none"


def _reader_facts(label: str, choice: ReaderChoice) -> Iterator[tuple[str, str]]:
    yield label, f"{choice.name}: {choice.reason}"
    if choice.name != "pyav":
        yield "", "by pyav where its packets' times are out of order, which shows once all are read"
    for fallback in choice.fallbacks:
        yield "", f"not by {fallback}"


def _limit_in_words(limit: Limit) -> str:
    if limit.found is None:
        return f"{limit.setting} {limit.allowed:,}: known only while it is decoded"
    verdict = "EXCEEDED, a run would stop here" if limit.is_exceeded else "kept"
    return f"{limit.setting} {limit.allowed:,}: {limit.found:,}, {verdict}"


def _shown(value: Any) -> str:
    if isinstance(value, Fraction):
        return f"{value.numerator}:{value.denominator}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_shown, value))
    return "yes" if value is True else str(value)
