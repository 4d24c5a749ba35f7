"""The reader protocol: a file becomes frames, all in order or a few by index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Protocol

from corridor_cli.records import ReaderChoice, ScanFrame, VideoInfo


class Reader(Protocol):
    """Decodes one open file. Raises `MediaError` kinds only.

    `read_frames` raises `DecodeError` after the last good frame when the rest cannot be decoded. Once it is
    over, `end` is the end of the last frame and `is_variable_frame_rate` what was measured (None: too few
    frames); `warnings` may grow until then.
    """

    @property
    def name(self) -> str: ...

    @property
    def info(self) -> VideoInfo: ...

    choice: ReaderChoice

    @property
    def warnings(self) -> list[str]: ...

    @property
    def end(self) -> Fraction | None: ...

    @property
    def is_variable_frame_rate(self) -> bool | None: ...

    def read_frames(self) -> Iterator[ScanFrame]:
        """All frames in presentation order, first index 0, first time 0."""
        ...

    def read_frames_at(self, wanted: Sequence[tuple[int, Fraction]]) -> Iterator[ScanFrame]:
        """The frames with these (index, time) pairs, ascending and distinct. A frame that cannot be
        found exactly raises `DecodeError`."""
        ...

    def close(self) -> None:
        """Free the decoder. Safe to call twice."""
        ...
