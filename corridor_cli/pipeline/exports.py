"""What a run writes beside its documents, if asked to: `output.exports`.

Files that lie beside a timeline are written behind it by the writer thread, so a run killed in between finds
them missing, and makes them without a scan or a model. What went wrong with them is told at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from corridor_cli.errors import TimelineError
from corridor_cli.pipeline.writer import Writer
from corridor_cli.timeline.exports.beside import export_committed, export_path, remove_beside
from corridor_cli.timeline.exports.registry import Format
from corridor_cli.timeline.layout import TIMELINE_SUFFIX, OutputLayout, output_name


class VideoExports:
    """The exports of single videos. `kept` and `problems` may be read once the writer has ended."""

    def __init__(self, layout: OutputLayout, formats: Sequence[Format], writer: Writer) -> None:
        self._layout = layout
        self._formats = formats
        self._writer = writer
        self.kept: list[str] = []
        self.problems: list[str] = []

    def write(self, relative: str, formats: Sequence[Format] | None = None) -> None:
        """Export the timeline of a source: it is committed, or its commit was handed over before."""
        if wanted := self._formats if formats is None else formats:
            self._writer.submit(partial(self._write, output_name(relative), wanted))

    def remove(self, relative: str) -> None:
        """The source has no timeline any more."""
        self._writer.submit(partial(remove_beside, self._layout, output_name(relative)))

    def _write(self, name: str, formats: Sequence[Format]) -> None:
        try:
            results = export_committed(self._layout, name, formats)
        except TimelineError as error:
            self.problems.append(f"{name}{TIMELINE_SUFFIX}: {error.message}")
            return
        for result in results:
            if result.fate is None:
                self.problems.append(f"{name}{TIMELINE_SUFFIX}: {result.problem}: no {result.export.name}")
            elif result.fate == "kept":
                path = export_path(self._layout, name, result.export)
                self.kept.append(str(path.relative_to(self._layout.root)))
