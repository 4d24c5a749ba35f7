"""Clips drawn once for all tests of this room, and what is said where torchcodec is missing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from corridor_cli.media.torchcodec_reader import load_torchcodec
from tests.clips import draw

# Where torchcodec belongs to the machine (`.ci/run` says so), its absence is a failure and no reason to skip.
REQUIRED = os.environ.get("VLMTL_REQUIRE_TORCHCODEC") == "1"


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The path of a clip of `tests/clips.py`, drawn at its first use."""
    folder = tmp_path_factory.mktemp("clips")
    return lambda name: draw(name, folder)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("needs_torchcodec") is None:
        return
    _, missing = load_torchcodec()
    if missing and REQUIRED:
        pytest.fail(f"VLMTL_REQUIRE_TORCHCODEC=1, but {missing}", pytrace=False)
    if missing:
        pytest.skip(missing)
