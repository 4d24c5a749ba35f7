"""Fixtures for the engine tests; what they are made of is in `engine_samples`."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path

import pytest
from engine_samples import DictStore, Listener, write_checkpoint

from corridor_cli.hardware import cache_folder, choose_dtype


@pytest.fixture(scope="session")
def random_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared and read-only: tests that change a checkpoint copy it."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    folder = write_checkpoint(tmp_path_factory.mktemp("random") / "checkpoint")
    # transformers has loaded its model by now; an engine that runs out of memory has all of that looked at.
    gc.collect()
    gc.freeze()
    return folder


@pytest.fixture
def store() -> DictStore:
    return DictStore()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture(scope="session")
def precision_file() -> Path:
    """Where it is kept whether bfloat16 is the faster here: 4 s where a processor has none, so once."""
    choose_dtype("cpu", "int8", is_small_model=True)
    return cache_folder() / "precision.json"


@pytest.fixture(autouse=True)
def own_cache(precision_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measurements kept on this machine neither reach a test nor come from one, but for that precision."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cache_folder().mkdir(parents=True)
    shutil.copy(precision_file, cache_folder())
