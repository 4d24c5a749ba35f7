"""`vlmtl transcribe`: from the command line to files of what is said."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corridor_cli.cli.options import (
    INPUT_FLAGS,
    ConfigFile,
    Exclude,
    Include,
    Limit,
    LogFormat,
    PlainUsage,
    Quiet,
    Set,
    flag_overrides,
    read_sets,
)
from corridor_cli.cli.results import reason_of, show
from corridor_cli.errors import UsageError
from corridor_cli.printable import encodable, printable

if TYPE_CHECKING:
    from corridor_cli.runners.transcribe import TranscribedVideo

_FLAGS = {**INPUT_FLAGS, "log_format": ("--log-format", "logging.format")}


class TranscribeCommand(PlainUsage):
    """Shows its arguments as they are meant."""

    usage = "INPUT... FOLDER"


def transcribe(
    context: typer.Context,
    paths: Annotated[list[str], typer.Argument(metavar="INPUT... FOLDER", hidden=True)],
    model: Annotated[
        str, typer.Option(metavar="SIZE|FOLDER", help="faster-whisper's model, as small or large-v3.")
    ] = "small",
    language: Annotated[
        str | None, typer.Option(metavar="CODE", help="What is spoken, as en; else it is found out.")
    ] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to listen.")] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Write down again what is there.")] = False,
    config: ConfigFile = None,
    sets: Set = None,
    include: Include = None,
    exclude: Exclude = None,
    limit: Limit = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
    quiet: Quiet = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tell more.")] = False,
    log_format: LogFormat = None,
) -> None:
    """Write down what is said in each video, by faster-whisper, for `vlmtl run --transcripts FOLDER`.

    FOLDER gets an .srt for each video; one that is there is kept, so a run that was stopped goes on.
    """
    from corridor_cli.cli.reporting import open_reporter
    from corridor_cli.config import load_settings
    from corridor_cli.hosts.messages import ListenerSetup
    from corridor_cli.runners.transcribe import TranscribeRequest, run_transcribe, summary_line

    if len(paths) < 2:
        raise UsageError(
            f"got one path ({printable(paths[0])}), allowed: one INPUT or more, and then FOLDER",
            hint="The last path is the folder to write to: vlmtl transcribe videos/ said/",
        )
    *inputs, folder = paths
    if Path(folder).is_file():
        raise UsageError(f"FOLDER is {printable(folder)}, which is a file", hint="Name a folder, new or not.")
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"flag --device: got '{printable(device)}', allowed: auto, cpu or cuda")
    overrides = [*read_sets(sets or []), *flag_overrides(context.params, _FLAGS)]
    settings = load_settings(config, overrides, os.environ).settings
    request = TranscribeRequest(Path(folder), ListenerSetup(model, device, language), force)
    videos: list[TranscribedVideo] = []
    with open_reporter(settings.logging, sys.stderr) as reporter:

        def heard(video: TranscribedVideo) -> None:
            videos.append(video)
            if video.error is not None:
                reporter.warn(f"{printable(video.relative)}: {reason_of(video.error, video.relative)}")
            elif not video.is_kept:
                reporter.note(f"{printable(video.relative)}: {_told(video)}")

        code = run_transcribe(inputs, request, settings, reporter, heard)
        reporter.note(summary_line(videos))
    if as_json:
        show(json.dumps({"videos": [_as_json(video) for video in videos]}, indent=2))
    raise typer.Exit(code)


def _told(video: TranscribedVideo) -> str:
    from corridor_cli.telemetry import counted

    if not video.num_lines:
        return "nothing is said"
    return counted(video.num_lines, "line") + (f", {video.language}" if video.language else "")


def _as_json(video: TranscribedVideo) -> dict[str, object]:
    error = video.error
    return {
        "video": encodable(video.relative),
        "transcript": encodable(str(video.path)) if video.path else None,
        "lines": None if video.is_kept or error else video.num_lines,
        "language": video.language,
        "kept": video.is_kept,
        "error": {"type": video.error.type, "message": encodable(video.error.message)}
        if video.error
        else None,
    }
