"""Which files are ours to write anew, and which somebody else has touched.

Captions change, and their exports are to follow with the same command; but a subtitle that somebody has
mended by hand, or a file that was there before, must not be lost. So for every timeline, and once for the
tables, the state remembers a hash of what was last written. A file that is still the same is replaced; any
other is kept, unless `--force` is given.

The note is written before the file, with the hash of the file it replaces beside the new one: a run killed
between the two finds its own file again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from corridor_cli.timeline.commit import storage_error, write_atomically
from corridor_cli.timeline.layout import OutputLayout

Fate = Literal["written", "unchanged", "kept"]


def digest(data: bytes) -> str:
    """Names some bytes: 32 hex digits."""
    return blake2b(data, digest_size=16).hexdigest()


def file_digest(path: Path) -> str | None:
    """The same of a file, piece by piece; None where there is none, or an unfinished one of no bytes at all
    (exports are not synced: a power cut may leave that). Raises `StorageError`."""
    state = blake2b(digest_size=16)
    is_empty = True
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                is_empty = False
                state.update(piece)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(error, "read", path) from error
    return None if is_empty else state.hexdigest()


@dataclass(frozen=True, slots=True)
class Wrote:
    """What was last written of one export: from which timeline (its digest), and the file's digest now and
    before that."""

    made_from: str
    digests: tuple[str, ...]


class Notes:
    """What was written for one timeline, or of the tables. `save` before the files are written."""

    def __init__(self, path: Path, wrote: Mapping[str, Wrote]) -> None:
        self._path = path
        self._wrote = dict(wrote)
        self._is_changed = False

    @classmethod
    def of_timeline(cls, layout: OutputLayout, relative: str) -> Notes:
        """Those of the timeline that lies at `relative` (its path below OUTPUT, without suffix)."""
        return cls(layout.exports_made(relative), _load(layout.exports_made(relative)))

    @classmethod
    def of_tables(cls, layout: OutputLayout) -> Notes:
        return cls(layout.tables_made, _load(layout.tables_made))

    def __bool__(self) -> bool:
        return bool(self._wrote)

    def is_ours(self, name: str, there: str) -> bool:
        """Whether the file of this export, whose digest is `there`, is as we left it."""
        return name in self._wrote and there in self._wrote[name].digests

    def is_current(self, name: str, there: str, made_from: str) -> bool:
        """Whether it needs nothing: made from that timeline, or somebody else's and so not ours to mend."""
        if not self.is_ours(name, there):
            return True
        wrote = self._wrote[name]
        return wrote.digests[0] == there and wrote.made_from == made_from

    def fate(self, name: str, there: str | None, new: str, *, force: bool) -> Fate:
        """What is to become of a file whose digest is `there`, when `new` is to be written."""
        if there == new:
            return "unchanged"
        return "written" if there is None or force or self.is_ours(name, there) else "kept"

    def take(self, name: str, made_from: str, new: str, there: str | None) -> None:
        """The export is about to be written, or found to be what would be."""
        wrote = Wrote(made_from, tuple(dict.fromkeys((new, there or new))))
        if self._wrote.get(name) != wrote:
            self._wrote[name] = wrote
            self._is_changed = True

    def save(self) -> None:
        """Write the note where it has changed. Raises `StorageError`."""
        if self._is_changed:
            fields = {name: [each.made_from, *each.digests] for name, each in self._wrote.items()}
            write_atomically(self._path, json.dumps(fields).encode("ascii"), fsync=False)
            self._is_changed = False


def _load(path: Path) -> dict[str, Wrote]:
    """The note there is. A damaged one is none: the files then count as somebody else's."""
    try:
        fields = json.loads(path.read_bytes())
        return {
            name: Wrote(str(made), (str(new), *map(str, old))) for name, (made, new, *old) in fields.items()
        }
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise storage_error(error, "read", path) from error
    except (ValueError, TypeError, AttributeError):
        return {}
