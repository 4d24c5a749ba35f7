"""Seeded damage to files of eight codecs, and the real command run over them: nothing may break but the file.

    scripts/torture.sh media [--count 10000] [--seed 1] [--codecs h264,vp9] [--jobs 2] [--resume]
    scripts/torture.sh media --seed 1 --only 4711        one mutant again: where it lies, and how it ends

For each mutant there must be exactly one record, a timeline or a failure of a known kind, that
`vlmtl validate` finds good and that agrees with its scan record; `vlmtl` must not crash, hang, or leave a
process behind. A decoder that dies of a mutant costs that one video, and is counted. Goes on after a stop
with --resume. Exit code 8 when a promise was broken.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from torture.batch import run_batch
from torture.ledger import Ledger, LedgerError, Plan
from torture.mutate import Mutant, mutant_of
from torture.originals import CODECS, Original, draw_originals
from torture.summary import summary

CHECK_FAILED = 8
WRONG_USAGE = 2


def read_arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="torture.sh media", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000, help="mutants in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--codecs", default=",".join(CODECS), help=f"some of {','.join(CODECS)}")
    parser.add_argument("--jobs", type=int, default=2, help="media workers of a run")
    parser.add_argument("--batch", type=int, default=500, help="mutants a run")
    parser.add_argument(
        "--work", type=Path, default=None, help="folder for it all; default in the temporary one"
    )
    parser.add_argument("--resume", action="store_true", help="go on with what is in the folder")
    parser.add_argument("--only", type=int, default=None, help="this mutant alone, kept for a look")
    arguments = parser.parse_args(words)
    arguments.codecs = tuple(arguments.codecs.split(","))
    if unknown := set(arguments.codecs) - set(CODECS):
        parser.error(f"unknown codecs {', '.join(sorted(unknown))}; known: {', '.join(CODECS)}")
    if min(arguments.count, arguments.jobs, arguments.batch) < 1:
        parser.error("--count, --jobs and --batch are at least 1")
    if arguments.work is None:
        arguments.work = Path(tempfile.gettempdir()) / f"vlmtl-torture-{arguments.seed}"
    return arguments


def main(words: Sequence[str]) -> int:
    arguments = read_arguments(words)
    work: Path = arguments.work
    originals = draw_originals(work / "originals", arguments.codecs)
    if arguments.only is not None:
        return run_one(mutant_of(arguments.only, arguments.seed, originals), work / f"only-{arguments.only}")
    digest = hashlib.sha256(b"".join(original.data for original in originals)).hexdigest()
    plan = Plan(arguments.count, arguments.seed, arguments.batch, arguments.codecs, digest)
    try:
        ledger = Ledger(work / "ledger.jsonl", plan, resume=arguments.resume)
    except LedgerError as error:
        print(f"torture: {error}", file=sys.stderr)
        return WRONG_USAGE
    torture(plan, ledger, originals, work, arguments.jobs)
    print("\n".join(summary(plan, ledger)))
    return CHECK_FAILED if ledger.violations else 0


def torture(plan: Plan, ledger: Ledger, originals: Sequence[Original], work: Path, jobs: int) -> None:
    """Run the batches that are not in the ledger; files of a batch with a broken promise are kept."""
    for batch, numbers in enumerate(plan.numbers()):
        if batch in ledger.results:
            continue
        folder = work / f"batch-{batch:04d}"
        shutil.rmtree(folder, ignore_errors=True)
        started = time.monotonic()
        result = run_batch([mutant_of(n, plan.seed, originals) for n in numbers], folder, jobs)
        seconds = time.monotonic() - started
        ledger.add(batch, result, round(seconds, 2))
        if not result.violations:
            shutil.rmtree(folder)
        told = f"{len(numbers) / seconds:.0f} files/s, {len(result.violations)} broken promises"
        print(f"batch {batch}: {len(result.endings)} endings, {told}", file=sys.stderr, flush=True)


def run_one(mutant: Mutant, folder: Path) -> int:
    """Make one mutant again, run it alone, and say where everything lies."""
    shutil.rmtree(folder, ignore_errors=True)
    result = run_batch([mutant], folder, 1)
    print(f"{folder / 'in' / mutant.name} ({', '.join(mutant.kinds)})")
    for ending in result.endings:
        print(f"{ending.status} {ending.error} {ending.message}".strip())
    for name, what in result.violations:
        print(f"broken promise {name}: {what}")
    return CHECK_FAILED if result.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
