"""Where a scene that is too long is split: pure arithmetic on times."""

from __future__ import annotations

from fractions import Fraction


def split_target(
    start: Fraction, end: Fraction, max_scene: Fraction | None, *, is_end_known: bool
) -> Fraction | None:
    """Where the scene from `start` is to be split next; None when it is not.

    A scene that goes on loses its first `max_scene` once it is twice as long. At its end, what is left of it
    is whole, or two halves: so no part is shorter than half of `max_scene`.
    """
    if max_scene is None:
        return None
    length = end - start
    if length > 2 * max_scene or (length == 2 * max_scene and not is_end_known):
        return start + max_scene
    if is_end_known and length > max_scene:
        return start + length / 2
    return None
