"""What a scan does about cuts that were given: read them, and say afterwards what was wrong with them."""

from __future__ import annotations

from corridor_cli.cuts.load import load_cuts
from corridor_cli.errors import CutFileError
from corridor_cli.hosts.messages import WorkerSetup
from corridor_cli.hosts.scan_ends import error_info
from corridor_cli.records import ErrorInfo, ScanJob, VideoInfo
from corridor_cli.scenes.find import SceneFinder
from corridor_cli.scenes.scores import ScoreLog


def make_finder(job: ScanJob, setup: WorkerSetup, scores: ScoreLog | None, info: VideoInfo) -> SceneFinder:
    """A finder for one video, with its cuts where they are given. Raises `CutFileError`."""
    cuts = load_cuts(job.cuts, info.frame_rate) if job.cuts is not None else None
    return SceneFinder(setup.scenes, setup.frames, scores, info, cuts)


def cut_notes(finder: SceneFinder, path: str) -> tuple[tuple[str, ...], ErrorInfo | None]:
    """What is to be said of the given cuts once all frames were seen, and what makes them worthless."""
    try:
        return finder.cut_notes(), None
    except CutFileError as error:
        return (), error_info(error, path)
