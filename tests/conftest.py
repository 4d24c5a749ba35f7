"""For all tests: their cache, their order, their threads, and what is said where torchcodec is missing."""

from __future__ import annotations

import gc
import os
import sys
import tempfile

import pytest

# Where torchcodec belongs to the machine (`.ci/run` says so), its absence is a failure and no reason to skip.
REQUIRED = os.environ.get("REQUIRE_TORCHCODEC") == "1"

# Rooms whose files take longest. They begin, so that no process is left with one while the others are idle.
LONG = ("scripts", "pipeline", "engine", "bench", "hosts", "models", "transcripts")


def pytest_configure(config: pytest.Config) -> None:
    """A cache for this run of the tests, and for all its processes.

    What was measured on this machine before, such as the batch size that `vlmtl bench` found best, stays out.
    """
    gc.disable()  # until all modules are loaded, which make a million objects and no garbage
    if not hasattr(config, "workerinput"):
        folder = tempfile.TemporaryDirectory(prefix="vlmtl-tests-")
        config.add_cleanup(folder.cleanup)
        os.environ["XDG_CACHE_HOME"] = folder.name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {room: number for number, room in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path.parent.name, len(LONG)))


def pytest_collection_finish() -> None:
    """What is loaded by now stays, so the garbage collector need not look at it again.

    With torch and transformers a look at everything takes half a second; an engine that ran out of memory
    asks for one each time.

    One thread for arithmetic: models here are small, and threads that find the processors busy spin. Two
    training steps took 10 s on one thread, and minutes on two beside other work on both of two cores.
    """
    gc.freeze()
    gc.enable()
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("needs_torchcodec") is None:
        return
    from corridor_cli.media.torchcodec_reader import load_torchcodec

    _, missing = load_torchcodec()
    if missing and REQUIRED:
        pytest.fail(f"REQUIRE_TORCHCODEC=1, but {missing}", pytrace=False)
    if missing:
        pytest.skip(missing)
