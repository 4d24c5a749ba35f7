"""`vlmtl try`: from the command line to variants side by side."""

from __future__ import annotations

import os
import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corridor_cli.cli.options import (
    INPUT_FLAGS,
    MODEL_FLAGS,
    ConfigFile,
    Cuts,
    Device,
    Engine,
    Exclude,
    Include,
    Limit,
    LoadFormat,
    LogFormat,
    PlainUsage,
    Preset,
    Quiet,
    Set,
    Transcripts,
    flag_overrides,
    read_sets,
)
from corridor_cli.cli.results import show
from corridor_cli.errors import StorageError, UsageError
from corridor_cli.printable import printable, shortened

if TYPE_CHECKING:
    from corridor_cli.config import Override
    from corridor_cli.runners.tryout import Tryout
    from corridor_cli.runners.tryout_captions import Variant

_MODEL_FLAGS = {name: flag for name, flag in MODEL_FLAGS.items() if name != "model"}

# parameter of `try`: the flag and the setting it stands for
_FLAGS = {
    **_MODEL_FLAGS,
    **INPUT_FLAGS,
    "transcripts": ("--transcripts", "caption.transcripts"),
    "log_format": ("--log-format", "logging.format"),
}
# Those that may be given several times: every combination is a variant.
_VARIED = {
    "models": ("--model", "gpu_pipeline.internvl3.model"),
    "modes": ("--mode", "caption.mode"),
    "prompts": ("--prompt", "caption.prompt"),
}
_MAX_VARIANTS = 12
_LABEL_CHARACTERS = 48


class TryCommand(PlainUsage):
    """Shows its argument as it is meant."""

    usage = "INPUT..."


def try_captions(
    context: typer.Context,
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", hidden=True)],
    scenes: Annotated[int, typer.Option(metavar="N", help="Scenes to try.", min=1, max=200)] = 8,
    prompts: Annotated[
        list[str] | None,
        typer.Option("--prompt", metavar="TEXT|@NAME", help="What to ask; repeat it to compare."),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="MODEL", help="Hugging Face id, folder, or tiny; repeatable."),
    ] = None,
    modes: Annotated[
        list[str] | None,
        typer.Option("--mode", metavar="frames|scene", help="Each pick, or a scene's together; repeatable."),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Also write a page with the pictures.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Decides which scenes.", min=0)] = 0,
    config: ConfigFile = None,
    sets: Set = None,
    load_format: LoadFormat = None,
    preset: Preset = None,
    engine: Engine = None,
    device: Device = None,
    transcripts: Transcripts = None,
    cuts: Cuts = None,
    include: Include = None,
    exclude: Exclude = None,
    limit: Limit = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the page if it is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
    quiet: Quiet = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tell more.")] = False,
    log_format: LogFormat = None,
) -> None:
    """Caption a few scenes chosen at random, and show what each prompt or model makes of them.

    Nothing is written but the page. Give --prompt, --model or --mode several times: every combination is
    tried on the same scenes, with its seconds a scene.
    """
    if page is not None:
        _check_page(page, force=force)
    overrides = [*read_sets(sets or []), *flag_overrides(context.params, _FLAGS)]
    variants = _variants(config, overrides, models or [], modes or [], prompts or [])
    found = _tried(inputs, variants, scenes, seed)
    if page is not None:
        _write_page(page, found)
    from corridor_cli.cli.tryout_lines import tryout_as_json, tryout_lines

    show(tryout_as_json(found) if as_json else tryout_lines(found))


def _tried(inputs: list[str], variants: list[Variant], num_scenes: int, seed: int) -> Tryout:
    from corridor_cli.cli.reporting import open_reporter
    from corridor_cli.runners.tryout import run_tryout

    with open_reporter(variants[0].settings.logging, sys.stderr) as reporter:
        return run_tryout(inputs, variants, num_scenes, seed, reporter)


def _write_page(page: Path, found: Tryout) -> None:
    from corridor_cli.cli.tryout_page import tryout_html

    try:
        page.write_bytes(tryout_html(found))
    except OSError as error:
        raise StorageError(f"{printable(page)} cannot be written: {error.strerror}.") from error


def _variants(
    config: Path | None,
    overrides: list[Override],
    models: list[str],
    modes: list[str],
    prompts: list[str],
) -> list[Variant]:
    """Every combination of what was given, each with its whole settings. Raises `ConfigError`."""
    from corridor_cli.config import Override, load_settings
    from corridor_cli.runners.tryout_captions import Variant

    given = {"models": models, "modes": modes, "prompts": prompts}
    choices: list[list[Override | None]] = [
        [*(Override(_VARIED[name][1], value, _VARIED[name][0]) for value in dict.fromkeys(values))] or [None]
        for name, values in given.items()
    ]
    found: list[Variant] = []
    for combination in product(*choices):
        own = [override for override in combination if override is not None]
        settings = load_settings(config, [*overrides, *own], os.environ).settings
        told = [
            shortened(str(override.value), _LABEL_CHARACTERS)
            for override, options in zip(combination, choices, strict=True)
            if override is not None and len(options) > 1
        ]
        found.append(Variant(", ".join(map(printable, told)) or "as set", settings))
    if len(found) > _MAX_VARIANTS:
        raise UsageError(
            f"got {len(found)} combinations of --model, --mode and --prompt, allowed: {_MAX_VARIANTS}",
            hint="Try fewer at a time.",
        )
    return found


def _check_page(page: Path, *, force: bool) -> None:
    """Before the work, not after it."""
    if page.is_dir() or not page.parent.is_dir():
        raise UsageError(
            f"--page is {printable(page)}, allowed: a file in a folder that is there",
            hint="For example --page try.html.",
        )
    if page.exists() and not force:
        raise UsageError(f"{printable(page)} is there already", hint="--force replaces it.")
