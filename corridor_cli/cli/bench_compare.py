"""`vlmtl bench compare`: what changed between two benchmarks, and whether that is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corridor_cli.cli.options import PlainUsage
from corridor_cli.cli.results import show
from corridor_cli.errors import CheckFailedError
from corridor_cli.printable import printable

if TYPE_CHECKING:
    from corridor_cli.bench.limits import Judgement


class CompareCommand(PlainUsage):
    """Shows its arguments as they are meant."""

    usage = "A.json B.json"


def compare(
    before: Annotated[Path, typer.Argument(metavar="A.json", hidden=True)],
    after: Annotated[Path, typer.Argument(metavar="B.json", hidden=True)],
    fail_if: Annotated[
        list[str] | None,
        typer.Option("--fail-if", metavar="LIMIT", help="End with 8 if a point breaks it; repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare two results of `vlmtl bench`: B against A, point by point.

    A change is told with its 95 % interval, and called one only where the interval leaves "no change" out. It
    needs three repeats in both files.

    LIMIT is METRIC<-PERCENT or METRIC>PERCENT, as "throughput<-5%" or "latency_p95>10%". METRIC is one of
    throughput, latency, latency_p95, ttft, tpot, memory and joules. A point breaks it when its change passes
    the limit and the interval leaves "no change" out; where there is no interval (fewer repeats, memory,
    joules) the change decides alone. A point that B could not measure any more breaks every limit.
    """
    import json

    from corridor_cli.bench.compare import compare as compare_documents
    from corridor_cli.bench.document import read_document
    from corridor_cli.bench.limits import judge, read_limit
    from corridor_cli.cli.bench_comparison import Side, comparison_as_text

    limits = [read_limit(text) for text in fail_if or []]
    documents = [read_document(path) for path in (before, after)]
    comparison = compare_documents(*documents)
    judgement = judge(comparison, limits)
    sides = [
        Side(str(path), document.created_at, document.command)
        for path, document in zip((before, after), documents, strict=True)
    ]
    if as_json:
        table = {"before": sides[0].as_json(), "after": sides[1].as_json(), **comparison.as_json()}
        show(json.dumps({**table, "limits": judgement.as_json() if limits else None}, indent=2))
    else:
        show(comparison_as_text(sides[0], sides[1], comparison, judgement))
    if judgement.broken:
        raise _failure(judgement)


def _failure(judgement: Judgement) -> CheckFailedError:
    lines = [f"{each.point}: {each.limit}: {each.what}" for each in judgement.broken]
    return CheckFailedError(
        printable(f"{len(lines)} of {sum(judgement.num_looked_at.values())} checks failed")
        + "".join(f"\n  {printable(line)}" for line in lines)
    )
