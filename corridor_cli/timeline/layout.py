"""Where everything lies under OUTPUT. Names only: nothing here touches the disk.

    <relative>.timeline.json  <relative>.failed.json  <relative>.frames/s0001-first.jpg
    <relative>.srt (.vtt, .edl, …)  scenes.csv (.parquet, …)  hf/                      see exports/registry.py
    <relative>.report.html  report.html                                                see report/
    .vlmtl/lock  .vlmtl/scans/xx/<key>.json  .vlmtl/captions/xx/<key>.jsonl  .vlmtl/pictures/xx/<hash>.txt
    .vlmtl/run.json  .vlmtl/exports/xx/<hash>.json  .vlmtl/exports/tables.json  .vlmtl/search.sqlite (.lock)

`relative` is a source's path under its input, with the source's extension. Names in OUTPUT are always valid
UTF-8 and leave room for a suffix. A name that cannot be kept (bytes that are not UTF-8, too long, or a folder
named like something of ours) is written as far as it goes and marked with `~` and a hash of the real name.
One that looks marked already is marked too, so that two sources never meet.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

STATE_FOLDER = ".vlmtl"
TIMELINE_SUFFIX = ".timeline.json"
FAILED_SUFFIX = ".failed.json"
FRAMES_SUFFIX = ".frames"
REPORT_SUFFIX = ".report.html"
LIBRARY_NAME = "report.html"

MAX_NAME_BYTES = 255
SUFFIX_BYTES = 32
"""Room kept for the longest suffix, of ours or of an export to come."""
MAX_PARENT_BYTES = 2048
"""Deeper trees are folded into one marked folder, so that OUTPUT stays under the kernel's 4,096."""
MARK_BYTES = 17

_MARKED = re.compile(r"~[0-9a-f]{16}\Z")
_NOT_UTF8 = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class OutputLayout:
    """All paths of one output folder."""

    root: Path

    @property
    def state(self) -> Path:
        """The folder of the run state."""
        return self.root / STATE_FOLDER

    @property
    def lock(self) -> Path:
        return self.state / "lock"

    @property
    def owner(self) -> Path:
        """Says who holds the lock."""
        return self.state / "owner.json"

    @property
    def last_run(self) -> Path:
        """How the latest run was called, for `vlmtl status`."""
        return self.state / "run.json"

    @property
    def profile(self) -> Path:
        """Where the time of a run went, if that was asked for."""
        return self.state / "profile"

    @property
    def batches(self) -> Path:
        """What each batch of the latest run cost, a JSON line each."""
        return self.state / "batches.jsonl"

    @property
    def search(self) -> Path:
        """The index that `vlmtl search` keeps of the timelines."""
        return self.state / "search.sqlite"

    @property
    def search_lock(self) -> Path:
        """Held by who changes that index."""
        return self.state / "search.lock"

    def timeline(self, relative: str) -> Path:
        """The document of a source that yielded scenes."""
        return self._beside(relative, TIMELINE_SUFFIX)

    def failed(self, relative: str) -> Path:
        """The document of a source that yielded none."""
        return self._beside(relative, FAILED_SUFFIX)

    def frames(self, relative: str) -> Path:
        """The folder of a source's saved picks."""
        return self._beside(relative, FRAMES_SUFFIX)

    def picture(self, relative: str, frame_id: str) -> Path:
        """The saved picture of one pick."""
        return self.frames(relative) / f"{frame_id}.jpg"

    def picture_reference(self, relative: str, frame_id: str) -> str:
        """The picture's path as the timeline gives it: relative to the timeline's folder, always UTF-8."""
        return f"{self.frames(relative).name}/{frame_id}.jpg"

    def pictures_made_for(self, relative: str) -> Path:
        """Says from which scan, and in which size, the saved pictures of a source are."""
        name = blake2b(os.fsencode(relative), digest_size=16).hexdigest()
        return self.state / "pictures" / name[:2] / f"{name}.txt"

    def exports_made(self, output_name: str) -> Path:
        """Says what was exported of the document at that place below OUTPUT, its suffix left out."""
        name = blake2b(os.fsencode(output_name), digest_size=16).hexdigest()
        return self.state / "exports" / name[:2] / f"{name}.json"

    @property
    def tables_made(self) -> Path:
        """Says what was written of the tables."""
        return self.state / "exports" / "tables.json"

    def scan(self, scan_key: str) -> Path:
        """The scan record of a key."""
        return self.state / "scans" / scan_key[:2] / f"{scan_key}.json"

    def captions(self, caption_key: str) -> Path:
        """The caption log of a key."""
        return self.state / "captions" / caption_key[:2] / f"{caption_key}.jsonl"

    def _beside(self, relative: str, suffix: str) -> Path:
        return self.root / (output_name(relative) + suffix)


def output_name(relative: str) -> str:
    """A source's path under OUTPUT, without suffix: UTF-8, never outside, distinct for distinct sources."""
    parts = relative.split("/")
    is_inside = all(part not in ("", ".", "..") and "\0" not in part for part in parts)
    assert is_inside, f"a source lies under its input, got {relative!r}"
    folders, name = parts[:-1], parts[-1]
    kept = [_kept_folder(folder) for folder in folders]
    if len(os.fsencode("/".join(kept))) > MAX_PARENT_BYTES:
        kept = [_marked(folders[-1], "/".join(folders), MAX_NAME_BYTES)]
    return "/".join([*kept, _kept_name(name)])


def _kept_folder(folder: str) -> str:
    is_ours = folder == STATE_FOLDER or folder.endswith((TIMELINE_SUFFIX, FAILED_SUFFIX, FRAMES_SUFFIX))
    if is_ours or _is_unfit(folder, MAX_NAME_BYTES):
        return _marked(folder, folder, MAX_NAME_BYTES)
    return folder


def _kept_name(name: str) -> str:
    limit = MAX_NAME_BYTES - SUFFIX_BYTES
    return _marked(name, name, limit) if _is_unfit(name, limit) else name


def _is_unfit(name: str, max_bytes: int) -> bool:
    return bool(len(os.fsencode(name)) > max_bytes or _NOT_UTF8.search(name) or _MARKED.search(name))


def _marked(shown: str, real: str, max_bytes: int) -> str:
    readable = _NOT_UTF8.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", shown)
    readable = readable.encode("utf-8")[: max_bytes - MARK_BYTES].decode("utf-8", "ignore")
    return f"{readable}~{blake2b(os.fsencode(real), digest_size=8).hexdigest()}"
