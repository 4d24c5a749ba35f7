"""A scan begun by one reader and, where that gives up, ended by PyAV: no frame twice, none left out.

decord and torchcodec end at the first thing they cannot decode; PyAV goes on behind it, or says what is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

from corridor_cli.errors import DecodeError
from corridor_cli.media.base import Reader
from corridor_cli.media.pyav_reader import PyavReader
from corridor_cli.printable import printable
from corridor_cli.records import ReaderChoice, ScanFrame, VideoInfo
from corridor_cli.settings import DecodeSettings


class TakeOver:
    """The reader it was given until that fails in a scan, then PyAV; `choice` tells which and why.

    `on_beat` is called while PyAV passes over what is out already.
    """

    def __init__(
        self,
        first: Reader,
        path: Path,
        settings: DecodeSettings,
        on_beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._reader: Reader = first
        self._path = path
        self._settings = settings
        self._on_beat = on_beat
        self._active: list[Generator[ScanFrame]] = []

    @property
    def name(self) -> str:
        return self._reader.name

    @property
    def info(self) -> VideoInfo:
        return self._reader.info

    @property
    def choice(self) -> ReaderChoice:
        return self._reader.choice

    @choice.setter
    def choice(self, choice: ReaderChoice) -> None:
        self._reader.choice = choice

    @property
    def warnings(self) -> list[str]:
        return self._reader.warnings

    @property
    def end(self) -> Fraction | None:
        return self._reader.end

    @property
    def is_variable_frame_rate(self) -> bool | None:
        return self._reader.is_variable_frame_rate

    def read_frames(self) -> Iterator[ScanFrame]:
        """All frames in order, as `Reader` says."""
        self._active.append(self._scan())
        return self._active[-1]

    def _scan(self) -> Generator[ScanFrame]:
        num_frames, last = 0, Fraction(-1)
        try:
            for frame in self._reader.read_frames():
                num_frames, last = frame.index + 1, frame.time
                yield frame
        except DecodeError as error:
            if self._reader.name == "pyav":
                raise
            self._replace(num_frames, error)
            yield from self._go_on(num_frames, last, error)

    def _replace(self, num_frames: int, error: DecodeError) -> None:
        old = self._reader
        old.close()
        why = f"{old.name}: {error.message.removeprefix(f'{printable(self._path)}: ')}"
        if num_frames:
            why += f", after {num_frames} frames"
        choice = ReaderChoice("pyav", f"took over from {old.name}", (*old.choice.fallbacks, why))
        self._reader = PyavReader(self._path, self._settings, old.info, choice, on_beat=self._on_beat)

    def _go_on(self, num_frames: int, last: Fraction, error: DecodeError) -> Generator[ScanFrame]:
        """PyAV's frames behind the last one given out. Where both do not number it alike, the scan ends."""
        with closing(self._reader.read_frames()) as frames:  # type: ignore[type-var]
            for frame in frames:
                if frame.index < num_frames:
                    is_other = frame.index == num_frames - 1 and frame.time != last
                    if is_other:
                        raise error
                    continue
                yield frame

    def read_frames_at(self, wanted: Sequence[tuple[int, Fraction]]) -> Iterator[ScanFrame]:
        """Known frames, as `Reader` says; another reader's are asked for by `picks.py`."""
        return self._reader.read_frames_at(wanted)

    def close(self) -> None:
        """Free both. Safe to call twice."""
        while self._active:
            self._active.pop().close()
        self._reader.close()
