"""For the tests of whole runs."""

from __future__ import annotations

import pytest


@pytest.fixture
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests about what a run makes of its videos, however many media workers read them.

    Each worker costs as much to start as a film of some minutes to scan; several are what
    `test_run_resume`, `test_run_overlap`, `test_run_inputs` and `test_scenes_alone` have.
    """
    monkeypatch.setenv("VLMTL_DECODE__WORKERS", "1")
