"""What every run begins with: its inputs, and how many workers they are worth."""

from __future__ import annotations

from pathlib import Path

from corridor_cli.errors import NoInputsError
from corridor_cli.hardware import num_usable_cpus
from corridor_cli.media.discover import Discovery, discover
from corridor_cli.settings import Settings

_MAX_WORKERS = 16


def find_inputs(inputs: list[str], settings: Settings, output: Path | None) -> Discovery:
    """The videos of all inputs, `output` left out. Raises `NoInputsError` when there is nothing at all."""
    found = discover(inputs, settings.input, output)
    if not found.sources and not found.problems:
        raise NoInputsError(
            f"No video was found in {', '.join(inputs)}.",
            hint=f"Folders are searched for files ending in: {', '.join(settings.input.extensions)}.",
        )
    return found


def num_workers(settings: Settings, num_videos: int, *, num_spare_cpus: int) -> int:
    """As many as the cores allow beside `num_spare_cpus` for others, and no more than there are videos."""
    asked = settings.decode.workers
    num_wanted = min(max(1, num_usable_cpus() - num_spare_cpus), _MAX_WORKERS) if asked == "auto" else asked
    return max(1, min(num_wanted, num_videos))
