"""Files come whole or not at all, whatever happens on the way."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corridor_cli.errors import ExitCode, StorageError
from corridor_cli.timeline.commit import (
    commit_failed,
    commit_timeline,
    is_leftover,
    make_folder,
    write_atomically,
)
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.lock import OutputLock, remove_leftovers

OLD, NEW = b"old" * 1000, b"newer" * 5000


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("fsync", [True, False])
def test_a_file_is_written_and_replaced(fsync: bool, tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / ("x" * 255)
    for data in (OLD, NEW, b""):
        write_atomically(path, data, fsync=fsync)
        assert path.read_bytes() == data
    assert names(tmp_path) == [f"a/b/{path.name}"]


@pytest.mark.parametrize("fsync", [True, False])
def test_a_file_is_synced_before_its_name_and_its_name_before_the_return(
    fsync: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def spy_fsync(descriptor: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        real_fsync(descriptor)

    def spy_replace(source: Path, target: Path) -> None:
        calls.append("rename")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(os, "replace", spy_replace)
    write_atomically(tmp_path / "a" / "out.json", NEW, fsync=fsync)
    # The first is the folder that got the new folder "a".
    assert calls == (["folder", "file", "rename", "folder"] if fsync else ["rename"])


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "hardware"),
        (errno.EACCES, "Permission denied"),
        (errno.EPERM, "Permission denied"),
        (errno.ESTALE, "run the same command again"),
    ],
)
@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_a_system_error_keeps_the_old_file_and_says_what_to_do(
    call: str, number: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out\udcff.json"
    write_atomically(path, OLD, fsync=True)

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(StorageError) as caught:
            write_atomically(path, NEW, fsync=True)
    assert caught.value.exit_code == ExitCode.STORAGE
    assert errno.errorcode[number] in caught.value.message
    assert "out\\xff.json" in caught.value.message
    assert said in caught.value.hint
    assert path.read_bytes() == OLD
    assert len(names(tmp_path)) == 1


def test_a_file_that_outgrows_its_limit_keeps_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_atomically(path, OLD, fsync=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(NEW) - 1, hard))
    try:
        with pytest.raises(StorageError, match="EFBIG"):
            write_atomically(path, NEW, fsync=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["out.json"]


def test_a_full_device_is_a_storage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open = os.open
    monkeypatch.setattr(os, "open", lambda path, flags, *rest: real_open("/dev/full", os.O_WRONLY))
    with pytest.raises(StorageError, match=r"ENOSPC"):
        write_atomically(tmp_path / "out.json", NEW, fsync=False)


def test_a_file_in_the_way_of_a_folder_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(StorageError, match="make the folder"):
            make_folder(folder, fsync=True)


def test_a_timeline_and_a_failure_supersede_each_other(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    commit_failed(layout, "a.mp4", OLD, fsync=False)
    assert names(tmp_path) == ["a.mp4.failed.json"]
    commit_timeline(layout, "a.mp4", NEW, fsync=False)
    assert names(tmp_path) == ["a.mp4.timeline.json"]
    commit_failed(layout, "a.mp4", OLD, fsync=False)
    assert names(tmp_path) == ["a.mp4.failed.json"]


def test_leftovers_go_and_nothing_else_does(tmp_path: Path) -> None:
    keep = ["a.tmp", ".~vlmtl-notes", "b/.~vlmtl-1-x.tmp", "b/c.timeline.json", "d.failed.json", ".~lock.x#"]
    for name in [*keep, ".~vlmtl-12-0.tmp", "b/.~vlmtl-7-12.tmp", "b/x.frames/.~vlmtl-7-3.tmp"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == sorted(keep)


@pytest.mark.parametrize(("newer", "older"), [("timeline", "failed"), ("failed", "timeline")])
def test_of_two_documents_of_one_source_the_newer_stays(newer: str, older: str, tmp_path: Path) -> None:
    for seconds, kind in ((100, older), (200, newer)):
        (tmp_path / f"a.mp4.{kind}.json").write_bytes(b'{"schema": "vlmtl.timeline/1"}')
        os.utime(tmp_path / f"a.mp4.{kind}.json", (seconds, seconds))
    with OutputLock(OutputLayout(tmp_path)):
        pass
    assert f"a.mp4.{newer}.json" in names(tmp_path)
    assert f"a.mp4.{older}.json" not in names(tmp_path)


@pytest.mark.parametrize("foreign", ["timeline", "failed"])
def test_other_peoples_files_of_such_names_stay(foreign: str, tmp_path: Path) -> None:
    for kind in ("timeline", "failed"):
        data = b'{"build": 7}' if kind == foreign else b'{"schema": "vlmtl.timeline/1"}'
        (tmp_path / f"build.{kind}.json").write_bytes(data)
    before = names(tmp_path)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == before


DIE_AT = """
import os, signal, sys
from pathlib import Path
from corridor_cli.timeline.commit import commit_timeline
from corridor_cli.timeline.layout import OutputLayout
left = int(sys.argv[2])
def dying(call):
    def wrapper(*arguments, **options):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return call(*arguments, **options)
    return wrapper
for name in ("open", "write", "fsync", "close", "replace", "rename", "unlink", "mkdir"):
    setattr(os, name, dying(getattr(os, name)))
commit_timeline(OutputLayout(Path(sys.argv[1])), "new/a.mp4", b"newer" * 5000, fsync=True)
"""


def test_a_kill_at_any_step_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path)
    seen = []
    for step in range(40):
        commit_failed(layout, "new/a.mp4", OLD, fsync=False)
        code = subprocess.run([sys.executable, "-c", DIE_AT, str(tmp_path), str(step)]).returncode
        remove_leftovers(tmp_path)
        found = {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()}
        assert found in ({"a.mp4.failed.json": OLD}, {"a.mp4.timeline.json": NEW})
        seen.append(next(iter(found)))
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert code == 0
    assert seen == sorted(seen)  # once the new one is there it stays
    assert len(seen) >= 9


COMMIT_FOR_EVER = """
import itertools, sys
from pathlib import Path
from corridor_cli.timeline.commit import write_atomically
path = Path(sys.argv[1])
for turn in itertools.count():
    size = 10 + turn * 7919 % 300_000
    write_atomically(path, b"%08d" % size + b"x" * size, fsync=turn % 2 == 0)
    if turn == 0:
        print("going", flush=True)
"""


def test_a_random_kill_never_tears_a_file(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    generator = random.Random(7)
    num_leftovers = 0
    for _ in range(30):
        process = subprocess.Popen([sys.executable, "-c", COMMIT_FOR_EVER, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"going\n"
        time.sleep(generator.uniform(0, 0.02))
        process.kill()
        process.wait()
        process.stdout.close()
        data = path.read_bytes()
        assert len(data) == 8 + int(data[:8])
        left = [name for name in names(tmp_path) if name != "out.json"]
        assert all(map(is_leftover, left))
        num_leftovers += len(left)
        remove_leftovers(tmp_path)
        assert names(tmp_path) == ["out.json"]
    assert num_leftovers > 0
