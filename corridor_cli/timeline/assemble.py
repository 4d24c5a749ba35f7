"""Facts, scenes and captions become a document.

A pure function of its arguments: what differs between two runs over the same media comes in through `run`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256

from corridor_cli import __version__
from corridor_cli.printable import encodable
from corridor_cli.records import Caption, EngineInfo, ErrorInfo, Pick, ReaderChoice, Role, Scene, VideoInfo
from corridor_cli.settings import DEFAULT_PROMPT, Settings
from corridor_cli.timeline.invariants import frame_id, scene_id
from corridor_cli.timeline.keys import pictures_label
from corridor_cli.timeline.parts import (
    CaptionError,
    CaptionPart,
    CaptionStatus,
    Detector,
    ErrorPart,
    FramePart,
    GenerationPart,
    Model,
    Prompt,
    Provenance,
    Run,
    ScenePart,
    TransitionPart,
)
from corridor_cli.timeline.scan_record import ScanRecord
from corridor_cli.timeline.schema import SCHEMA_NAME, Timeline
from corridor_cli.timeline.source import SourceFacts, failed_source, scanned_source
from corridor_cli.timeline.text import caption_text, is_repetitive
from corridor_cli.timeline.timecode import seconds, seconds_between, timecode

Place = tuple[int, Role]
Captions = Mapping[Place, Caption | None]

ROLE_ORDER = tuple(Role)


def assemble(
    source: SourceFacts,
    record: ScanRecord,
    captions: Captions,
    pictures: Mapping[Place, str],
    provenance: Provenance,
    run: Run,
) -> Timeline:
    """The timeline of a video with at least one scene.

    `captions` holds every pick that is no duplicate, None where none was asked for; `pictures` the paths of
    the saved ones, relative to the timeline's folder.
    """
    assert record.scenes, "a video without scenes has a failed document"
    errors = tuple(_errors(record, captions))
    return Timeline(
        schema=SCHEMA_NAME,
        status="partial" if errors else "complete",
        source=scanned_source(source, record),
        summary=None,
        transitions=tuple(
            TransitionPart(kind=each.kind, start=seconds(each.start), end=seconds(each.end))
            for each in record.transitions
        ),
        scenes=tuple(_scene(scene, record, captions, pictures) for scene in record.scenes),
        errors=errors,
        provenance=provenance,
        run=run,
    )


def assemble_failed(
    source: SourceFacts,
    error: ErrorInfo,
    info: VideoInfo | None,
    reader: ReaderChoice | None,
    provenance: Provenance,
    run: Run,
) -> Timeline:
    """The document of a video that yielded no scene, with what is known of it."""
    return Timeline(
        schema=SCHEMA_NAME,
        status="failed",
        source=failed_source(source, info, reader),
        summary=None,
        transitions=(),
        scenes=(),
        errors=(_error(error, None),),
        provenance=provenance,
        run=run,
    )


def describe(
    settings: Settings, *, scan_key: str | None, caption_key: str | None, model: Model | None
) -> Provenance:
    """What makes the document. Keys and model are None only where a failed one never got that far."""
    prompt = encodable(settings.caption.prompt)
    return Provenance(
        tool="vlmtl",
        version=__version__,
        scan_key=scan_key,
        caption_key=caption_key,
        model=model,
        generation=GenerationPart(max_new_tokens=settings.caption.max_new_tokens),
        prompt=Prompt(
            id="default" if prompt == DEFAULT_PROMPT else "custom",
            sha256=sha256(prompt.encode("utf-8")).hexdigest(),
            text=prompt,
        ),
        detector=Detector(name=settings.scenes.detector, threshold=settings.scenes.threshold),
        pictures=pictures_label(settings.frames),
    )


def describe_model(info: EngineInfo) -> Model:
    """The model as the document names it; a folder's name that is not UTF-8 is shown as in `path`."""
    return Model(
        id=encodable(info.model_id),
        revision=info.revision,
        dtype=info.dtype,
        quantization=info.quantization,
        engine=info.engine,
    )


def caption_status(text: str, finish_reason: str | None) -> CaptionStatus:
    """What a model's answer is worth; `text` is cleaned. A loop that hits the token limit is a loop."""
    if not text:
        return "empty"
    if is_repetitive(text):
        return "repetitive"
    return "truncated" if finish_reason == "length" else "success"


def _caption(caption: Caption | None) -> CaptionPart:
    if caption is None or caption.error is not None:
        error = None if caption is None else caption.error
        return CaptionPart(
            status="skipped" if error is None else "error",
            text=None,
            finish_reason=None,
            prompt_tokens=None,
            output_tokens=None,
            error=None if error is None else CaptionError(type=error.type, message=encodable(error.message)),
        )
    text = caption_text(caption.text)
    return CaptionPart(
        status=caption_status(text, caption.finish_reason),
        text=text or None,
        finish_reason=caption.finish_reason,
        prompt_tokens=caption.prompt_tokens,
        output_tokens=caption.output_tokens,
        error=None,
    )


def _scene(scene: Scene, record: ScanRecord, captions: Captions, pictures: Mapping[Place, str]) -> ScenePart:
    picks = sorted(record.picks[scene.index], key=lambda pick: ROLE_ORDER.index(pick.role))
    frames = tuple(_frame(scene.index, pick, record, captions, pictures) for pick in picks)
    representative = (frame.caption for frame in frames if frame.role == Role.REPRESENTATIVE.value)
    return ScenePart(
        id=scene_id(scene.index),
        index=scene.index,
        start=seconds(scene.start),
        end=seconds(scene.end),
        duration=seconds_between(scene.start, scene.end),
        start_timecode=timecode(scene.start),
        end_timecode=timecode(scene.end),
        start_frame=scene.start_frame,
        end_frame=scene.end_frame,
        boundary=scene.boundary,
        caption=next(representative, None) or _caption(None),
        attributes=None,
        frames=frames,
    )


def _frame(
    scene: int, pick: Pick, record: ScanRecord, captions: Captions, pictures: Mapping[Place, str]
) -> FramePart:
    original = record.original(scene, pick.role)
    return FramePart(
        id=frame_id(scene, pick.role),
        role=pick.role.value,
        time=seconds(pick.time),
        timecode=timecode(pick.time),
        frame_index=pick.frame_index,
        path=pictures.get((scene, pick.role)),
        selection_reason=pick.selection_reason,
        duplicate_of=None if original == pick.role else frame_id(scene, original),
        caption=_caption(_answer(scene, original, captions)),
    )


def _answer(scene: int, role: Role, captions: Captions) -> Caption | None:
    assert (scene, role) in captions, f"the {role} pick of scene {scene} was never answered"
    return captions[scene, role]


def _errors(record: ScanRecord, captions: Captions) -> Iterator[ErrorPart]:
    """The media's error first, then each failed request once, in the order of its pick."""
    if record.error is not None:
        yield _error(record.error, None)
    for scene, picks in enumerate(record.picks):
        for pick in sorted(picks, key=lambda pick: ROLE_ORDER.index(pick.role)):
            caption = None if pick.duplicate_of else _answer(scene, pick.role, captions)
            if caption is not None and caption.error is not None:
                yield _error(caption.error, scene)


def _error(error: ErrorInfo, scene: int | None) -> ErrorPart:
    return ErrorPart(
        stage=error.stage,
        scene_id=None if scene is None else scene_id(scene),
        type=error.type,
        message=encodable(error.message),
    )
