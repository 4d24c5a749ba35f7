"""One run at a time in an output folder."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from corridor_cli.errors import ExitCode, OutputLockedError, StorageError
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.lock import OutputLock

HOLD = """
import sys
from pathlib import Path
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.lock import OutputLock
with OutputLock(OutputLayout(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(folder: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.communicate()


def test_the_second_run_learns_who_the_first_is_and_waits_for_its_end(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path / "out")
    process = hold(layout.root)
    with pytest.raises(OutputLockedError) as caught:
        OutputLock(layout).acquire()
    assert caught.value.exit_code == ExitCode.LOCKED
    assert f"process {process.pid} on {socket.gethostname()}, since 20" in caught.value.message
    assert f"kill -INT {process.pid}" in caught.value.hint
    end(process)
    assert not layout.owner.exists()
    with OutputLock(layout):
        assert json.loads(layout.owner.read_bytes())["pid"] == os.getpid()


def test_a_killed_run_leaves_no_lock_behind(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    process = hold(tmp_path)
    (tmp_path / ".~vlmtl-1-1.tmp").write_bytes(b"half")
    process.kill()
    process.communicate()
    assert layout.owner.exists()
    with OutputLock(layout):
        assert json.loads(layout.owner.read_bytes())["pid"] == os.getpid()
        assert not (tmp_path / ".~vlmtl-1-1.tmp").exists()


def test_the_name_of_a_dead_owner_is_not_given(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    with OutputLock(layout):
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        for owner in (
            b"{",
            b"[]",
            json.dumps({"pid": dead.pid, "host": socket.gethostname(), "since": ""}).encode(),
        ):
            layout.owner.write_bytes(owner)
            with pytest.raises(OutputLockedError, match=r"^Another run owns [^:]*\. Wait"):
                OutputLock(layout).acquire()


def test_a_lock_can_be_given_back_twice_and_taken_again(tmp_path: Path) -> None:
    lock = OutputLock(OutputLayout(tmp_path))
    for _ in range(2):
        lock.acquire()
        lock.release()
        lock.release()


def test_a_folder_removed_or_replaced_is_noticed(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path / "out")
    lock = OutputLock(layout)
    with lock:
        lock.check()
        layout.root.rename(tmp_path / "elsewhere")
        with pytest.raises(StorageError, match="removed or replaced"):
            lock.check()
        with OutputLock(layout), pytest.raises(StorageError, match="removed or replaced"):
            lock.check()


def test_a_folder_that_cannot_be_used_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(StorageError, match="make the folder"):
        OutputLock(OutputLayout(tmp_path / "out")).acquire()
    (tmp_path / "other" / ".vlmtl" / "lock").mkdir(parents=True)
    with pytest.raises(StorageError, match="Cannot lock"):
        OutputLock(OutputLayout(tmp_path / "other")).acquire()


def test_a_disk_without_locks_is_a_storage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(filelock.FileLock, "_acquire", refuse)
    with pytest.raises(StorageError, match="cannot lock files"):
        OutputLock(OutputLayout(tmp_path)).acquire()


def test_a_lock_whose_owner_cannot_be_written_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    layout = OutputLayout(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(StorageError, match="ENOSPC"):
            OutputLock(layout).acquire()
    end(hold(tmp_path))


RACE = """
import os, sys
from pathlib import Path
from corridor_cli.errors import OutputLockedError
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.lock import OutputLock
from corridor_cli.timeline import lock as module

module.OWNER_WAIT_SECONDS = 0.05
for turn in range(12):
    layout = OutputLayout(Path(sys.argv[1]) / str(turn % 3))
    gate, answers, ending = os.pipe(), os.pipe(), os.pipe()
    children = []
    for _ in range(16):
        child = os.fork()
        if child == 0:
            os.close(gate[1]); os.close(ending[1])
            os.read(gate[0], 1)  # returns once the parent closes its end
            lock = OutputLock(layout)
            try:
                lock.acquire()
                os.write(answers[1], b"W")
                os.read(ending[0], 1)
                lock.release()
            except OutputLockedError:
                os.write(answers[1], b"L")
            os._exit(0)
        children.append(child)
    os.close(gate[1])
    said = b""
    while len(said) < 16:
        said += os.read(answers[0], 16)
    print(said.count(b"W"), said.count(b"L"), flush=True)
    os.close(ending[1])
    for child in children:
        os.waitpid(child, 0)
    for each in (gate[0], answers[0], answers[1], ending[0]):
        os.close(each)
"""


def test_sixteen_runs_race_and_one_wins(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RACE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1 15\n" * 12
