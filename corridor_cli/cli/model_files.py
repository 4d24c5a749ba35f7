"""`vlmtl models list` and `vlmtl models pull`: the files of models on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from corridor_cli.cli.results import show
from corridor_cli.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corridor_cli.runners.models import ModelRow


def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """List the bundled model, those in the Hugging Face cache that take pictures, and the presets.

    Says of each how large it is, whether its files are whole, and which engine runs it. Nothing is fetched.
    """
    import json
    from dataclasses import asdict

    from corridor_cli.runners.models import list_known_models

    rows = list_known_models()
    if as_json:
        show(json.dumps({"models": [asdict(row) for row in rows]}, indent=2))
    else:
        show("\n".join(_lines(rows)))


def _lines(rows: Sequence[ModelRow]) -> list[str]:
    from corridor_cli.telemetry import format_bytes

    cells = [("model", "size", "files", "engine", "where")]
    for row in rows:
        size = "-" if row.size_bytes is None else format_bytes(row.size_bytes)
        files = "made up" if row.kind == "preset" else "BROKEN" if row.problem else "whole"
        cells.append((printable(row.model), size, files, row.engine or "-", _where(row)))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    remarks = [remark for row in rows for remark in _remarks(row)]
    return [line.rstrip() for line in lines] + ([""] if remarks else []) + remarks


def _where(row: ModelRow) -> str:
    if row.kind == "bundled":
        return "bundled"
    if row.kind == "preset":
        return "--load-format dummy --preset"
    return f"cache, {', '.join(map(printable, row.names)) or 'no name'} ({printable(row.revision or '')[:7]})"


def _remarks(row: ModelRow) -> list[str]:
    name = printable(row.model)
    if row.problem and row.kind == "cached":
        return [f"{name}: {printable(row.problem)}", f"  > vlmtl models pull {name}"]
    if row.problem:
        return [f"{name}: {printable(row.problem)}"]
    return [f"{name}: generic, for {printable(row.reason)}"] if row.reason else []


def pull(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Hugging Face id, OWNER/NAME.")],
    revision: Annotated[
        str | None, typer.Option(metavar="NAME", help="Branch, tag or commit of the model.")
    ] = None,
) -> None:
    """Fetch a model into the Hugging Face cache, where `vlmtl run --model MODEL` finds it.

    Only what a run reads is fetched: safetensors, JSON files, tokenizer and chat template; no code, no
    pickles. Interrupted, the same command goes on with the files that are not whole yet. Prints the folder on
    stdout, all else on stderr.
    """
    from corridor_cli.runners.models import pull_model
    from corridor_cli.telemetry import counted

    typer.echo(f"fetching what is missing of {printable(model)}", err=True)
    info, engine = pull_model(model, revision)
    files = counted(len(info.weight_files), "weight file")
    told = f"whole: {files}, {info.num_parameters:,} parameters, commit {info.revision}, engine {engine}"
    typer.echo(f"{printable(model)} is {told}", err=True)
    show(printable(info.path))
