"""Main's side of the media workers: who is idle, who is stuck, which slots are whose.

A worker is persistent and owns a ring of slots; a full ring blocks it, and that is all the back-pressure
there is. A worker that stalls or dies costs at most the video in its hands: it is replaced, the video is
reported lost, and its ring passes to the successor except for the slots the engine still reads.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection

from corridor_cli.errors import VlmtlError
from corridor_cli.hosts.channel import ChannelClosedError
from corridor_cli.hosts.confine import worker_memory_bytes
from corridor_cli.hosts.messages import JobLost, WorkerSetup
from corridor_cli.hosts.process import ChildProcess
from corridor_cli.hosts.watch import Watch
from corridor_cli.media.limits import out_of_time, stalled, worker_died
from corridor_cli.records import (
    ErrorInfo,
    ProbeJob,
    Progress,
    ScanEnd,
    ScanJob,
    SceneFrames,
    ScoreRows,
    SlotsFreed,
    VideoOpened,
    VideoProbed,
)

Job = ScanJob | ProbeJob
WorkerEvent = VideoOpened | VideoProbed | SceneFrames | ScoreRows | Progress | ScanEnd | JobLost

# One thread a worker, but FFmpeg's: several files at once use the cores better than several threads on one.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # The pictures that a pick is made through are taken from the heap again and again. Taken from the system
    # and given back, as glibc would have it, they cost a page fault for each 4 KiB, which is more than their
    # conversion; and so do the decoder's, for each file anew. Before pictures of another size what the heap
    # keeps goes back (`hosts/heap.py`), from one arena to the last page.
    "MALLOC_MMAP_THRESHOLD_": str(2**25),  # the highest that glibc takes
    "MALLOC_TRIM_THRESHOLD_": str(2**27),
    "MALLOC_ARENA_MAX": "1",
    # In pages of 2 MiB a decoder finds its references faster, and page faults are fewer.
    # Linux gives such pages to those who ask where its administrator did not say `never`.
    "GLIBC_TUNABLES": ":".join(filter(None, [os.environ.get("GLIBC_TUNABLES"), "glibc.malloc.hugetlb=1"])),
}

# A worker keeps decode.max_seconds itself, between two frames; main ends one whose decoder never comes back.
LATE_SECONDS = 1.0


class _Worker:
    """One child, its ring of slots, and the job in its hands."""

    def __init__(self, ring: range) -> None:
        self.ring = ring
        self.lent: set[int] = set()  # reported with pixels and not yet freed
        self.child: ChildProcess | None = None
        self.job: Job | None = None
        self.started_at = 0.0
        self.last_heard = 0.0
        self.waited_seconds = 0.0
        self.waited_seconds_in_all = 0.0
        self.num_frames = 0

    def hear(self, event: WorkerEvent) -> None:
        """Note a sign of life; time spent waiting for slots does not count against the job's limit."""
        now = time.monotonic()
        if isinstance(event, Progress) and event.is_waiting:
            self.waited_seconds += now - self.last_heard
            self.waited_seconds_in_all += now - self.last_heard
        self.last_heard = now
        if isinstance(event, Progress):
            self.num_frames = event.num_frames


