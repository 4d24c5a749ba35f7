"""From what a run knows of a video to its document: everything comes together here, nothing is written."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from corridor_cli.errors import InconsistentScanError
from corridor_cli.media.discover import SourceFile
from corridor_cli.pipeline.summing import Summarizer
from corridor_cli.pipeline.tally import Tally
from corridor_cli.pipeline.video import CaptionId, PickId, VideoWork
from corridor_cli.records import Caption, EngineInfo, ErrorInfo
from corridor_cli.settings import Settings
from corridor_cli.timeline.assemble import Additions, assemble, assemble_failed, describe, describe_model
from corridor_cli.timeline.invariants import frame_id
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.parts import Model, Provenance, Run, Tokens
from corridor_cli.timeline.scan_record import ScanRecord
from corridor_cli.timeline.schema import Timeline
from corridor_cli.timeline.source import SourceFacts

_NO_RECORD = ErrorInfo("decode", "NoFramesError", "the video yields no scene.")


class TimelineMaker:
    """Makes the documents of one run. `workers` says how many media workers there are, and why."""

    def __init__(self, layout: OutputLayout, settings: Settings, tally: Tally) -> None:
        self._layout = layout
        self._settings = settings
        self._tally = tally
        self._summarizer = Summarizer(settings.caption)
        self.workers = ""

    def timeline(self, video: VideoWork, model: Model | None, engine: EngineInfo | None) -> Timeline:
        """The document of a video the work on which is over. `model` wrote its captions; where nobody has
        written down which, it is that of `engine`."""
        if video.record is None or not video.record.scenes:
            return self._failed(video, video.error or _NO_RECORD, engine)
        try:
            return self._whole(video, model, engine)
        except ValueError as error:
            # pydantic's: a scan that contradicts itself is this video's failure alone.
            problem = ErrorInfo("assemble", InconsistentScanError.__name__, _contradiction(error))
            return self._failed(video, problem, engine)

    def unreadable(self, source: SourceFile, error: ErrorInfo, engine: EngineInfo | None) -> Timeline:
        """The document of a source that could not even be read."""
        provenance = describe(self._settings, scan_key=None, caption_key=None, model=None)
        facts = SourceFacts(str(source.path), source.size_bytes, None)
        return assemble_failed(facts, error, None, None, provenance, self._run_facts(None, (), engine))

    def _whole(self, video: VideoWork, model: Model | None, engine: EngineInfo | None) -> Timeline:
        record = video.record
        assert record is not None
        if video.error is not None:
            record = replace(record, error=video.error)
        asked: list[CaptionId] = [
            (scene, None if video.plan.is_by_scene else pick.role)
            for scene, picks in enumerate(record.picks)
            for pick in picks
            if pick.duplicate_of is None
        ]
        captions = {place: video.captions.get(place) for place in asked}
        pictures: Mapping[PickId, str] = {
            (scene, role): self._layout.picture_reference(video.relative, frame_id(scene, role))
            for scene, role in video.saved
        }
        run = self._run_facts(video, captions.values(), engine)
        model = model or (describe_model(engine) if engine else None)
        provenance = self._provenance(video, model)
        return assemble(
            self._facts(video),
            record,
            captions,
            pictures,
            provenance,
            run,
            self._settings.caption,
            self._additions(video, record),
        )

    def _additions(self, video: VideoWork, record: ScanRecord) -> Additions:
        summary, error = self._summarizer.outcome(video)
        said = {scene.index: video.said_in(scene) for scene in record.scenes} if video.transcript else None
        return Additions(summary, error, said)

    def _failed(self, video: VideoWork, error: ErrorInfo, engine: EngineInfo | None) -> Timeline:
        # No model: whether it has been loaded by now is a matter of timing, and none of its text is here.
        provenance = self._provenance(video, None)
        run = self._run_facts(video, (), engine)
        return assemble_failed(self._facts(video), error, video.info, video.reader, provenance, run)

    def _facts(self, video: VideoWork) -> SourceFacts:
        source = video.plan.source
        return SourceFacts(str(source.path), source.size_bytes, video.plan.fingerprint)

    def _provenance(self, video: VideoWork, model: Model | None) -> Provenance:
        plan = video.plan
        return describe(
            self._settings,
            scan_key=plan.scan_key,
            caption_key=plan.caption_key,
            model=model,
            transcript=plan.transcript.mark if plan.transcript else None,
        )

    def _run_facts(
        self, video: VideoWork | None, captions: Iterable[Caption | None], engine: EngineInfo | None
    ) -> Run:
        """How this run went for a video; counts of batches and memory are the run's until now."""
        answered = [caption for caption in captions if caption is not None]
        return Run(
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            environment=self._environment(video, engine),
            wall_seconds=round(time.monotonic() - video.started_at, 3) if video else None,
            phases={"scan": round(video.scan_seconds, 3)} if video else {},
            batches=self._tally.num_batches_of(video.ordinal) if video else 0,
            attempts=video.num_jobs if video else 1,
            oom_retries=self._tally.num_oom_retries,
            batch_size=self._tally.batch_size,
            tokens=Tokens(
                prompt=sum(caption.prompt_tokens for caption in answered),
                output=sum(caption.output_tokens for caption in answered),
            ),
            peak_memory_bytes=self._tally.peak_memory_bytes,
            degraded=(*(video.degraded if video else ()), *(engine.degraded if engine else ())),
        )

    def _environment(self, video: VideoWork | None, engine: EngineInfo | None) -> dict[str, str]:
        own = {"python": platform.python_version(), "platform": platform.platform()}
        if self.workers:
            own["workers"] = self.workers
        if video and video.picks_reader:
            choice = video.picks_reader
            own["picks_reader"] = "; ".join([f"{choice.name}: {choice.reason}", *choice.fallbacks])
        return own | (engine.environment | {"device": engine.device} if engine else {})


def _contradiction(error: ValueError) -> str:
    """pydantic's findings in one line."""
    found = "; ".join(line.strip() for line in str(error).splitlines()[1:] if "For further" not in line)
    return f"what was found in it contradicts itself ({found[:500]}). Please report it with the file."
