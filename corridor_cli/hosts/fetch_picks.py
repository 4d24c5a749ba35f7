"""The picks of a known scan, taken from their file again: for the model, for the saved picture, or both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

from corridor_cli.errors import MediaError
from corridor_cli.hosts.messages import WorkerSetup
from corridor_cli.hosts.scan_ends import error_info
from corridor_cli.media.nvdec import prefers_nvdec
from corridor_cli.media.picks import KnownPick, read_picks
from corridor_cli.media.shrink import PickPicture
from corridor_cli.records import FrameRef, PickedFrame, ScanEnd, ScanJob, SceneFrames, WantedPick
from corridor_cli.settings import DecodeSettings, FrameSettings


def are_planes_needed(job: ScanJob, decode: DecodeSettings, setup: WorkerSetup) -> bool:
    """Whether pictures are made small for the model from decoded planes, as by the scan: decord shows none.

    A card, which shows none either, has made the scan itself, and its pixels differ from all others'.
    """
    if job.info is None or setup.enough_pixels is None or decode.reader != "auto":
        return False
    ratio = job.info.sample_aspect_ratio or Fraction(1)
    num_pixels = job.info.width_px * job.info.height_px * max(ratio, 1 / ratio)
    return num_pixels > setup.max_pixels and not prefers_nvdec(job.info, decode.device)[0]


def fetch_picks(
    job: ScanJob, decode: DecodeSettings, frames: FrameSettings, write: Callable[[PickPicture], FrameRef]
) -> Iterator[SceneFrames | ScanEnd]:
    """One record for each pick the job wants, then the end; `write` puts a picture into a slot."""
    assert job.wanted is not None
    wanted_of: dict[KnownPick, list[WantedPick]] = {}
    for wanted in job.wanted:
        known = KnownPick(wanted.pick.frame_index, wanted.pick.time, wanted.pick.rgb_crc32)
        wanted_of.setdefault(known, []).append(wanted)
    choice = None
    problem = None
    try:
        for known, picture, reader in read_picks(Path(job.path), list(wanted_of), decode, job.info):
            choice = reader
            for wanted in wanted_of[known]:
                frame = write(picture) if wanted.for_model else None
                image = picture.saved(frames) if wanted.for_image else None
                picked = PickedFrame(wanted.pick, frame, image)
                yield SceneFrames(job.video, wanted.scene_index, None, (picked,))
    except MediaError as error:
        problem = error_info(error, job.path)
    yield ScanEnd(job.video, 0, Fraction(0), None, (), choice, (), problem)
