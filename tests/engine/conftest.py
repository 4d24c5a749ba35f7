"""Fixtures for the engine tests; what they are made of is in `engine_samples`."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_samples import DictStore, Listener, write_checkpoint


@pytest.fixture(scope="session")
def random_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared and read-only: tests that change a checkpoint copy it."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    return write_checkpoint(tmp_path_factory.mktemp("random") / "checkpoint")


@pytest.fixture
def store() -> DictStore:
    return DictStore()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measurements kept on this machine neither reach a test nor come from one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
