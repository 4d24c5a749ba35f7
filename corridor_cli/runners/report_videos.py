"""Where the videos of documents are on this machine, and pictures of them where no run has saved any."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from corridor_cli.errors import ExitCode, MediaError
from corridor_cli.hosts.messages import WorkerSetup
from corridor_cli.media.discover import SourceFile
from corridor_cli.media.fingerprint import is_same
from corridor_cli.pipeline.page_pictures import PagePictures, TakePictures
from corridor_cli.pipeline.plan import VideoPlan
from corridor_cli.pipeline.samples import QuietReporter
from corridor_cli.pipeline.writer import Writer
from corridor_cli.printable import printable
from corridor_cli.runners.scan_run import run_scans
from corridor_cli.settings import Settings
from corridor_cli.telemetry import Reporter
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.parts import Source
from corridor_cli.timeline.report.pages import Player

PICTURE_PX = 320


@dataclass(frozen=True, slots=True)
class LocalVideo:
    """A document's video as this machine has it: where, whether it is still the same, what to tell of it."""

    path: Path
    is_there: bool
    is_same: bool

    def player(self, folder: Path) -> Player:
        """The player of a page that lies in `folder`, whose path has no link in it."""
        if not self.is_there:
            return Player(None, f"The video is not at {printable(self.path)}, so it cannot be played here.")
        url = quote(os.fsencode(os.path.relpath(self.path, folder)), safe="/!~*'()")
        url = url if url.startswith("../") else f"./{url}"
        note = "" if self.is_same else "The video was changed since: its scenes may lie elsewhere in it now."
        return Player(url, note)


def find_video(source: Source) -> LocalVideo:
    """Look for the video of a document."""
    path = Path(os.fsdecode(bytes.fromhex(source.path_bytes)) if source.path_bytes else source.path)
    try:
        if "\0" in source.path or not path.is_absolute() or not path.is_file():
            return LocalVideo(path, is_there=False, is_same=False)
        return LocalVideo(path, is_there=True, is_same=is_same(path, source.fingerprint or ""))
    except (MediaError, OSError):
        return LocalVideo(path, is_there=False, is_same=False)


@dataclass(frozen=True, slots=True)
class WantedPictures:
    """A video that pictures are to be taken from; `name` is its document's below OUTPUT, without suffix."""

    path: Path
    name: str
    fingerprint: str
    scan_key: str


def take_pictures(
    wanted: Sequence[WantedPictures], layout: OutputLayout, take: TakePictures, reporter: Reporter
) -> ExitCode | None:
    """Have the media workers fetch a picture of each scene; `take` hears of each video when it is done.

    Returns the code of the signal that stopped it early. Raises `VlmtlError`.
    """
    settings = Settings()
    frames = replace(settings.frames, save="thumbnails", thumbnail_px=PICTURE_PX)
    setup = WorkerSetup(settings.decode, settings.scenes, frames, 0, 0, ())

    def make_keeper(writer: Writer) -> PagePictures:
        return PagePictures(layout, take)

    plans = [_plan(each) for each in wanted]
    return run_scans(plans, 0, setup, make_keeper, settings, QuietReporter(reporter)).stopped_by


def _plan(wanted: WantedPictures) -> VideoPlan:
    facts = wanted.path.stat()
    source = SourceFile(wanted.path, PurePosixPath(wanted.name), facts.st_size, facts.st_mtime_ns)
    return VideoPlan(source, wanted.fingerprint, wanted.scan_key)
