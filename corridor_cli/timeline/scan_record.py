"""What a scan found, kept so that no file is scanned twice for the same `scan_key`.

A record that is damaged, foreign, or of another version reads as None: the file is then scanned again.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from pydantic import TypeAdapter

from corridor_cli.printable import encodable
from corridor_cli.records import (
    ErrorInfo,
    Pick,
    ReaderChoice,
    Role,
    ScanEnd,
    Scene,
    SceneFrames,
    Transition,
    VideoInfo,
)
from corridor_cli.timeline.commit import write_atomically

FORMAT = "vlmtl.scan/1"


@dataclass(frozen=True, slots=True)
class ScanRecord:
    """Everything about a video but its captions. `picks[i]` are those of `scenes[i]`, by role.

    `error` says why the pictures ended before the file did. `num_decoded` is None where all frames were.
    """

    info: VideoInfo
    reader: ReaderChoice
    scenes: tuple[Scene, ...]
    picks: tuple[tuple[Pick, ...], ...]
    transitions: tuple[Transition, ...]
    num_frames: int
    duration: Fraction
    is_variable_frame_rate: bool | None
    warnings: tuple[str, ...]
    error: ErrorInfo | None
    num_decoded: int | None = None

    @classmethod
    def from_scan(
        cls, info: VideoInfo, reader: ReaderChoice, scenes: Sequence[SceneFrames], end: ScanEnd
    ) -> ScanRecord:
        """The record of a finished scan. Its texts are made fit for UTF-8, so that one read back is equal."""
        found = [frames.scene for frames in scenes if frames.scene is not None]
        in_order = [scene.index for scene in found] == list(range(len(scenes)))
        assert in_order, "a scan reports every scene, in order"
        reader = end.reader or reader
        error = end.error
        return cls(
            info=replace(info, warnings=tuple(map(encodable, info.warnings))),
            reader=replace(
                reader,
                reason=encodable(reader.reason),
                fallbacks=tuple(map(encodable, reader.fallbacks)),
            ),
            scenes=tuple(found),
            picks=tuple(tuple(picked.pick for picked in frames.picks) for frames in scenes),
            transitions=end.transitions,
            num_frames=end.num_frames,
            duration=end.duration,
            is_variable_frame_rate=end.is_variable_frame_rate,
            warnings=tuple(map(encodable, end.warnings)),
            error=error and replace(error, message=encodable(error.message)),
            num_decoded=end.num_decoded,
        )

    def original(self, scene: int, role: Role) -> Role:
        """The role whose caption this pick of a scene shares: its own when it is no duplicate."""
        roles = {pick.role: pick.duplicate_of for pick in self.picks[scene]}
        for _ in roles:
            other = roles[role]
            if other is None:
                return role
            role = other
        raise AssertionError(f"the picks of scene {scene} are duplicates in a circle")


_adapter = TypeAdapter(ScanRecord)


def save_scan(path: Path, record: ScanRecord, *, fsync: bool) -> None:
    """Write a record atomically; exact times as `num/den` text. Raises `StorageError`."""
    fields = _adapter.dump_python(record, mode="json")
    text = _canonical(fields)
    document = {"format": FORMAT, "crc32": zlib.crc32(text), "record": fields}
    write_atomically(path, _canonical(document) + b"\n", fsync=fsync)


def load_scan(path: Path) -> ScanRecord | None:
    """The record at `path`, or None when there is none that can be used."""
    try:
        document = json.loads(path.read_bytes())
        fields = document["record"]
        if document["format"] != FORMAT or document["crc32"] != zlib.crc32(_canonical(fields)):
            return None
        return _adapter.validate_python(fields)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
