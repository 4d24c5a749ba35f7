"""Clips drawn once for all tests of this room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clips import draw


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The path of a clip of `tests/clips.py`, drawn at its first use."""
    folder = tmp_path_factory.mktemp("clips")
    return lambda name: draw(name, folder)
