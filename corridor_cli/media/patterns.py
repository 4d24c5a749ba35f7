"""Globs over path parts: `*` and `?` stay inside one part, `**` spans any number of them."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase


def has_magic(text: str) -> bool:
    """Whether the text holds anything a glob gives a meaning to."""
    return any(c in text for c in "*?[")


def split_pattern(path: str) -> tuple[str, tuple[str, ...]]:
    """An absolute glob as (the folder above its first magic part, the parts from there on)."""
    parts = path.split("/")
    first = next(i for i, part in enumerate(parts) if has_magic(part))
    return "/".join(parts[:first]) or "/", tuple(parts[first:])


def matches_path(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path's parts match a pattern's parts from end to end."""
    # reached[i]: the pattern so far can end just before parts[i]; linear, so `**/**/**` stays cheap.
    reached = [True] + [False] * len(parts)
    for piece in pattern:
        if piece == "**":
            first = reached.index(True) if True in reached else len(reached)
            reached = [i >= first for i in range(len(reached))]
        else:
            reached = [False] + [
                was and fnmatchcase(part, piece) for was, part in zip(reached, parts, strict=False)
            ]
    return reached[-1]


def is_included(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether any pattern takes this path; one without `/` looks at the file's name. No pattern takes all."""
    return not patterns or any(
        matches_path(parts if "/" in p else parts[-1:], p.strip("/").split("/")) for p in patterns
    )


def is_excluded(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether any pattern leaves this path out; one without `/` may name any folder on the way, too."""
    for pattern in patterns:
        if "/" not in pattern:
            if any(fnmatchcase(part, pattern) for part in parts):
                return True
        elif any(matches_path(parts[:n], pattern.strip("/").split("/")) for n in range(1, len(parts) + 1)):
            return True
    return False
