"""Checks a folder of documents: each against its schema, and against what lies beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pydantic import ValidationError

from corridor_cli.errors import UsageError
from corridor_cli.printable import printable
from corridor_cli.timeline.commit import is_foreign, is_leftover, storage_error
from corridor_cli.timeline.invariants import InvariantError, Problem
from corridor_cli.timeline.layout import FAILED_SUFFIX, TIMELINE_SUFFIX
from corridor_cli.timeline.schema import Timeline, read_timeline


@dataclass(frozen=True, slots=True)
class FileProblem:
    """Something wrong with one file: its path in the folder, the JSON path ("" for all of it), and what."""

    file: str
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """How many documents were checked, and all that is wrong."""

    num_documents: int
    problems: tuple[FileProblem, ...]


def validate_output(root: Path) -> ValidationReport:
    """Check every document under `root`. JSON files that are not ours are left alone.

    Raises `UsageError` when `root` is no folder and `StorageError` when a file cannot be read.
    """
    if not root.is_dir():
        raise UsageError(
            f"{printable(root)} is not a folder.",
            hint="Give the OUTPUT folder of an earlier `vlmtl run`.",
        )
    num_documents = 0
    problems: list[FileProblem] = []
    for folder, folders, names in os.walk(root, onerror=_cannot_list):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            found = _check_file(path, set(names))
            num_documents += found is not None
            if is_leftover(name):
                found = [Problem("", "is the unfinished write of a run; the next run removes it")]
            shown = printable(path.relative_to(root))
            problems += [FileProblem(shown, problem.where, problem.what) for problem in found or ()]
    return ValidationReport(num_documents, tuple(problems))


def _cannot_list(error: OSError) -> NoReturn:
    raise storage_error(error, "list", Path(error.filename)) from error


def _check_file(path: Path, beside: set[str]) -> list[Problem] | None:
    """What is wrong with a document; None when the file is not one of ours."""
    suffix = next((each for each in (TIMELINE_SUFFIX, FAILED_SUFFIX) if path.name.endswith(each)), None)
    if suffix is None:
        return None
    try:
        data = path.read_bytes()
    except OSError as error:
        raise storage_error(error, "read", path) from error
    if is_foreign(data):
        return None
    try:
        timeline = read_timeline(data)
    except ValidationError as error:
        return list(explain(error))
    return list(_check_beside(timeline, path, suffix, beside))


def explain(error: ValidationError) -> Iterator[Problem]:
    """All that is wrong with a document that could not be read."""
    for each in error.errors(include_url=False):
        cause = each.get("ctx", {}).get("error")
        if isinstance(cause, InvariantError):
            yield from cause.problems
        else:
            yield Problem(_json_path(each["loc"]), each["msg"])


def _json_path(place: Sequence[int | str]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")


def _check_beside(timeline: Timeline, path: Path, suffix: str, beside: set[str]) -> Iterator[Problem]:
    if (timeline.status == "failed") != (suffix == FAILED_SUFFIX):
        yield Problem("status", f"{timeline.status!r} does not go with the name *{suffix}")
    if suffix == FAILED_SUFFIX and path.name.removesuffix(suffix) + TIMELINE_SUFFIX in beside:
        yield Problem("", "lies beside a timeline of the same source; only one of the two can be true")
    for number, scene in enumerate(timeline.scenes):
        for place, frame in enumerate(scene.frames):
            if frame.path is not None and not _is_picture(path.parent, frame.path):
                yield Problem(
                    f"scenes[{number}].frames[{place}].path",
                    f"{frame.path!r} is not a picture in this folder",
                )


def _is_picture(folder: Path, reference: str) -> bool:
    if reference.startswith("/") or ".." in reference.split("/") or "\0" in reference:
        return False
    path = folder / reference
    return path.is_file() and path.stat().st_size > 0
