"""Facts, scenes and captions become a document.

A pure function of its arguments: what differs between two runs over the same media comes in through `run`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import cast

from corridor_cli import __version__
from corridor_cli.printable import encodable
from corridor_cli.prompts import template_name
from corridor_cli.records import Caption, EngineInfo, ErrorInfo, Pick, ReaderChoice, Role, Scene, VideoInfo
from corridor_cli.settings import CaptionSettings, Settings
from corridor_cli.timeline.answers import Answer, read_answer
from corridor_cli.timeline.invariants import frame_id, scene_id
from corridor_cli.timeline.keys import pictures_label
from corridor_cli.timeline.parts import (
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
    Summary,
    TransitionPart,
)
from corridor_cli.timeline.scan_record import ScanRecord
from corridor_cli.timeline.schema import SCHEMA_NAME, Timeline
from corridor_cli.timeline.source import SourceFacts, failed_source, scanned_source
from corridor_cli.timeline.timecode import seconds, seconds_between, timecode

Place = tuple[int, Role]
Captions = Mapping[tuple[int, Role | None], Caption | None]
Answers = Mapping[tuple[int, Role | None], Answer]

ROLE_ORDER = tuple(Role)

_MIN_SAME_CAPTIONS = 4
_MIN_SAME_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Additions:
    """What a run may know of a video beside its captions: `transcript` is what is said, by scene."""

    summary: Summary | None = None
    summary_error: ErrorInfo | None = None
    transcript: Mapping[int, str | None] | None = None


_NOTHING = Additions()
_ASKED = CaptionSettings()


def assemble(
    source: SourceFacts,
    record: ScanRecord,
    captions: Captions,
    pictures: Mapping[Place, str],
    provenance: Provenance,
    run: Run,
    asked: CaptionSettings = _ASKED,
    additions: Additions = _NOTHING,
) -> Timeline:
    """The timeline of a video with at least one scene.

    `captions` holds every pick that is no duplicate, or with the mode `scene` every scene under the role
    None; its value is None where none was asked for. `pictures` are the paths of the saved ones, relative to
    the timeline's folder.
    """
    assert record.scenes, "a video without scenes has a failed document"
    answers = {place: read_answer(caption, asked) for place, caption in captions.items()}
    scenes = [_scene(scene, record, captions, answers, pictures, asked) for scene in record.scenes]
    if additions.transcript is not None:
        scenes = [
            scene.model_copy(update={"transcript": additions.transcript.get(scene.index)}) for scene in scenes
        ]
    errors = tuple(_errors(record, captions, answers, additions.summary_error))
    return Timeline(
        schema=SCHEMA_NAME,
        status="partial" if errors else "complete",
        source=scanned_source(source, record),
        summary=additions.summary,
        transitions=tuple(
            TransitionPart(kind=each.kind, start=seconds(each.start), end=seconds(each.end))
            for each in record.transitions
        ),
        scenes=tuple(_with_same_captions(scenes)),
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
    settings: Settings,
    *,
    scan_key: str | None,
    caption_key: str | None,
    model: Model | None,
    transcript: str | None = None,
) -> Provenance:
    """What makes the document. Keys and model are None only where a failed one never got that far;
    `transcript` is the mark of the one that was used."""
    asked = settings.caption
    prompt = encodable(asked.prompt)
    return Provenance(
        tool="vlmtl",
        version=__version__,
        scan_key=scan_key,
        caption_key=caption_key,
        model=model,
        generation=GenerationPart(max_new_tokens=settings.caption.max_new_tokens),
        prompt=Prompt(
            id=template_name(asked),
            sha256=sha256(prompt.encode("utf-8")).hexdigest(),
            text=prompt,
            mode=asked.mode,
            format=asked.format,
            language=asked.language,
        ),
        detector=Detector(name=settings.scenes.detector, threshold=settings.scenes.threshold),
        pictures=pictures_label(settings.frames),
        summary=asked.summary,
        transcript=transcript,
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


def _caption(caption: Caption | None, answer: Answer) -> CaptionPart:
    is_answered = caption is not None and caption.error is None and answer.error is None
    return CaptionPart(
        status=answer.status,
        text=answer.text,
        finish_reason=caption.finish_reason if caption and is_answered else None,
        prompt_tokens=caption.prompt_tokens if caption and is_answered else None,
        output_tokens=caption.output_tokens if caption and is_answered else None,
        error=answer.error,
        retry_of=cast("CaptionStatus | None", caption.retry_of) if caption else None,
    )


def _scene(
    scene: Scene,
    record: ScanRecord,
    captions: Captions,
    answers: Answers,
    pictures: Mapping[Place, str],
    asked: CaptionSettings,
) -> ScenePart:
    picks = sorted(record.picks[scene.index], key=lambda pick: ROLE_ORDER.index(pick.role))
    is_whole = asked.mode == "scene"
    frames: list[FramePart] = []
    own: tuple[int, Role | None] = (scene.index, None)
    for pick in picks:
        original = record.original(scene.index, pick.role)
        if pick.role is Role.REPRESENTATIVE and not is_whole:
            own = (scene.index, original)
        caption = None if is_whole else _caption_at((scene.index, original), captions, answers)
        frames.append(_frame(scene.index, pick, original, caption, pictures))
    answer = answers.get(own)
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
        caption=_caption_at(own, captions, answers) if answer else _caption(None, read_answer(None, asked)),
        attributes=answer.attributes if answer else None,
        frames=tuple(frames),
    )


def _frame(
    scene: int, pick: Pick, original: Role, caption: CaptionPart | None, pictures: Mapping[Place, str]
) -> FramePart:
    return FramePart(
        id=frame_id(scene, pick.role),
        role=pick.role.value,
        time=seconds(pick.time),
        timecode=timecode(pick.time),
        frame_index=pick.frame_index,
        path=pictures.get((scene, pick.role)),
        selection_reason=pick.selection_reason,
        duplicate_of=None if original == pick.role else frame_id(scene, original),
        caption=caption,
    )


def _caption_at(place: tuple[int, Role | None], captions: Captions, answers: Answers) -> CaptionPart:
    assert place in captions, f"the {place[1]} pick of scene {place[0]} was never answered"
    return _caption(captions[place], answers[place])


def _with_same_captions(scenes: Sequence[ScenePart]) -> Iterator[ScenePart]:
    """The scenes, marked where the model said the same of suspiciously many of them."""
    texts = [(scene.caption.text or "").casefold() for scene in scenes]
    counts = Counter(text for text in texts if text)
    least = max(_MIN_SAME_CAPTIONS, _MIN_SAME_SHARE * len(scenes))
    for scene, text in zip(scenes, texts, strict=True):
        is_suspicious = counts[text] > least
        yield scene.model_copy(update={"num_same_captions": counts[text] - 1}) if is_suspicious else scene


def _errors(
    record: ScanRecord, captions: Captions, answers: Answers, summary_error: ErrorInfo | None
) -> Iterator[ErrorPart]:
    """The media's error first, then each failed request once, by its pick's place, then the summary's."""
    if record.error is not None:
        yield _error(record.error, None)
    order: dict[Role | None, int] = {None: -1, **{role: number for number, role in enumerate(ROLE_ORDER)}}
    for place in sorted(answers, key=lambda place: (place[0], order[place[1]])):
        caption, error = captions[place], answers[place].error
        if error is not None:
            stage = caption.error.stage if caption and caption.error else "caption"
            yield _error(ErrorInfo(stage, error.type, error.message), place[0])
    if summary_error is not None:
        yield _error(summary_error, None)


def _error(error: ErrorInfo, scene: int | None) -> ErrorPart:
    return ErrorPart(
        stage=error.stage,
        scene_id=None if scene is None else scene_id(scene),
        type=error.type,
        message=encodable(error.message),
    )
