"""Encoders in this process, without what some do beside encoding: talk, and take the processor over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Encoders that print a banner of their own are told to be quiet.
QUIET: dict[str, dict[str, str]] = {"libx265": {"x265-params": "log-level=none:pools=none:frame-threads=1"}}
os.environ.setdefault("SVT_LOG", "1")


@contextmanager
def usual_priority() -> Iterator[None]:
    """Around an encoder: the thread leaves with the priority it came with.

    Run by root, libsvtav1 makes the thread that opens it a real-time one of the highest priority (SCHED_FIFO
    99) and leaves it so. All processes and threads it starts from then on are of that kind, too: each keeps
    its processor until it waits, whoever else has work. Tests stood still for ten seconds and more.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)
