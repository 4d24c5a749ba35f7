"""What is said where torchcodec is missing."""

from __future__ import annotations

import os

import pytest

# Where torchcodec belongs to the machine (`.ci/run` says so), its absence is a failure and no reason to skip.
REQUIRED = os.environ.get("REQUIRE_TORCHCODEC") == "1"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("needs_torchcodec") is None:
        return
    from corridor_cli.media.torchcodec_reader import load_torchcodec

    _, missing = load_torchcodec()
    if missing and REQUIRED:
        pytest.fail(f"REQUIRE_TORCHCODEC=1, but {missing}", pytrace=False)
    if missing:
        pytest.skip(missing)
