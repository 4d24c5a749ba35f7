"""`vlmtl models`: which there are, how one is fetched, and whether it may be trusted with work."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from corridor_cli.cli.model_files import list_models, pull
from corridor_cli.cli.options import ask_for_command
from corridor_cli.cli.results import show
from corridor_cli.errors import CheckFailedError, UsageError
from corridor_cli.printable import printable
from corridor_cli.settings import Precision

if TYPE_CHECKING:
    from corridor_cli.engine.verify import FrameComparison
    from corridor_cli.runners.verify import VerifyReport

app = typer.Typer(help="List, fetch and check models.", rich_markup_mode=None)
app.callback(invoke_without_command=True)(ask_for_command)
app.command("list", short_help="List the models on this machine.")(list_models)
app.command("pull", short_help="Fetch a model from the Hugging Face hub.")(pull)

_PRECISIONS = get_args(Precision)
_WIDTH = 80


@app.command("verify", short_help="Compare our engine with transformers on a model.")
def verify(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Hugging Face id, local folder, or tiny (bundled).")
    ],
    frames: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Show the pictures of this folder; else drawn ones."),
    ] = None,
    revision: Annotated[
        str | None, typer.Option(metavar="NAME", help="Branch, tag or commit of the model.")
    ] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda[:N]", help="Where both run.")] = "auto",
    precision: Annotated[
        str,
        typer.Option(
            metavar="auto|bf16|fp16|fp32|int8", help="Arithmetic; int8 is held against bf16 or fp32."
        ),
    ] = "auto",
    count: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="How many pictures.")] = 8,
    max_new_tokens: Annotated[
        int, typer.Option(metavar="N", min=1, max=4096, help="Length of each caption.")
    ] = 32,
    max_tiles: Annotated[
        int, typer.Option(metavar="N", min=1, max=40, help="Tiles a picture is cut into.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare our engine with transformers on a model: first-step logits, and captions side by side.

    In fp32 all must be the same. In 16 bits a token may differ where transformers itself nearly chose it.
    Exit code 0 says that the engine may be trusted with this model here, 8 that it may not.
    """
    if precision not in _PRECISIONS:
        raise UsageError(
            f"--precision is {printable(precision)}, allowed: {', '.join(_PRECISIONS)}",
            hint="auto takes what a run on this machine would.",
        )
    import json

    from corridor_cli.runners.verify import VerifyOptions, report_as_table, verify_model

    chosen = cast(Precision, precision)
    options = VerifyOptions(model, revision, device, chosen, frames, count, max_new_tokens, max_tiles)
    report = verify_model(options)
    if as_json:
        show(json.dumps(report_as_table(report), indent=2))
    else:
        show("\n".join(report_lines(report)))
    if not report.verdict.is_trusted:
        wrong = sum(not frame.is_fine for frame in report.verdict.frames)
        raise CheckFailedError(
            f"{printable(model)}: our engine differs from transformers on {wrong} of "
            f"{len(report.verdict.frames)} pictures",
            hint="Use `--engine generic`, which runs the model by transformers, and please report this.",
        )


def report_lines(report: VerifyReport) -> list[str]:
    """The table, at most 80 columns wide."""
    verdict = report.verdict
    num_frames = len(verdict.frames)
    head = f"{'picture':<24} {'max diff':>9} {'relative':>9}  {'1st token':<9}  {'caption':<16} "
    lines = [line for reason in report.reasons for line in _wrapped(reason)] + ["", head.rstrip()]
    for frame in verdict.frames:
        first = "same" if frame.is_same_first_token else "differs"
        lines.append(
            f"{printable(frame.name)[:24]:<24} {frame.max_difference:>9.2g} "
            f"{frame.relative_difference:>9.2g}  {first:<9}  {_caption_column(frame)}"
        )
    for frame in verdict.frames:
        is_same = frame.first_difference is None
        lines += ["", *_wrapped(frame.name), *_wrapped(f"  transformers: {frame.reference_text}")]
        lines += _wrapped("  ours:         the same" if is_same else f"  ours:         {frame.own_text}")
    return [
        *lines,
        "",
        f"first tokens the same {verdict.num_same_first_tokens}/{num_frames}, captions the same "
        f"{verdict.num_same_captions}/{num_frames}, {verdict.dtype}",
        f"allowed: relative difference {verdict.max_relative_difference:g}, near tie "
        f"{verdict.near_tie:g} deviations of the logits",
        f"trusted: {'yes' if verdict.is_trusted else 'no'}",
    ]


def _wrapped(text: str) -> list[str]:
    """The text on lines of the terminal's usual width, later ones under the beginning of the first."""
    indent = " " * 16 if text.startswith("  ") else ""
    return textwrap.wrap(printable(text), _WIDTH, subsequent_indent=indent)


def _caption_column(frame: FrameComparison) -> str:
    if frame.first_difference is None:
        return "same" if frame.is_fine else "same, NOT FINE"
    gap = "" if frame.gap is None else f", gap {frame.gap:.2f}"
    return f"from {frame.first_difference}{gap}{'' if frame.is_fine else ' NOT FINE'}"
