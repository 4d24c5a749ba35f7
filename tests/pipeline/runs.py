"""Runs of the real command, in this process or in one of their own, and what they leave behind."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from fractions import Fraction
from pathlib import Path
from typing import Any

from sample_clips import Encoding, SceneRecipe, draw_story, write_video

from corridor_cli.cli.main import call

ROOT = Path(__file__).parents[2]
MARK = "CORRIDOR_TEST_RUN"
SHAPES = ("circle", "square", "triangle")
COLOURS = ("red", "blue", "yellow", "green", "purple", "cyan", "orange", "pink")
GROUNDS = ("white", "black", "gray")


def draw_scenes(path: Path, num_scenes: int, seconds: float = 0.6, first: int = 0) -> Path:
    """A video of scenes that all look different, with hard cuts between them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    recipes = [
        SceneRecipe(
            SHAPES[i % 3],
            COLOURS[i % 8],
            GROUNDS[i % 3],
            start_place=(0.25, 0.5),
            end_place=(0.75, 0.5),
            seconds=seconds,
        )
        for i in range(first, first + num_scenes)
    ]
    how = Encoding(options={"preset": "ultrafast", "crf": "23"})
    return write_video(path, draw_story(recipes, Fraction(25), 192, 108), how)


def _listen() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(
    arguments: Sequence[str | Path], *, mark: str = "", cwd: Path | None = None
) -> subprocess.Popen[str]:
    """`vlmtl ARGUMENTS` as a process; `mark` is in the environment of it and of all its children."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", MARK: mark or "none"}
    return subprocess.Popen(
        [sys.executable, "-m", "corridor_cli", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
        env=environment,
        cwd=cwd or ROOT.parent,
        # Tests started in the background inherit an ignored SIGINT, which the command would rightly respect.
        preexec_fn=_listen,
    )


def run(*arguments: str | Path, cwd: Path | None = None) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `vlmtl ARGUMENTS`, called in this process.

    Its media workers and its engine host are processes as ever. What main imports, which is more than half of
    what a short run costs, is imported once for all tests. What is about main's own process is for `start`.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd or ROOT.parent), redirect_stdout(out), redirect_stderr(err):
        code = call([*map(str, arguments)])
    return int(code), out.getvalue(), err.getvalue()


def echo_options(**settings: object) -> list[str]:
    """The options of a run with the echo engine, told to misbehave as given."""
    sets = [f"gpu_pipeline.internvl3.echo.{name}={value}" for name, value in settings.items()]
    return ["--engine", "echo", *(word for each in sets for word in ("--set", each))]


def documents(output: Path) -> dict[str, dict[str, Any]]:
    """Every document below OUTPUT by its relative path, without what may differ between runs."""
    found = {}
    for path in sorted([*output.rglob("*.timeline.json"), *output.rglob("*.failed.json")]):
        document = json.loads(path.read_bytes())
        del document["run"]
        found[str(path.relative_to(output))] = document
    return found


def logged_captions(output: Path) -> int:
    """Lines in all caption logs that hold a caption."""
    logs = output.glob(".vlmtl/captions/*/*.jsonl")
    return sum(line.count(b'{"caption"') for log in logs for line in log.read_bytes().splitlines())


def wait_for_captions(output: Path, number: int, process: subprocess.Popen[str], seconds: float = 60) -> None:
    """Return once that many captions are logged, or the run has ended."""
    deadline = time.monotonic() + seconds
    while logged_captions(output) < number and process.poll() is None:
        assert time.monotonic() < deadline, f"{logged_captions(output)} captions after {seconds} s"
        time.sleep(0.01)


def marked_processes(mark: str) -> Iterator[tuple[int, str]]:
    """(pid, command line) of every living process whose environment carries the mark."""
    wanted = f"{MARK}={mark}".encode()
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and wanted in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue


def kill_marked(mark: str, word: str) -> int:
    """SIGKILL every marked process with `word` in its command line; how many there were."""
    pids = [pid for pid, line in marked_processes(mark) if word in line]
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return len(pids)


def wait_until_gone(mark: str, seconds: float = 5) -> None:
    """Fail unless every marked process ends within the time."""
    deadline = time.monotonic() + seconds
    while left := list(marked_processes(mark)):
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.02)
