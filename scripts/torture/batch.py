"""One batch: mutants into a folder, `vlmtl run` over it, and the question whether every promise was kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corridor_cli import errors
from corridor_cli.errors import ExitCode
from corridor_cli.timeline.layout import FAILED_SUFFIX, TIMELINE_SUFFIX, OutputLayout
from corridor_cli.timeline.scan_record import load_scan
from torture.mutate import Mutant

ROOT = Path(__file__).parents[2]
MARK = "TORTURE_RUN"  # in the environment of a run and all its children
STALL_SECONDS = 10
MAX_SECONDS = 20
# A file may be tried twice; each time the limit, and what main needs to notice.
MAX_WALL_SECONDS = 2 * (MAX_SECONDS + 2)
SECONDS_PER_MUTANT = 2.0
FINISHED = (ExitCode.OK, ExitCode.PARTIAL, ExitCode.NO_INPUTS)
LOSSES = ("StalledError", "WorkerDiedError")


@dataclass(frozen=True)
class Ending:
    """How one mutant ended: `complete`, `partial` or `failed`, and by which kind of error ("" for none)."""

    number: int
    codec: str
    original: str
    kinds: tuple[str, ...]
    status: str
    error: str
    message: str
    attempts: int
    wall_seconds: float


@dataclass(frozen=True)
class BatchResult:
    """The endings of one batch, and every promise that was broken: (mutant's name or "", what)."""

    endings: tuple[Ending, ...]
    violations: tuple[tuple[str, str], ...]


def run_batch(mutants: Sequence[Mutant], folder: Path, jobs: int) -> BatchResult:
    """Write the mutants below `folder`, run the command on them, check everything it left."""
    videos, output = folder / "in", folder / "out"
    videos.mkdir(parents=True)
    for mutant in mutants:
        (videos / mutant.name).write_bytes(mutant.data)
    sets = {
        "decode.workers": jobs,
        "decode.stall_seconds": STALL_SECONDS,
        "decode.max_seconds": MAX_SECONDS,
        "output.fsync": "false",
    }
    options = [word for name, value in sets.items() for word in ("--set", f"{name}={value}")]
    mark = uuid.uuid4().hex
    seconds = 60 + SECONDS_PER_MUTANT * len(mutants)
    code, out, err = vlmtl(
        "run", videos, output, "--engine", "echo", "--json", *options, mark=mark, seconds=seconds
    )
    violations = [("", problem) for problem in _run_problems(code, err, mark)]
    if code not in FINISHED:
        return BatchResult((), tuple(violations))
    endings: list[Ending] = []
    for mutant in mutants:
        ending, problems = _look_at(mutant, output)
        endings += [ending] if ending else []
        violations += [(mutant.name, problem) for problem in problems]
    violations += [("", problem) for problem in _folder_problems(output, mutants)]
    violations += [("", problem) for problem in _told_problems(code, out, endings)]
    validate_code, _, said = vlmtl("validate", output, mark=mark, seconds=120)
    if validate_code != ExitCode.OK:
        violations.append(("", f"vlmtl validate ended with {validate_code}: {said[-500:]}"))
    return BatchResult(tuple(endings), tuple(violations))


def vlmtl(*arguments: str | Path, mark: str, seconds: float) -> tuple[int | None, str, str]:
    """(exit code, stdout, stderr) of the command; the code is None when it had to be killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "corridor_cli", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
        cwd=ROOT,
        env={**os.environ, MARK: mark},
    )
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        return None, out, err
    return process.returncode, out, err


def _run_problems(code: int | None, err: str, mark: str) -> Iterator[str]:
    if code is None:
        yield f"the run hung and was killed; it last said: {err[-500:]}"
    elif code not in FINISHED:
        yield f"the run ended with exit code {code}: {err[-1500:]}"
    if "Traceback" in err:
        yield f"a traceback: {err[err.index('Traceback') :][:1500]}"
    left = [pid for pid, environment in _environments() if f"{MARK}={mark}".encode() in environment]
    if left:
        yield f"processes left behind: {left}"


def _environments() -> Iterator[tuple[int, bytes]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield int(folder.name), (folder / "environ").read_bytes()
        except OSError:
            continue  # it ended, or is somebody else's


def _look_at(mutant: Mutant, output: Path) -> tuple[Ending | None, list[str]]:
    """The one record of a mutant, and what is wrong with it."""
    paths = [output / f"{mutant.name}{suffix}" for suffix in (TIMELINE_SUFFIX, FAILED_SUFFIX)]
    there = [path for path in paths if path.exists()]
    if len(there) != 1:
        return None, [f"{len(there)} records instead of one"]
    document = json.loads(there[0].read_bytes())
    first = document["errors"][0] if document["errors"] else {"type": "", "message": ""}
    ending = Ending(
        mutant.number,
        mutant.original.codec,
        mutant.original.name,
        mutant.kinds,
        document["status"],
        first["type"],
        first["message"],
        document["run"]["attempts"],
        document["run"]["wall_seconds"] or 0.0,
    )
    return ending, [*_error_problems(document), *_scan_problems(document, output), *_time_problems(ending)]


def _error_problems(document: dict[str, Any]) -> Iterator[str]:
    for error in document["errors"]:
        kind = getattr(errors, error["type"], None)
        if not (isinstance(kind, type) and issubclass(kind, errors.MediaError)):
            yield f"an error of no kind of media errors: {error}"
        if len(error["message"].strip()) < 20 or "\n" in error["message"]:
            yield f"an error that says too little, or too much: {error}"


def _scan_problems(document: dict[str, Any], output: Path) -> Iterator[str]:
    """Does the scan record tell the same as the document?"""
    key = document["provenance"]["scan_key"]
    record = None if key is None else load_scan(OutputLayout(output).scan(key))
    if document["status"] == "failed":
        if record is not None and record.scenes:
            yield "failed, although its scan record holds scenes"
    elif record is None:
        yield "no scan record"
    else:
        told = (document["source"]["frame_count"], len(document["scenes"]), bool(document["errors"]))
        known = (record.num_frames, len(record.scenes), record.error is not None)
        if told != known:
            yield f"(frames, scenes, has errors) are {told} in the document, {known} in the scan record"


def _time_problems(ending: Ending) -> Iterator[str]:
    if ending.wall_seconds > MAX_WALL_SECONDS:
        yield f"took {ending.wall_seconds:.0f} s, more than the {MAX_WALL_SECONDS} s its limits allow"


def _folder_problems(output: Path, mutants: Sequence[Mutant]) -> Iterator[str]:
    """Anything beside the records, their pictures and the run state is somebody's mistake."""
    suffixes = (TIMELINE_SUFFIX, FAILED_SUFFIX, ".frames")
    expected = {f"{mutant.name}{suffix}" for mutant in mutants for suffix in suffixes} | {".vlmtl"}
    for path in output.iterdir():
        if path.name not in expected:
            yield f"an unexpected file: {path.name}"


def _told_problems(code: int, out: str, endings: Sequence[Ending]) -> Iterator[str]:
    """Does what the run said on stdout and by its exit code agree with the records?"""
    told = sorted(video["status"] for video in json.loads(out)["videos"])
    found = sorted(ending.status for ending in endings)
    if told != found:
        yield f"the run tells of {len(told)} videos in other states than the {len(found)} records"
    if found and set(found) == {"failed"}:
        wanted = ExitCode.NO_INPUTS
    else:
        wanted = ExitCode.OK if set(found) <= {"complete"} else ExitCode.PARTIAL
    if code != wanted:
        yield f"exit code {code} instead of {wanted.value}"
