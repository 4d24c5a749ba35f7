"""For the tests of the bench."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measurements kept on this machine neither reach a test nor come from one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
