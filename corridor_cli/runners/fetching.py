"""Picks of known scans, taken from their videos into shared memory, for those that run no pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait

from corridor_cli.hosts.media_pool import MediaPool
from corridor_cli.hosts.messages import JobLost
from corridor_cli.records import ScanEnd, ScanJob, SceneFrames

_TICK_SECONDS = 0.25


def fetch_scenes(
    media: MediaPool, jobs: Sequence[ScanJob], meanwhile: Callable[[bool], None] = lambda is_heard: None
) -> Iterator[SceneFrames]:
    """The wanted picks of the jobs, one job after the other; one that does not give them is left out.

    `meanwhile` is called in every round, with whether a worker has said anything in it. Nothing frees a slot
    here: there must be one for each pick.
    """
    for job in jobs:
        media.start(job)
        is_open = True
        while is_open:
            wait(media.connections, _TICK_SECONDS)
            events = [*media.receive(), *media.kill_stuck()]
            for event in events:
                if isinstance(event, SceneFrames):
                    yield event
                is_open = is_open and not isinstance(event, ScanEnd | JobLost)
            meanwhile(bool(events))
