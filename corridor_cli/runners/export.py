"""Exports of all timelines below OUTPUT: no video is opened and no model is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from corridor_cli.errors import ExitCode, NoInputsError, UsageError
from corridor_cli.printable import printable
from corridor_cli.runners.export_files import export_files
from corridor_cli.telemetry import counted
from corridor_cli.timeline.exports.find import Found, find_timelines
from corridor_cli.timeline.exports.keep import Fate
from corridor_cli.timeline.exports.one_file import ExportJob, FileResult
from corridor_cli.timeline.exports.registry import Format, tables
from corridor_cli.timeline.exports.table_set import TableSet
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.lock import OutputLock


@dataclass(frozen=True, slots=True)
class ExportProblem:
    """A file, as its path below OUTPUT, and what is wrong with it."""

    file: str
    what: str


@dataclass(slots=True)
class ExportReport:
    """What became of an export. `counts` has for each format how many files were written, unchanged or kept;
    `kept` are those that somebody else has written or changed. `num_failed` videos have no timeline."""

    num_timelines: int = 0
    num_failed: int = 0
    num_scenes: int = 0
    num_without_caption: int = 0
    counts: dict[str, dict[Fate, int]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    problems: list[ExportProblem] = field(default_factory=list)

    @property
    def exit_code(self) -> ExitCode:
        """0 when all is exported, 3 when some of it is not."""
        return ExitCode.PARTIAL if self.problems or self.kept else ExitCode.OK

    def take(self, result: FileResult) -> None:
        """Count what became of a timeline."""
        self.problems += [ExportProblem(result.file, what) for what in result.problems]
        self.num_timelines += bool(result.num_scenes)
        self.num_scenes += result.num_scenes
        self.num_without_caption += result.num_without_caption
        for name, path, fate in result.fates:
            self.settled(name, path, fate)

    def settled(self, name: str, path: str, fate: Fate) -> None:
        counts = self.counts.setdefault(name, {})
        counts[fate] = counts.get(fate, 0) + 1
        if fate == "kept":
            self.kept.append(path)


def export_output(root: Path, formats: Sequence[Format], *, force: bool) -> ExportReport:
    """Export every timeline below `root`. Raises `VlmtlError` where nothing can be exported."""
    if not root.is_dir():
        raise UsageError(
            f"{printable(root)} is not a folder.",
            hint="Give the OUTPUT folder of an earlier `vlmtl run`.",
        )
    layout = OutputLayout(root.resolve())
    found = find_timelines(layout.root)
    if not found.timelines:
        raise _nothing_there(root, found)
    with OutputLock(layout) as lock:
        report = export_timelines(layout, found, formats, force=force, fsync=True)
        lock.check()
    if not report.num_timelines:
        first = report.problems[0]
        raise NoInputsError(
            f"{printable(root)}: none of {counted(len(found.timelines), 'timeline')} can be exported; "
            f"the first is {first.file}, which {first.what}",
            hint="`vlmtl validate` tells what is wrong, `vlmtl run --force` writes documents anew.",
        )
    return report


def export_timelines(
    layout: OutputLayout, found: Found, formats: Sequence[Format], *, force: bool, fsync: bool
) -> ExportReport:
    """Export what was found. The caller holds the lock. Raises `StorageError`.

    Nothing replaces a table when there is nothing to put into it.
    """
    report = ExportReport(num_failed=found.num_failed)
    by_table = tables(formats)
    names = tuple(each.name for each in formats if not each.is_table)
    job = ExportJob(layout.root, names, bool(by_table), force)
    with ExitStack() as stack:
        results = stack.enter_context(closing(export_files(job, found.timelines)))
        table_set: TableSet | None = None
        for result in results:
            report.take(result)
            if by_table and result.rows and table_set is None:
                table_set = stack.enter_context(TableSet(layout, by_table, force=force, fsync=fsync))
            if table_set is not None:
                table_set.add(result.rows)
        if table_set is not None:
            for export, path, fate in table_set.commit():
                report.settled(export.name, printable(path.relative_to(layout.root)), fate)
    return report


def kept_lines(kept: Iterable[str]) -> list[str]:
    """What to tell of files that were kept."""
    why = "kept, for it was changed since, or is not by vlmtl; `vlmtl export --force` replaces it"
    return [f"{path}: {why}" for path in kept]


def _nothing_there(root: Path, found: Found) -> NoInputsError:
    failed = f" ({counted(found.num_failed, 'video')} failed)" if found.num_failed else ""
    return NoInputsError(
        f"No timeline was found in {printable(root)}{failed}.",
        hint="Give the OUTPUT folder of an earlier `vlmtl run`.",
    )
