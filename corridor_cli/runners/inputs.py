"""What every run begins with: its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from corridor_cli.cuts.choose import CutFiles, VideoNames
from corridor_cli.engine.json_grammar import check_available
from corridor_cli.errors import ConfigError, NoInputsError
from corridor_cli.media.discover import Discovery, SourceFile, discover
from corridor_cli.settings import CaptionSettings, SceneSettings, Settings
from corridor_cli.telemetry import Reporter
from corridor_cli.timeline.layout import output_name
from corridor_cli.transcripts import TranscriptFiles


def find_inputs(inputs: list[str], settings: Settings, output: Path | None) -> Discovery:
    """The videos of all inputs, `output` left out. Raises `NoInputsError` when there is nothing at all."""
    found = discover(inputs, settings.input, output)
    if not found.sources and not found.problems:
        raise NoInputsError(
            f"No video was found in {', '.join(inputs)}.",
            hint=f"Folders are searched for files ending in: {', '.join(settings.input.extensions)}.",
        )
    return found


def check_captions(caption: CaptionSettings) -> None:
    """Raise `UsageError` where what the captions ask for is not installed: before anything is begun."""
    if caption.format == "json":
        check_available()


def find_transcripts(caption: CaptionSettings) -> TranscriptFiles | None:
    """Where what is said stands; None where nobody asked. Raises `ConfigError`."""
    return None if caption.transcripts is None else TranscriptFiles(caption.transcripts)


def find_cuts(sources: Sequence[SourceFile], scenes: SceneSettings, reporter: Reporter) -> CutFiles | None:
    """The cuts given for these sources; None unless the detector is `file`. Raises `ConfigError`."""
    if scenes.detector != "file":
        if scenes.cuts is not None:
            reporter.warn(
                f"scenes.cuts is given and not used: scenes.detector is {scenes.detector}, not file."
            )
        return None
    if scenes.cuts is None:
        raise ConfigError(
            "scenes.detector is file and scenes.cuts is not given, allowed: a file or folder of cuts",
            hint="For example --cuts cuts/, with what `vlmtl scenes --csv cuts/` wrote.",
        )
    names = [
        VideoNames(source.path, str(source.relative), output_name(str(source.relative))) for source in sources
    ]
    return CutFiles(Path(scenes.cuts), names)
