"""What to set, from what was measured; and what `run --batch-size auto` begins with from then on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from corridor_cli.bench.document import Choice, PointResult, Verdict
from corridor_cli.bench.points import Point
from corridor_cli.hardware import BEST_BATCH, keep_measurement

NEAR_BEST = 0.97


def judge(results: Sequence[PointResult], centre: Point, max_latency_ms: float | None) -> Verdict:
    """The verdict over the batch sizes that were measured with the centre's requests."""
    rows = [row for row in results if _is_of_centre(row, centre) and row.frames_per_second is not None]
    fine = sorted((row for row in rows if row.status == "measured"), key=_used)
    notes = [
        f"{row.batch_size} together: {row.error}"
        for row in results
        if _is_of_centre(row, centre) and row.status != "measured"
    ]
    if any(row.is_noisy for row in fine):
        notes.append("some repeats lie far apart: other work, or a machine that changes its pace")
    if not fine:
        return Verdict(recommended=None, max_latency_ms=max_latency_ms, notes=notes)
    best = max(row.frames_per_second or 0.0 for row in fine)
    chosen = next(row for row in fine if (row.frames_per_second or 0.0) >= NEAR_BEST * best)
    why = f"the smallest within 3 % of the best, {best:.3g} frames/s"
    return Verdict(
        recommended=_choice(chosen, why),
        within_latency=_within(fine, max_latency_ms),
        max_latency_ms=max_latency_ms,
        largest_fitting=_choice(fine[-1], "the largest that ran without a lack of memory"),
        notes=notes,
    )


def keep_profile(verdict: Verdict, rows: Sequence[PointResult], centre: Point, measurement_key: str) -> None:
    """Let `batch_size: auto` begin with the recommended one, for this machine, model and precision.

    Not where fewer than two batch sizes were compared, or a repeat was far off: chance would be kept then.
    """
    compared = [row for row in rows if _is_of_centre(row, centre) and row.status == "measured"]
    is_sure = len({_used(row) for row in compared}) > 1 and not any(row.is_noisy for row in compared)
    choice = verdict.recommended
    if choice is not None and is_sure:
        table = {
            "batch_size": choice.batch_size,
            "frames_per_second": choice.frames_per_second,
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        keep_measurement(BEST_BATCH, measurement_key, table)


def _within(rows: Sequence[PointResult], max_latency_ms: float | None) -> Choice | None:
    if max_latency_ms is None:
        return None
    keeping = [row for row in rows if row.latency_ms is not None and row.latency_ms.p95 <= max_latency_ms]
    if not keeping:
        return None
    best = max(keeping, key=lambda row: row.frames_per_second or 0.0)
    return _choice(best, f"the fastest whose p95 latency stays within {max_latency_ms:g} ms")


def _choice(row: PointResult, reason: str) -> Choice:
    return Choice(
        batch_size=_used(row),
        reason=reason,
        frames_per_second=row.frames_per_second,
        latency_p95_ms=row.latency_ms.p95 if row.latency_ms else None,
    )


def _used(row: PointResult) -> int:
    """`auto` is the number it came to."""
    size = row.batch_size_used if row.batch_size_used is not None else row.batch_size
    return size if isinstance(size, int) else 1


def _is_of_centre(row: PointResult, centre: Point) -> bool:
    asked = (row.contestant, row.frames, row.tiles, row.output_tokens)
    return asked == ("engine", centre.frames, centre.tiles, centre.output_tokens)
