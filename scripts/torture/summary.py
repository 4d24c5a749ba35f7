"""The counts of a torture, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from torture.batch import LOSSES, Ending
from torture.ledger import Ledger, Plan


def summary(plan: Plan, ledger: Ledger) -> Iterator[str]:
    """Line by line: how mutants ended, by codec and by kind of damage; losses; broken promises."""
    endings, seconds = ledger.endings, sum(ledger.seconds.values())
    yield f"{len(endings):,} of {plan.count:,} mutants, seed {plan.seed}, {seconds:.0f} s"
    yield ""
    yield from _table(endings)
    yield ""
    yield from _kinds(endings)
    yield ""
    lost = [ending for ending in endings if ending.error in LOSSES or ending.attempts > 1]
    yield f"cost a worker: {len(lost)}"
    for ending in lost:
        kinds = ", ".join(ending.kinds)
        yield f"  {ending.number} {ending.original} ({kinds}): {ending.status}, {ending.message}"
    slowest = max(endings, key=lambda ending: ending.wall_seconds, default=None)
    if slowest:
        yield f"slowest: {slowest.wall_seconds:.1f} s, mutant {slowest.number} of {slowest.original}"
    yield f"broken promises: {len(ledger.violations)}"
    for batch, name, what in ledger.violations:
        yield f"  batch {batch} {name}: {what}"


def _table(endings: Sequence[Ending]) -> Iterator[str]:
    columns = sorted({(ending.status, ending.error) for ending in endings})
    counts = Counter((ending.codec, ending.status, ending.error) for ending in endings)
    codecs = sorted({ending.codec for ending in endings})
    yield f"{'ending':<32}" + "".join(f"{codec:>8}" for codec in codecs) + f"{'all':>8}"
    for status, error in columns:
        row = [counts[codec, status, error] for codec in codecs]
        name = f"{status} {error}".strip()
        yield f"{name:<32}" + "".join(f"{n:>8}" for n in row) + f"{sum(row):>8}"


def _kinds(endings: Sequence[Ending]) -> Iterator[str]:
    """Of the mutants with one kind of damage alone: how they ended."""
    single = [ending for ending in endings if len(ending.kinds) == 1]
    counts = Counter((ending.kinds[0], ending.status) for ending in single)
    yield f"{'one kind of damage alone':<32}" + "".join(f"{s:>10}" for s in ("complete", "partial", "failed"))
    for kind in sorted({ending.kinds[0] for ending in single}):
        yield f"{kind:<32}" + "".join(f"{counts[kind, s]:>10}" for s in ("complete", "partial", "failed"))
