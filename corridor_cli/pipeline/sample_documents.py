"""How large a document will be of a video that was only looked into: made as in a run, and not written."""

from __future__ import annotations

from collections.abc import Mapping

from corridor_cli.pipeline.samples import Sampled
from corridor_cli.pipeline.video import CaptionId, PickId
from corridor_cli.records import Caption, RequestKey
from corridor_cli.settings import Settings
from corridor_cli.timeline.assemble import assemble, describe
from corridor_cli.timeline.invariants import frame_id
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.parts import Model, Run, Tokens
from corridor_cli.timeline.schema import timeline_bytes
from corridor_cli.timeline.source import SourceFacts

# Of the usual length: the environment of a run is a dozen lines of versions and reasons.
_MODEL = Model(id="owner/model", revision=None, dtype="bfloat16", quantization=None, engine="local")
_ENVIRONMENT = {f"fact {number}": "about as long as most of them are" for number in range(9)}

_RUN = Run(
    created_at="2000-01-01T00:00:00+00:00",
    environment=_ENVIRONMENT,
    wall_seconds=1.0,
    phases={"scan": 1.0},
    batches=1,
    attempts=1,
    oom_retries=0,
    batch_size=16,
    tokens=Tokens(prompt=1000, output=100),
    peak_memory_bytes=2**30,
    degraded=(),
)


def document_bytes(sampled: Sampled, layout: OutputLayout, num_characters: int, settings: Settings) -> int:
    """The bytes of its timeline when captions have `num_characters` each; 0 where it
    yielded no scene or contradicts itself."""
    video, record = sampled.video, sampled.record
    if record is None:
        return 0
    asked: list[CaptionId] = [
        (scene, None if settings.caption.mode == "scene" else pick.role)
        for scene, picks in enumerate(record.picks)
        for pick in picks
        if pick.duplicate_of is None
    ]
    captions: dict[CaptionId, Caption | None] = {
        place: Caption(RequestKey(video.ordinal, *place), "x " * (num_characters // 2), 300, 20, "stop")
        for place in asked
    }
    pictures: Mapping[PickId, str] = {
        (scene, pick.role): layout.picture_reference(video.relative, frame_id(scene, pick.role))
        for scene, picks in enumerate(record.picks)
        for pick in picks
        if settings.frames.save != "none"
    }
    plan = video.plan
    facts = SourceFacts(str(plan.source.path), plan.source.size_bytes, plan.fingerprint)
    provenance = describe(settings, scan_key=plan.scan_key, caption_key=plan.scan_key, model=_MODEL)
    try:
        timeline = assemble(facts, record, captions, pictures, provenance, _RUN, settings.caption)
    except ValueError:  # pydantic's: a scan that contradicts itself, which fails in a run as well
        return 0
    return len(timeline_bytes(timeline, indent=settings.output.indent))
