"""What each input needs: nothing, or work, told from its keys and what earlier runs left of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from corridor_cli.cuts.choose import CutFiles
from corridor_cli.errors import CutFileError, MediaError
from corridor_cli.media.discover import SourceFile
from corridor_cli.media.fingerprint import fingerprint
from corridor_cli.printable import printable
from corridor_cli.records import CutSource, ErrorInfo
from corridor_cli.settings import Settings
from corridor_cli.telemetry import RunOptions, VideoState
from corridor_cli.timeline.done import existing
from corridor_cli.timeline.exports.beside import missing_beside
from corridor_cli.timeline.exports.registry import Format
from corridor_cli.timeline.keys import caption_key, scan_key
from corridor_cli.timeline.layout import OutputLayout, output_name
from corridor_cli.transcripts import TranscriptFiles, TranscriptSource


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What main must know of the model before it is loaded: for the keys, and for the size of pictures."""

    identity: str
    precision: str
    tile_px: int
    cuts_tiles: bool


@dataclass(frozen=True, slots=True)
class VideoPlan:
    """An input with its keys and what earlier runs left of it. Without `caption_key` nothing is captioned,
    else each pick by itself, or all of a scene together (`is_by_scene`).

    `exports` are missing beside a timeline that needs no other work. `transcript` is where it stands what is
    said in it.
    """

    source: SourceFile
    fingerprint: str
    scan_key: str
    caption_key: str | None = None
    found: VideoState = "new"
    needs_work: bool = True
    cuts: CutSource | None = None
    exports: tuple[Format, ...] = ()
    is_by_scene: bool = False
    transcript: TranscriptSource | None = None

    @property
    def relative(self) -> str:
        return str(self.source.relative)


@dataclass(frozen=True, slots=True)
class UnreadableSource:
    """An input that cannot even be read for its fingerprint, or has no cuts where they are to be given."""

    source: SourceFile
    error: ErrorInfo


def plan_videos(
    sources: Sequence[SourceFile],
    layout: OutputLayout,
    settings: Settings,
    model: ModelIdentity,
    options: RunOptions,
    cuts: CutFiles | None = None,
    exports: Sequence[Format] = (),
    transcripts: TranscriptFiles | None = None,
) -> Iterator[VideoPlan | UnreadableSource]:
    """Look at each source in turn. `exports` are to lie beside each timeline. Raises `StorageError` when
    OUTPUT cannot be read."""
    for plan in plan_scans(sources, settings, cuts):
        if isinstance(plan, UnreadableSource):
            yield plan
            continue
        scan = plan.scan_key
        try:
            said = transcripts.of(plan.source.path, plan.relative) if transcripts is not None else None
        except MediaError as error:
            yield UnreadableSource(plan.source, _problem(error, "transcript", plan.source))
            continue
        mark = said.mark if said else None
        captions = caption_key(
            scan,
            settings,
            model_identity=model.identity,
            precision=model.precision,
            name=plan.source.path.name,
            transcript=mark,
        )
        found = existing(
            layout, plan.relative, settings, scan_key=scan, caption_key=captions, transcript=mark
        )
        needs_work = _needs_work(found, options)
        missing: list[Format] = []
        if not needs_work:
            missing = missing_beside(layout, output_name(plan.relative), exports)
        yield replace(
            plan,
            caption_key=captions,
            found=found,
            needs_work=needs_work,
            exports=tuple(missing),
            transcript=said,
        )


def plan_scans(
    sources: Sequence[SourceFile], settings: Settings, cuts: CutFiles | None = None
) -> Iterator[VideoPlan | UnreadableSource]:
    """Name the scan of each source in turn, where nothing is captioned. `cuts` are those given, if any."""
    for source in sources:
        try:
            mark = fingerprint(source.path, full=settings.input.full_hash)
            given = cuts.of(source.path) if cuts is not None else None
        except MediaError as error:
            stage = "scenes" if isinstance(error, CutFileError) else "discover"
            yield UnreadableSource(source, _problem(error, stage, source))
        else:
            key = scan_key(mark, settings, cuts=given.mark if given else None)
            is_by_scene = settings.caption.mode == "scene"
            yield VideoPlan(source, mark, key, cuts=given, is_by_scene=is_by_scene)


def _problem(error: MediaError, stage: str, source: SourceFile) -> ErrorInfo:
    """What the error says; the path it begins with is known to whoever reads it beside the source."""
    said = str(error).removeprefix(f"{printable(source.path)}: ")
    return ErrorInfo(stage, type(error).__name__, said)


def _needs_work(found: VideoState, options: RunOptions) -> bool:
    if options.force or found in ("new", "stale"):
        return True
    return options.retry_failed and found in ("partial", "failed")
