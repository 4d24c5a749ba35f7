"""The engine across a process boundary: real host processes, the echo engine told to misbehave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from corridor_cli.errors import ModelError
from corridor_cli.hosts import watch
from corridor_cli.hosts.hosted_engine import HostedEngine
from corridor_cli.hosts.messages import EngineSetup
from corridor_cli.hosts.slots import Slots, create_arena
from corridor_cli.records import Caption, Generation, Request, RequestKey, Role
from corridor_cli.settings import ErrorSettings, ModelSettings

SLOT_BYTES = 64 * 64 * 3
NUM_SLOTS = 16
ECHO = ModelSettings(engine="echo", batch_size=4)


class Bench:
    """A hosted echo engine over an arena of distinct pictures."""

    def __init__(self, model: ModelSettings, limits: ErrorSettings) -> None:
        self.arena_fd = create_arena(NUM_SLOTS, SLOT_BYTES)
        slots = Slots(self.arena_fd, SLOT_BYTES)
        pictures = [np.full((32, 48, 3), 10 * i, np.uint8) for i in range(NUM_SLOTS)]
        self.refs = [slots.write(i, picture) for i, picture in enumerate(pictures)]
        self.restarts: list[str] = []
        self.batches: list[object] = []
        setup = EngineSetup(model, SLOT_BYTES)
        self.engine = HostedEngine(setup, self.arena_fd, limits, self.batches.append, self.restarts.append)

    def request(self, i: int) -> Request:
        return Request(RequestKey(0, i, Role.FIRST), "what?", (self.refs[i],), Generation(64))

    def caption_all(self, numbers: range, seconds: float = 30.0) -> dict[int, Caption]:
        for i in numbers:
            self.engine.submit(self.request(i))
        answers: list[Caption] = []
        deadline = time.monotonic() + seconds
        while len(answers) < len(numbers):
            assert time.monotonic() < deadline, f"{len(answers)} answers in {seconds} s"
            answers.extend(self.engine.poll(0.5))
        by_scene = {caption.key.scene: caption for caption in answers}
        assert len(by_scene) == len(answers), "a key was answered twice"
        return by_scene

    def close(self) -> None:
        self.engine.close()
        os.close(self.arena_fd)


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(model: ModelSettings = ECHO, limits: ErrorSettings | None = None) -> Bench:
        made.append(Bench(model, limits or ErrorSettings()))
        return made[-1]

    yield make
    for each in made:
        each.close()


def straight_texts(make: Callable[..., Bench]) -> dict[int, str]:
    straight = make()
    straight.engine.start()
    return {i: caption.text for i, caption in straight.caption_all(range(NUM_SLOTS)).items()}


def test_pictures_reach_the_host_through_shared_memory(bench: Callable[..., Bench]) -> None:
    texts = straight_texts(bench)
    assert len(set(texts.values())) == NUM_SLOTS
    assert all("48x32" in text for text in texts.values())


def test_a_host_killed_in_mid_run_is_replaced_and_no_caption_changes(bench: Callable[..., Bench]) -> None:
    expected = straight_texts(bench)
    killed = bench(replace(ECHO, echo={"delay_seconds": 0.2}))
    killed.engine.start()
    for i in range(NUM_SLOTS):
        killed.engine.submit(killed.request(i))
    time.sleep(0.3)
    pid = killed.engine.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    answers: dict[int, str] = {}
    deadline = time.monotonic() + 30
    while len(answers) < NUM_SLOTS and time.monotonic() < deadline:
        for caption in killed.engine.poll(0.5):
            assert caption.key.scene not in answers
            answers[caption.key.scene] = caption.text
    assert answers == expected
    assert len(killed.restarts) == 1
    assert "SIGKILL" in killed.restarts[0]


def test_a_request_that_kills_twice_is_set_aside_and_the_others_are_answered(
    bench: Callable[..., Bench],
) -> None:
    expected = straight_texts(bench)
    poisoned = bench(replace(ECHO, echo={"die_on": "0:5:first"}))
    poisoned.engine.start()
    answers = poisoned.caption_all(range(NUM_SLOTS))
    bad = answers.pop(5)
    assert bad.error is not None
    assert bad.error.type == "EngineDiedError"
    assert bad.text == ""
    assert {i: caption.text for i, caption in answers.items()} == {
        i: text for i, text in expected.items() if i != 5
    }
    assert poisoned.engine.num_restarts == 2


@pytest.mark.alone
def test_a_silent_host_is_killed_and_replaced_until_the_limit(bench: Callable[..., Bench]) -> None:
    limits = ErrorSettings(engine_stall_seconds=3.0, engine_restarts=1)
    stuck = bench(replace(ECHO, echo={"hang_after": 0}), limits)
    stuck.engine.start()
    with pytest.raises(ModelError, match="no sign of life"):
        stuck.caption_all(range(2))
    assert len(stuck.restarts) == 1


def test_settings_an_engine_refuses_are_told_without_a_traceback(bench: Callable[..., Bench]) -> None:
    refused = bench(replace(ECHO, echo={"mood": 5}))
    with pytest.raises(ModelError, match=r"^echo\.mood is unknown"):
        refused.engine.start()
    assert refused.restarts == []


@pytest.mark.alone
def test_a_host_that_hangs_while_it_loads_is_replaced(bench: Callable[..., Bench]) -> None:
    frozen = bench(ECHO, ErrorSettings(engine_stall_seconds=3.0))
    frozen.engine.launch()
    pid = frozen.engine.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + 30
    while frozen.engine.info is None:
        assert time.monotonic() < deadline
        frozen.engine.poll(0.1)
    assert len(frozen.restarts) == 1
    assert len(frozen.caption_all(range(2))) == 2


@pytest.mark.alone
def test_while_main_does_not_listen_nobody_counts_as_silent(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MAX_ROUND_SECONDS", 1.5)
    slow = bench(replace(ECHO, echo={"delay_seconds": 3.2}), ErrorSettings(engine_stall_seconds=2.0))
    slow.engine.start()
    slow.engine.submit(slow.request(0))
    while not slow.batches:
        slow.engine.poll(0.1)
    time.sleep(2.4)  # as long as main was stopped by Ctrl-Z
    slow.engine.poll(0)
    deadline = time.monotonic() + 20
    while not slow.engine.poll(0.1):  # statistics may come before the caption
        assert time.monotonic() < deadline
    assert slow.restarts == []


def test_a_request_to_stop_that_reaches_the_group_is_left_to_main(bench: Callable[..., Bench]) -> None:
    asked = bench()
    asked.engine.start()
    pid = asked.engine.pid
    assert pid is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    assert len(asked.caption_all(range(4))) == 4
    assert asked.restarts == []


def test_memory_that_cannot_be_had_is_a_storage_error() -> None:
    code = (
        "import resource, signal\n"
        "from corridor_cli.errors import StorageError\n"
        "from corridor_cli.hosts.slots import create_arena\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    create_arena(4, 1000)\n"
        "except StorageError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Shared memory of 4,000 bytes cannot be had: File too large.")


def test_a_model_that_cannot_be_loaded_is_an_error_at_start(bench: Callable[..., Bench]) -> None:
    missing = bench(ModelSettings(model="/nowhere/at/all"))
    with pytest.raises(ModelError, match="/nowhere/at/all"):
        missing.engine.start()


def test_a_host_dies_with_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, time\n"
        "from corridor_cli.hosts.hosted_engine import HostedEngine\n"
        "from corridor_cli.hosts.messages import EngineSetup\n"
        "from corridor_cli.hosts.slots import create_arena\n"
        "from corridor_cli.settings import ErrorSettings, ModelSettings\n"
        f"arena = create_arena(4, {SLOT_BYTES})\n"
        f"setup = EngineSetup(ModelSettings(engine='echo'), {SLOT_BYTES})\n"
        "engine = HostedEngine(setup, arena, ErrorSettings(), print, print)\n"
        "engine.start()\n"
        "print(engine.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        host_pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 5
    while is_running(host_pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(host_pid)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
