"""What a run says when it is over: for people, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from corridor_cli.printable import printable, shell_word
from corridor_cli.telemetry import RunOutcome, VideoOutcome, counted, format_duration

_MAX_LISTED = 20


def outcome_fields(outcome: RunOutcome) -> dict[str, Any]:
    """The outcome without its videos, as JSON values."""
    fields = asdict(outcome)
    del fields["videos"]
    return fields | {"exit_code": int(outcome.exit_code)}


def outcome_as_json(outcome: RunOutcome) -> str:
    """The whole outcome as JSON in ASCII; bytes of names that are not UTF-8 are lone surrogates."""
    document = {**outcome_fields(outcome), "videos": [asdict(video) for video in outcome.videos]}
    return json.dumps(document, indent=2, default=str)


def dry_run_lines(outcome: RunOutcome) -> list[str]:
    """A line for each input: what is there from earlier runs, what would be done, and its path."""
    rows = [(video.found, _plan_in_words(video), printable(video.path)) for video in outcome.videos]
    return [f"{found:<8} {plan:<24} {path}" for found, plan, path in (("FOUND", "PLAN", "INPUT"), *rows)]


def summary_lines(outcome: RunOutcome, arguments: Sequence[str], *, is_dry_run: bool) -> list[str]:
    """What was done, what failed and why, and the command that tries it again; `arguments` are the run's."""
    if is_dry_run:
        unreadable = f", {outcome.num_failed:,} cannot be read" if outcome.num_failed else ""
        plan = f"{outcome.num_pending:,} to do, {outcome.num_skipped:,} to skip{unreadable}"
        return [f"dry run: {plan}; nothing was done"]
    counts = {
        "complete": outcome.num_complete,
        "partial": outcome.num_partial,
        "failed": outcome.num_failed,
        "skipped": outcome.num_skipped,
        "not finished": outcome.num_pending,
    }
    videos = ", ".join(f"{count:,} {status}" for status, count in counts.items() if count) or "no videos"
    work = counted(outcome.num_scenes, "scene")
    if outcome.num_captions is not None:
        work += f", {counted(outcome.num_captions, 'caption')}"
    num_exported = sum(bool(video.exports) for video in outcome.videos)
    if num_exported:
        work += f", missing exports of {counted(num_exported, 'video')} written"
    lines = [f"{videos}; {work} in {format_duration(outcome.wall_seconds)}"]
    bad = [video for video in outcome.videos if video.status in ("partial", "failed")]
    lines += [f"  {video.status}: {_why(video)}" for video in bad[:_MAX_LISTED]]
    if len(bad) > _MAX_LISTED:
        lines.append(f"  and {len(bad) - _MAX_LISTED:,} more; --json lists all of them")
    if (
        any(video.found in ("partial", "failed") for video in outcome.videos if video.status == "skipped")
        or bad
    ):
        lines.append(f"to try them again: {retry_command(arguments)}")
    if outcome.num_pending:
        lines.append("to go on: give the same command again")
    return lines


def retry_command(arguments: Sequence[str]) -> str:
    """The command line that tries failed inputs again, ready to paste into a shell."""
    command, *rest = arguments
    kept = [word for word in rest if word not in ("--retry-failed", "--force")]
    # `vlmtl scenes` without OUTPUT remembers nothing: it tries everything again as it is.
    remembers = command != "scenes" or any(word.partition("=")[0] == "--output" for word in rest)
    flag = ["--retry-failed"] if remembers else []
    return " ".join(["vlmtl", shell_word(command), *flag, *map(shell_word, kept)])


def _why(video: VideoOutcome) -> str:
    """The file and the reason; most messages begin with the file already."""
    if video.error is None:
        return f"{video.relative}: some captions failed"
    message = video.error.message
    name = "" if message.startswith((video.path, video.relative)) else f"{video.relative}: "
    return f"{name}{message} ({video.error.type})"


def _plan_in_words(video: VideoOutcome) -> str:
    if video.status == "failed":
        return "cannot be read"
    if video.status == "pending":
        return "do" if video.found == "new" else "do again"
    if video.exports:
        return f"write {', '.join(video.exports)}"
    return "wait for --retry-failed" if video.found in ("partial", "failed") else "skip"
