"""What a sweep leaves in its folder: the document, and all that is shown of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corridor_cli.bench.document import BenchDocument
from corridor_cli.bench.going_on import resume_command
from corridor_cli.bench.pictures import NAMES, Drawn, draw_pictures
from corridor_cli.bench.report import report_html
from corridor_cli.bench.store import FILE
from corridor_cli.bench.tables import points_csv, points_markdown
from corridor_cli.errors import StorageError
from corridor_cli.printable import encodable, printable, shortened
from corridor_cli.telemetry import counted
from corridor_cli.timeline.commit import remove_file, write_atomically

DOCUMENT = "bench.json"
_FOLDER = "pictures"


@dataclass(frozen=True, slots=True)
class Written:
    """The files that are there now, and a line with the reason for each that could not be made or written.

    `is_whole` is false where a file is missing; pictures that cannot be drawn here are no loss. `unwritten`
    are those that the disk did not take.
    """

    paths: tuple[Path, ...]
    problems: tuple[str, ...] = ()
    is_whole: bool = True
    unwritten: tuple[Path, ...] = ()


def document_bytes(document: BenchDocument) -> bytes:
    """`bench.json`: what `read_document` reads."""
    return (json.dumps(_storable(document.as_json()), indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def _storable(value: Any) -> Any:
    """The same with only such text as UTF-8 can hold: names of files need not."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {encodable(str(key)): _storable(each) for key, each in value.items()}
    return [_storable(each) for each in value] if isinstance(value, list) else value


def write_results(folder: Path, document: BenchDocument) -> Written:
    """Write `bench.json`, `points.csv`, `points.md`, `report.html` and `pictures/*.svg`, each whole or not.

    Pictures of an earlier document in the same folder go where this one has none. Raises nothing: what fails
    is told, and the rest is written.
    """
    drawn = draw_pictures(document)
    paths: list[Path] = []
    unwritten: list[Path] = []
    problems = list(drawn.problems)
    for name, make in _contents(document, drawn):
        try:
            write_atomically(folder / name, make(), fsync=True)
            paths.append(folder / name)
        except StorageError as error:
            problems.append(error.message)
            unwritten.append(folder / name)
        except Exception as error:  # noqa: BLE001 - what cannot be shown must not cost what was measured
            told = shortened(f"{type(error).__name__}: {error}", 200)
            problems.append(f"{printable(name)} could not be made: {told}")
    for name in set(NAMES) - {picture.name for picture in drawn.pictures}:
        try:
            remove_file(folder / _FOLDER / f"{name}.svg")
        except StorageError as error:
            problems.append(error.message)
            unwritten.append(folder / _FOLDER / f"{name}.svg")
    return Written(tuple(paths), tuple(problems), len(problems) == len(drawn.problems), tuple(unwritten))


def unwritten_sentence(
    command: Sequence[str], document: BenchDocument, folder: Path, written: Written
) -> str:
    """What to do about results that found no place: all they are made of is kept."""
    return (
        f"{counted(len(written.unwritten), 'file')} of the results could not be written. "
        f"The points ({len(document.points)}) are kept in {printable(folder / FILE)}; once that is put "
        f"right, `{resume_command(command, folder)}` writes the results and measures no point again"
    )


def _contents(document: BenchDocument, drawn: Drawn) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Names and what makes each; the document first, since all else can be made from it again."""
    yield DOCUMENT, lambda: document_bytes(document)
    yield "points.csv", lambda: _utf8(points_csv(document))
    yield "points.md", lambda: _utf8(points_markdown(document))
    yield "report.html", lambda: _utf8(report_html(document, drawn))
    for picture in drawn.pictures:
        yield f"{_FOLDER}/{picture.name}.svg", lambda svg=picture.svg: _utf8(svg)  # type: ignore[misc]


def _utf8(text: str) -> bytes:
    return encodable(text).encode("utf-8")
