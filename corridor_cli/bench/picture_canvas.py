"""One look for all pictures: matplotlib draws, and what it wrote becomes an SVG that fits into any page.

A picture alone has colours that can be read on white and on black, and no background. In a page each mark has
a class for its colour (`f-blue` filled, `s-blue` stroked), so that a style sheet can do better. The same
document gives the same bytes.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from corridor_cli.printable import printable

# Told apart with any colour blindness (Okabe and Ito's, the yellow ones darkened); each has a contrast of 2.9
# or more to white and to #0d1117.
COLOURS = {
    "blue": "#0072b2",
    "vermilion": "#d55e00",
    "green": "#009e73",
    "ochre": "#a87500",
    "purple": "#b5679a",
    "ink": "#797979",
    "faint": "#8c8c8c",
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "vlmtl",
    "text.parse_math": False,  # a name may hold dollars
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 10.0,
    "axes.labelsize": 10.0,
    "axes.titlesize": 10.0,
    "legend.fontsize": 9.5,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.titlecolor": COLOURS["ink"],
    "axes.edgecolor": COLOURS["ink"],
    "xtick.color": COLOURS["ink"],
    "ytick.color": COLOURS["ink"],
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": COLOURS["faint"],
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
}
WIDTH_INCHES = 6.4
_LEGEND_CHARACTERS, _HANDLE_CHARACTERS, _MAX_LEGEND_COLUMNS = 82, 9, 4
_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
_NAME_OF = {value: name for name, value in COLOURS.items()}


class Canvas:
    """A figure with one axes or several, which ends as an SVG."""

    def __init__(self, name: str, title: str, height_inches: float) -> None:
        self._name, self._title = name, title
        self.figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
        FigureCanvasSVG(self.figure)

    def axes(self, x_title: str, y_title: str) -> Axes:
        """The only axes of the picture."""
        axes = self.figure.add_subplot()
        axes.set_xlabel(x_title)
        axes.set_ylabel(y_title)
        return axes

    def legend(self, axes: Axes) -> None:
        """Above the axes, where no data is."""
        handles, labels = axes.get_legend_handles_labels()
        if handles:
            self.figure.legend(handles, labels, loc="outside upper left", ncols=legend_columns(labels))

    def svg(self, description: str) -> str:
        """The picture; `description` is for those who do not see it."""
        text = io.StringIO()
        self.figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        return _mended(text.getvalue(), self._name, self._title, description)


@contextmanager
def canvas(name: str, title: str, height_inches: float = 3.5) -> Iterator[Canvas]:
    """A canvas while the look holds; `name` begins every id in the picture."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a person's own style would make other pictures of the same figures
        matplotlib.rcParams.update(_STYLE)
        yield Canvas(name, title, height_inches)


def legend_columns(labels: Sequence[str]) -> int:
    """As many columns as fit beside each other; a legend fills them from top to bottom, longer ones first."""
    for count in range(min(_MAX_LEGEND_COLUMNS, len(labels)), 1, -1):
        height, longer = divmod(len(labels), count)
        starts = [place * height + min(place, longer) for place in range(count + 1)]
        columns = [labels[start:end] for start, end in pairwise(starts)]
        if sum(max(map(len, column)) + _HANDLE_CHARACTERS for column in columns) <= _LEGEND_CHARACTERS:
            return count
    return 1


def batch_axis(axes: Axes, sizes: Sequence[int]) -> None:
    """Doublings are equally far apart, and ticks are at sizes that were asked for."""
    ordered = sorted(set(sizes))
    axes.set_xscale("log", base=2)
    width = math.log2(ordered[-1] / ordered[0]) or 1.0
    kept: list[int] = []
    for size in ordered:
        if not kept or math.log2(size / kept[-1]) >= width / 16:
            kept.append(size)
    axes.xaxis.set_major_locator(FixedLocator(kept))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlim(ordered[0] / 2 ** (0.06 * width), ordered[-1] * 2 ** (0.06 * width))


def plain_numbers() -> FuncFormatter:
    """Ticks as people write numbers: `0.25`, `1,500`; neither powers of ten nor a common factor."""
    return FuncFormatter(lambda value, _: f"{value:,.6g}")


def value_axis(axes: Axes, values: Sequence[float], *, may_be_log: bool = False) -> None:
    """From zero, or logarithmic where it may be and the values lie more than twelvefold apart."""
    positive = [value for value in values if value > 0]
    if may_be_log and positive and max(positive) > 12 * min(positive):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0), numticks=12))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(0, 1.08 * max(positive, default=1.0))
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(plain_numbers())


def _mended(text: str, name: str, title: str, description: str) -> str:
    """matplotlib's SVG without what it says of itself; with ids of its own, classes, title, description."""
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(text)
    for child in list(root):
        if child.tag == f"{{{_SVG}}}metadata" or _is_global_style(child):
            root.remove(child)
    for element in root.iter():
        _mend(element, name)
    root.set("role", "img")
    root.set("class", "vlmtl-picture")
    root.set("aria-labelledby", f"{name}-title {name}-description")
    root.set("stroke-linejoin", "round")
    for place, (tag, words) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(f"{{{_SVG}}}{tag}", {"id": f"{name}-{_LONG[tag]}"})
        element.text = printable(words)
        root.insert(place, element)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


_LONG = {"title": "title", "desc": "description"}


def _is_global_style(element: ElementTree.Element) -> bool:
    """A rule for every element, which would reach out of a picture that lies in a page."""
    return element.tag == f"{{{_SVG}}}defs" and any(each.tag == f"{{{_SVG}}}style" for each in element)


def _mend(element: ElementTree.Element, name: str) -> None:
    if "id" in element.attrib:
        element.set("id", f"{name}-{element.get('id')}")
    target = element.attrib.pop(_HREF, None)
    if target is not None:
        element.set("href", target.replace("#", f"#{name}-"))
    for key, value in element.attrib.items():
        if "url(#" in value:
            element.set(key, value.replace("url(#", f"url(#{name}-"))
    style = element.attrib.pop("style", None)
    if style is not None:
        _spread_style(element, style)


def _spread_style(element: ElementTree.Element, style: str) -> None:
    """Colours become attributes and classes: a style sheet has the last word over those."""
    rest, classes = [], []
    for part in filter(None, map(str.strip, style.split(";"))):
        key, value = (each.strip() for each in re.split(":", part, maxsplit=1))
        if key in ("fill", "stroke"):
            element.set(key, value)
            if value in _NAME_OF:
                classes.append(f"{key[0]}-{_NAME_OF[value]}")
        else:
            rest.append(f"{key}: {value}")
    if classes:
        element.set("class", " ".join(classes))
    if rest:
        element.set("style", "; ".join(rest))
