"""The door to the pictures: which there are, and drawing those a document has the data for.

matplotlib (extra `bench`) is loaded behind it, and only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from corridor_cli.bench.document import BenchDocument
from corridor_cli.printable import shortened

# Name of the file, module and function, and the title in a page; in the order they are shown.
PICTURES: tuple[tuple[str, str, str, str], ...] = (
    ("throughput", "picture_batches", "throughput", "Throughput by batch size"),
    ("latency", "picture_batches", "latency", "Latency by batch size"),
    ("pareto", "picture_batches", "pareto", "Throughput against latency"),
    ("memory", "picture_batches", "memory", "Memory by batch size"),
    ("stages", "picture_passes", "stages", "Where a request's time goes"),
    ("whole-way", "picture_runs", "whole_way", "Stages from files to timelines"),
    ("ceilings", "picture_passes", "ceilings", "How near each pass comes to its peak"),
    ("roofline", "picture_passes", "roofline", "Roofline"),
    ("axes", "picture_runs", "axes", "Throughput along the other axes"),
    ("long-run", "picture_runs", "long_run", "A long run"),
)
NAMES = tuple(name for name, *_ in PICTURES)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as SVG, with the sentence that says what to see in it."""

    name: str
    title: str
    svg: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """The pictures there are, and why others that have data are missing."""

    pictures: tuple[Picture, ...]
    problems: tuple[str, ...] = ()


def why_no_pictures() -> str | None:
    """One line that says why nothing can be drawn here and what to do; None where it can."""
    try:
        import_module("corridor_cli.bench.picture_canvas")
    except Exception as error:  # noqa: BLE001 - a library that is damaged can fail in any way
        reason = "is not installed" if isinstance(error, ModuleNotFoundError) else "cannot be loaded"
        told = shortened(" ".join(f"{type(error).__name__}: {error}".split()), 120)
        return f"no pictures: matplotlib {reason} ({told}); `pip install 'vlmtl[bench]'` brings it"
    return None


def draw_pictures(document: BenchDocument) -> Drawn:
    """All pictures the document has the data for. Raises nothing: what cannot be drawn becomes a problem."""
    reason = why_no_pictures()
    if reason is not None:
        return Drawn((), (reason,))
    pictures: list[Picture] = []
    problems: list[str] = []
    for name, module, function, title in PICTURES:
        draw: Callable[[BenchDocument], str | None]
        draw = getattr(import_module(f"corridor_cli.bench.{module}"), function)
        try:
            svg = draw(document)
        except Exception as error:  # noqa: BLE001 - one picture must not cost the results of hours
            problems.append(f"no picture {name}: {shortened(f'{type(error).__name__}: {error}', 200)}")
            continue
        if svg is not None:
            pictures.append(Picture(name, title, svg, _sentence(svg)))
    return Drawn(tuple(pictures), tuple(problems))


def _sentence(svg: str) -> str:
    """What the picture says of itself to those who do not see it."""
    from xml.etree import ElementTree

    found = ElementTree.fromstring(svg).find("{http://www.w3.org/2000/svg}desc")
    return (found.text or "") if found is not None else ""
