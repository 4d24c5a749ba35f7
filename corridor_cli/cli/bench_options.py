"""The options of `vlmtl bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[INPUT]...", hidden=True, help="Videos to take frames from; else frames are drawn."
    ),
]
BatchSizes = Annotated[
    str, typer.Option(metavar="LIST", help="Requests that run together; auto is what run would take.")
]
Frames = Annotated[str, typer.Option(metavar="LIST", help="Frames in each request.")]
Tiles = Annotated[str, typer.Option(metavar="LIST", help="Tiles of a frame: 1, 3 or 9.")]
OutputTokens = Annotated[str, typer.Option(metavar="LIST", help="Most new tokens of a caption.")]
FullGrid = Annotated[
    bool, typer.Option("--full-grid", help="Cross all lists; else one at a time around the first values.")
]
NoLoop = Annotated[bool, typer.Option("--no-loop", help="Leave out transformers' own one-by-one loop.")]
Repeats = Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="Repeats of each point.")]
Warmup = Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="Batches before the first repeat.")]
Seconds = Annotated[
    float,
    typer.Option(metavar="S", min=0, max=86_400, help="A repeat has enough batches to take about so long."),
]
Duration = Annotated[
    str | None, typer.Option(metavar="TIME", help="Then run the best for so long (30m): heat shows.")
]
MaxLatencyMs = Annotated[
    float | None,
    typer.Option(metavar="MS", min=0, max=1e9, help="Also name the best within this p95 latency."),
]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for the results; else ./bench-<time>.")]
Resume = Annotated[bool, typer.Option("--resume", help="Keep the points in --out, measure the rest.")]
Seed = Annotated[int, typer.Option(metavar="N", help="Decides the order of the points.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the points, measure nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print bench.json on stdout.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Tell more.")]
