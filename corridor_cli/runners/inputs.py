"""What every run begins with: its inputs."""

from __future__ import annotations

from pathlib import Path

from corridor_cli.errors import NoInputsError
from corridor_cli.media.discover import Discovery, discover
from corridor_cli.settings import Settings


def find_inputs(inputs: list[str], settings: Settings, output: Path | None) -> Discovery:
    """The videos of all inputs, `output` left out. Raises `NoInputsError` when there is nothing at all."""
    found = discover(inputs, settings.input, output)
    if not found.sources and not found.problems:
        raise NoInputsError(
            f"No video was found in {', '.join(inputs)}.",
            hint=f"Folders are searched for files ending in: {', '.join(settings.input.extensions)}.",
        )
    return found
