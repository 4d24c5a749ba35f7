"""Where one video stands: what a run with the present settings would find of it in OUTPUT, and why.

As a run sees it, but for one thing: a file whose size and time of change are those of its document is taken
for unchanged, and its bytes are not read. So ten thousand of them are judged in seconds, wherever they lie.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from corridor_cli.cuts.choose import CutFiles
from corridor_cli.errors import CutFileError, MediaError, TranscriptError
from corridor_cli.media.fingerprint import fingerprint, has_changed
from corridor_cli.pipeline.plan import ModelIdentity
from corridor_cli.printable import printable
from corridor_cli.settings import ModelSettings, Settings
from corridor_cli.telemetry import counted
from corridor_cli.timeline.done import Committed
from corridor_cli.timeline.exports.beside import missing_beside
from corridor_cli.timeline.exports.registry import Format
from corridor_cli.timeline.glance import Glance
from corridor_cli.timeline.keys import caption_key, scan_key
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.why_stale import why_stale
from corridor_cli.transcripts import TranscriptFiles

State = Literal["failed", "partial", "stale", "pending", "extra", "done"]
STATES: tuple[State, ...] = ("failed", "partial", "stale", "pending", "extra", "done")


@dataclass(frozen=True, slots=True)
class Standing:
    """A video or a document of OUTPUT. `video` is its path below the input, as documents are called;
    `source` the file, where it is known; `document` its path below OUTPUT, where there is one."""

    state: State
    video: str
    source: str | None
    document: str | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Judge:
    """What documents are measured by. Without a `model` their captions are taken as they are; without `cuts`
    their scenes are, where those are to come from files. `exports` are to lie beside each timeline,
    `transcripts` say what is said in each."""

    layout: OutputLayout
    settings: Settings
    model: ModelIdentity | None
    cuts: CutFiles | None
    exports: Sequence[Format]
    transcripts: TranscriptFiles | None = None

    def judge(self, name: str, found: Committed, source: Path | None) -> tuple[State, str]:
        """The state of a document called `name` in OUTPUT, of a source that may be gone. Raises
        `StorageError`."""
        document = next((each for each in (found.timeline, found.failed) if each and each.is_readable), None)
        if document is None:
            return "stale", "the document is damaged, or of another version"
        if document.source.get("fingerprint") is None:
            return self._never_read(document, name, source)
        mark = str(document.source["fingerprint"])
        if source is not None and has_changed(source, mark):
            return "stale", "the video has changed since"
        if mark.startswith("v1f:") != self.settings.input.full_hash:
            return "stale", "the file was recognised otherwise: input.full_hash has changed"
        try:
            scan = self._scan_key(document, mark, source)
        except CutFileError as error:
            return "failed", f"{error.message} (CutFileError)"
        try:
            said = self._transcript(document, name, source)
        except TranscriptError as error:
            return "failed", f"{error.message} (TranscriptError)"
        captions = self._caption_key(scan, document, source, said)
        state = found.state(self.settings, scan_key=scan, caption_key=captions, transcript=said)
        if state == "partial":
            return "partial", _problems(document)
        if state == "failed":
            assert found.failed is not None
            return "failed", _problems(found.failed)
        if state == "done":
            missing = missing_beside(self.layout, name, self.exports)
            names = ", ".join(each.name for each in missing)
            return ("stale", f"to be written beside it: {names}") if missing else ("done", "")
        model = model_in_words(self.settings.gpu_pipeline.internvl3)
        return "stale", why_stale(
            found, self.settings, scan_key=scan, caption_key=captions, model=model, transcript=said
        )

    def _never_read(self, document: Glance, name: str, source: Path | None) -> tuple[State, str]:
        """Of a file that could not even be read for its fingerprint, or whose cuts or transcript could not: a
        run tries each time."""
        if source is None or not os.path.lexists(source):
            return "failed", _problems(document)
        try:
            fingerprint(source, full=False)
            if self.settings.scenes.detector == "file" and self.cuts is not None:
                self.cuts.of(source)
            self._transcript(document, name, source)
        except MediaError as error:
            message = error.message.removeprefix(f"{printable(source)}: ")
            return "failed", f"{message} ({type(error).__name__})"
        return "stale", "the video could not be read then, and can be now"

    def _caption_key(
        self, scan: str, document: Glance, source: Path | None, transcript: str | None
    ) -> str | None:
        if self.model is None:
            return None
        return caption_key(
            scan,
            self.settings,
            model_identity=self.model.identity,
            precision=self.model.precision,
            name=source.name if source is not None else str(document.source.get("name")),
            transcript=transcript,
        )

    def _transcript(self, document: Glance, name: str, source: Path | None) -> str | None:
        """The mark of what is said in the video now. Raises `TranscriptError`."""
        if self.transcripts is None or source is None:
            return document.provenance.get("transcript")
        said = self.transcripts.of(source, name)
        return said.mark if said else None

    def _scan_key(self, document: Glance, mark: str, source: Path | None) -> str:
        """The key of a scan of the file as it was. Raises `CutFileError`."""
        if self.settings.scenes.detector != "file":
            return scan_key(mark, self.settings)
        if self.cuts is None or source is None:
            return str(document.provenance.get("scan_key"))
        return scan_key(mark, self.settings, cuts=self.cuts.of(source).mark)


def model_in_words(chosen: ModelSettings) -> str:
    """What a document calls the model of these settings."""
    if chosen.engine == "echo":
        return "echo"
    return f"dummy:{chosen.preset}" if chosen.load_format == "dummy" else str(chosen.model)


def source_of(document: Glance) -> Path | None:
    """The file that a document is about, as it was called then."""
    raw: Any = document.source.get("path_bytes")
    path: Any = document.source.get("path")
    try:
        name = os.fsdecode(bytes.fromhex(raw)) if raw else path
        return Path(name) if name and "\0" not in name else None
    except (TypeError, ValueError):
        return None


def _problems(document: Glance) -> str:
    if not document.errors:
        return "the document does not say"
    first = document.errors[0]
    why = f"{first.get('message')} ({first.get('type')})"
    source = source_of(document)
    if source is not None:
        why = why.removeprefix(f"{printable(source)}: ")
    more = len(document.errors) - 1
    return why + (f", and {counted(more, 'more error')}" if more else "")