class MediaPool:
    """The media workers of a run. Use `connections` to wait, then `receive` what is there.

    `late_seconds` after decode.max_seconds a worker is ended that has not come to an end by itself.
    """

    def __init__(
        self,
        setup: WorkerSetup,
        arena_fd: int,
        num_workers: int,
        slots_per_worker: int,
        late_seconds: float = LATE_SECONDS,
    ) -> None:
        self._late_seconds = late_seconds
        memory = worker_memory_bytes(setup.decode.max_memory_bytes, num_workers)
        self._setup = replace(setup, decode=replace(setup.decode, max_memory_bytes=memory))
        self._arena_fd = arena_fd
        rings = (range(i * slots_per_worker, (i + 1) * slots_per_worker) for i in range(num_workers))
        self._workers = [_Worker(ring) for ring in rings]
        self._watch = Watch()

    @property
    def connections(self) -> list[Connection]:
        return [worker.child.channel.connection for worker in self._workers if worker.child]

    @property
    def pids(self) -> list[int]:
        return [worker.child.pid for worker in self._workers if worker.child]

    @property
    def num_workers(self) -> int:
        return len(self._workers)

    @property
    def waited_seconds(self) -> float:
        """How long all workers together have waited for free slots."""
        return sum(worker.waited_seconds_in_all for worker in self._workers)

    def has_idle_worker(self) -> bool:
        return any(worker.job is None for worker in self._workers)

    def start(self, job: Job, num_waiting: int = 0) -> None:
        """Give a job to an idle worker; there must be one. `num_waiting` others will be. A worker that died
        idle is replaced first; a death of the new one is noticed by `receive`."""
        worker = next(worker for worker in self._workers if worker.job is None)
        worker.job = job
        if isinstance(job, ScanJob):
            job = replace(job, num_threads=self._num_threads(num_waiting))
        worker.started_at = worker.last_heard = time.monotonic()
        worker.waited_seconds, worker.num_frames = 0.0, 0
        if not self._send(worker, job):
            self._discard(worker)
            self._send(worker, job)

    def _num_threads(self, num_waiting: int) -> int:
        num_busy = sum(worker.job is not None for worker in self._workers)
        num_sharing = min(len(self._workers), num_busy + num_waiting)
        return max(self._setup.num_threads, self._setup.num_cores // num_sharing)

    def receive(self) -> Iterator[WorkerEvent]:
        """Everything the workers have said, and the jobs of those that died."""
        for worker in self._workers:
            while worker.child and worker.child.channel.has_record():
                try:
                    event = worker.child.channel.receive()
                except ChannelClosedError:
                    yield from self._bury(worker)
                    break
                worker.hear(event)
                if isinstance(event, SceneFrames):
                    worker.lent.update(picked.frame.slot for picked in event.picks if picked.frame)
                elif isinstance(event, ScanEnd):
                    worker.job = None
                yield event

    def kill_stuck(self) -> Iterator[JobLost]:
        """Kill workers that have said nothing for too long, or have had their file for too long."""
        now = time.monotonic()
        if away_seconds := self._watch.away_seconds():
            for worker in self._workers:
                worker.last_heard = now
                worker.waited_seconds += away_seconds
        limits = self._setup.decode
        for worker in self._workers:
            if worker.job is None:
                continue
            silent_seconds = now - worker.last_heard
            busy_seconds = now - worker.started_at - worker.waited_seconds
            error: VlmtlError
            if silent_seconds > limits.stall_seconds:
                error = stalled(silent_seconds, limits.stall_seconds, worker.num_frames)
            elif limits.max_seconds is not None and busy_seconds > limits.max_seconds + self._late_seconds:
                error = out_of_time(limits.max_seconds, worker.num_frames)
            else:
                continue
            yield self._lose(worker, error)

    def free(self, slot: int) -> None:
        """The engine has read the slot: give it back to the worker whose ring it is in."""
        worker = next(worker for worker in self._workers if slot in worker.ring)
        worker.lent.discard(slot)
        if worker.child:
            # A death is noticed by `receive`; the slot then goes to the successor.
            with contextlib.suppress(ChannelClosedError):
                worker.child.channel.send(SlotsFreed((slot,)))

    def close(self) -> None:
        """End all workers at once: what they hold can be decoded again."""
        for worker in self._workers:
            if worker.child:
                worker.child.kill()
                worker.child = None

    def _send(self, worker: _Worker, job: Job) -> bool:
        """Hand the job over, to a new child if there is none; False when the child turns out to be dead."""
        try:
            if worker.child is None:
                worker.child = ChildProcess(
                    "corridor_cli.hosts.media_worker", self._arena_fd, WORKER_ENVIRONMENT
                )
                free = tuple(slot for slot in worker.ring if slot not in worker.lent)
                worker.child.channel.send(replace(self._setup, free_slots=free))
            worker.child.channel.send(job)
        except ChannelClosedError:
            return False
        return True

    def _bury(self, worker: _Worker) -> Iterator[JobLost]:
        assert worker.child is not None
        error = worker_died(worker.child.reap(), worker.num_frames)
        if worker.job:
            yield self._lose(worker, error)
        else:
            self._discard(worker)

    def _lose(self, worker: _Worker, error: VlmtlError) -> JobLost:
        assert worker.job is not None
        video, worker.job = worker.job.video, None
        self._discard(worker)
        return JobLost(video, ErrorInfo("decode", type(error).__name__, str(error)))

    def _discard(self, worker: _Worker) -> None:
        if worker.child:
            worker.child.kill()
            worker.child = None
