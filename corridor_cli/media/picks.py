"""Fetch the frames an earlier scan picked by the quickest way that is right: each is checked by checksum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from corridor_cli.errors import DecodeError, MediaError
from corridor_cli.media.base import Reader
from corridor_cli.media.limits import BusyClock, for_known_picks, within_limits
from corridor_cli.media.open_reader import open_reader
from corridor_cli.media.probe import probe
from corridor_cli.media.shrink import PickPicture
from corridor_cli.printable import printable
from corridor_cli.records import ReaderChoice, ScanFrame, VideoInfo
from corridor_cli.settings import DecodeSettings


class KnownPick(NamedTuple):
    """A frame of an earlier scan; `rgb_crc32` is zlib's CRC-32 of its full-size upright RGB bytes."""

    frame_index: int
    time: Fraction
    rgb_crc32: int


def read_picks(
    path: Path,
    picks: Sequence[KnownPick],
    settings: DecodeSettings,
    info: VideoInfo | None = None,
    on_beat: Callable[[], None] = lambda: None,
) -> Iterator[tuple[KnownPick, PickPicture, ReaderChoice]]:
    """Each distinct pick once, ascending, with its picture and the reader that gave it.

    Tried in turn, for the picks still missing: the reader that `open_reader` offers, PyAV by seeking, PyAV
    from the start. A wrong picture or an error moves on to the next, and is told in the choice's `fallbacks`.
    `on_beat` is called while PyAV decodes what is not asked for.
    Raises `DecodeError` when the pictures of the record are not in the file, other `MediaError`s when it
    cannot be opened.
    """
    if info is None:
        info = probe(path, max_pixels=settings.max_pixels)
    missing = sorted(set(picks))
    by_pyav = replace(settings, reader="pyav")
    fallbacks: list[str] = []
    ways: list[tuple[DecodeSettings, str, Callable[[Reader, list[KnownPick]], Iterator[ScanFrame]]]] = [
        (by_pyav, "known frames, sought", _sought),
        (by_pyav, "known frames, met by decoding from the start", _met),
    ]
    if settings.reader != "pyav":
        ways.insert(0, (settings, "", _sought))
    for how, reason, frames_of in ways:
        reader = open_reader(path, how, for_picks=True, info=info, on_beat=on_beat)
        if how is settings and reader.name == "pyav":
            fallbacks += reader.choice.fallbacks
            continue
        told = (*fallbacks, *reader.choice.fallbacks)
        choice = ReaderChoice(reader.name, reason or reader.choice.reason, told)
        try:
            frames = frames_of(reader, list(missing))
            for frame in within_limits(frames, path, for_known_picks(settings), BusyClock()):
                picture = _checked_picture(frame, missing[0], path)
                yield missing.pop(0), picture, choice
        except MediaError as error:
            fallbacks.append(f"{reader.name}: {error.message.removeprefix(f'{printable(path)}: ')}")
        finally:
            reader.close()
        if not missing:
            return
    raise DecodeError(
        f"{printable(path)}: {len(missing)} of the frames known from its scan are not in it any more, "
        f"the first at {float(missing[0].time):.2f} s: the file changed, or another FFmpeg "
        "decodes it differently",
        hint="Scan it again with --force.",
    )


def _sought(reader: Reader, picks: list[KnownPick]) -> Iterator[ScanFrame]:
    return reader.read_frames_at([(pick.frame_index, pick.time) for pick in picks])


def _met(reader: Reader, picks: list[KnownPick]) -> Iterator[ScanFrame]:
    wanted = {pick.frame_index for pick in picks}
    last = max(wanted)
    for frame in reader.read_frames():
        if frame.index in wanted:
            yield frame
        if frame.index >= last:
            return


def _checked_picture(frame: ScanFrame, pick: KnownPick, path: Path) -> PickPicture:
    """The frame's picture, if it is the recorded one; else `DecodeError`."""
    if (frame.index, frame.time) == (pick.frame_index, pick.time):
        picture = PickPicture.of(frame)
        if picture.crc32 == pick.rgb_crc32:
            return picture
    raise DecodeError(f"{printable(path)}: frame {pick.frame_index} is not the picture of the record")
