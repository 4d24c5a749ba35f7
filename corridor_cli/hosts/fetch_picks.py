"""The picks of a known scan, taken from their file again: for the model, for the saved picture, or both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

from corridor_cli.errors import MediaError
from corridor_cli.hosts.scan_ends import error_info
from corridor_cli.media.picks import KnownPick, read_picks
from corridor_cli.media.shrink import PickPicture
from corridor_cli.records import FrameRef, PickedFrame, ScanEnd, ScanJob, SceneFrames, WantedPick
from corridor_cli.settings import DecodeSettings, FrameSettings


def fetch_picks(
    job: ScanJob,
    decode: DecodeSettings,
    frames: FrameSettings,
    write: Callable[[PickPicture], FrameRef],
    on_beat: Callable[[], None],
) -> Iterator[SceneFrames | ScanEnd]:
    """One record for each pick the job wants, then the end; `write` puts a picture into a slot, and `on_beat`
    is called while none comes."""
    assert job.wanted is not None
    wanted_of: dict[KnownPick, list[WantedPick]] = {}
    for wanted in job.wanted:
        known = KnownPick(wanted.pick.frame_index, wanted.pick.time, wanted.pick.rgb_crc32)
        wanted_of.setdefault(known, []).append(wanted)
    choice = None
    problem = None
    try:
        fetched = read_picks(Path(job.path), list(wanted_of), decode, job.info, on_beat)
        for known, picture, reader in fetched:
            choice = reader
            for wanted in wanted_of[known]:
                frame = write(picture) if wanted.for_model else None
                image = picture.saved(frames) if wanted.for_image else None
                picked = PickedFrame(wanted.pick, frame, image)
                yield SceneFrames(job.video, wanted.scene_index, None, (picked,))
    except MediaError as error:
        problem = error_info(error, job.path)
    yield ScanEnd(job.video, 0, Fraction(0), None, (), choice, (), problem)
