"""What became of a run: one outcome an input, and the exit code that says so."""

from __future__ import annotations

from collections.abc import Sequence

from corridor_cli.errors import ExitCode
from corridor_cli.media.discover import InputProblem
from corridor_cli.pipeline.plan import UnreadableSource
from corridor_cli.pipeline.tally import Tally
from corridor_cli.telemetry import RunOutcome, VideoOutcome


def problem_outcome(problem: InputProblem) -> VideoOutcome:
    """Of an input that cannot be taken."""
    return VideoOutcome(problem.path, problem.path, "failed", error=problem.error)


def unreadable_outcome(plan: UnreadableSource) -> VideoOutcome:
    """Of a source that cannot even be read for its fingerprint."""
    source = plan.source
    return VideoOutcome(str(source.path), str(source.relative), "failed", error=plan.error)


def total(
    outcomes: Sequence[VideoOutcome], tally: Tally, code: ExitCode | None, wall_seconds: float
) -> RunOutcome:
    """The sum of it; the exit code follows from the outcomes unless it is given."""

    def count(status: str) -> int:
        return sum(outcome.status == status for outcome in outcomes)

    return RunOutcome(
        exit_code=exit_code(outcomes) if code is None else code,
        num_complete=count("complete"),
        num_partial=count("partial"),
        num_failed=count("failed"),
        num_skipped=count("skipped"),
        num_pending=count("pending"),
        num_scenes=tally.num_scenes,
        num_captions=tally.num_captions if tally.is_captioning else None,
        wall_seconds=wall_seconds,
        videos=tuple(outcomes),
    )


def exit_code(outcomes: Sequence[VideoOutcome]) -> ExitCode:
    """0 when all is done, 4 when every input failed, 3 when some failed or are partial, now or before."""
    now = [outcome.found if outcome.status == "skipped" else outcome.status for outcome in outcomes]
    if all(state == "failed" for state in now):
        return ExitCode.NO_INPUTS
    return ExitCode.PARTIAL if "failed" in now or "partial" in now else ExitCode.OK
