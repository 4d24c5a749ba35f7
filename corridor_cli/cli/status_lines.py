"""What stands in an output folder, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from corridor_cli.cli.page import Page, one_line
from corridor_cli.cli.summary import retry_command
from corridor_cli.cli.tables import is_terminal, open_console, plain_table
from corridor_cli.printable import encodable, printable, shell_word
from corridor_cli.runners.standing import Standing, State
from corridor_cli.runners.status import StatusReport
from corridor_cli.telemetry import counted
from corridor_cli.timeline.holder import Holder
from corridor_cli.timeline.last_run import LastRun

_STYLES = {"failed": "red", "partial": "yellow", "stale": "yellow", "done": "green"}
_MAX_VIDEO_CELLS = 34
_RETRIED: tuple[State, ...] = ("failed", "partial")
_GOES_ON: tuple[State, ...] = ("stale", "pending")


def report_as_json(
    report: StatusReport, last: LastRun | None, command: Sequence[str], wanted: Sequence[State]
) -> str:
    """The whole report; of the videos those in a state that is wanted."""
    document = {
        "output": encodable(str(report.output)),
        "counts": report.counts,
        "are_inputs_known": report.are_inputs_known,
        "is_model_known": report.is_model_known,
        "running": _holder_as_json(report.holder),
        "latest_run": None if last is None else {"began_at": last.began_at, "folder": encodable(last.folder)},
        "next": [encodable(line) for _, line in next_steps(report, last, command)],
        "videos": [_as_json(each) for each in report.standings if each.state in wanted],
        "exit_code": int(report.exit_code),
    }
    return json.dumps(document, indent=2)


def _as_json(standing: Standing) -> dict[str, Any]:
    return {
        "state": standing.state,
        "video": encodable(standing.video),
        "source": encodable(standing.source) if standing.source else None,
        "document": encodable(standing.document) if standing.document else None,
        "why": encodable(standing.why) or None,
    }


def _holder_as_json(holder: Holder | None) -> dict[str, Any] | None:
    if holder is None:
        return None
    return {
        "pid": holder.pid,
        "host": holder.host,
        "since": holder.since,
        "is_certain": holder.is_certain,
    }


def report_text(
    report: StatusReport,
    last: LastRun | None,
    command: Sequence[str],
    wanted: Sequence[State],
    limit: int,
) -> str:
    """Counts, who is at work, the videos in a state that is wanted, and what to do next."""
    page = Page()
    counts = [f"{number:,} {state}" for state, number in report.counts.items() if number]
    noun = "video" if report.are_inputs_known else "document"
    page.line(f"{counted(len(report.standings), noun)}: {', '.join(counts)}", style="bold")
    if report.holder is not None:
        page.line(_holder_in_words(report.holder), style="cyan")
    if not report.are_inputs_known:
        page.line("Which videos have no document yet is not known: name the inputs behind OUTPUT.")
    listed = [each for each in report.standings if each.state in wanted]
    text = page.text
    if listed:
        text += f"\n\n{_table(listed[:limit])}"
    end = Page()
    if len(listed) > limit:
        end.line(f"and {len(listed) - limit:,} more: -n {len(listed)} lists them, --json all of them")
    for purpose, line in next_steps(report, last, command):
        end.line()
        end.line(f"{purpose}:")
        end.line(printable(line), indent=2, is_copied=True)
    return "\n".join(filter(None, (text, end.text)))


def next_steps(report: StatusReport, last: LastRun | None, command: Sequence[str]) -> list[tuple[str, str]]:
    """What to do, and the command that does it."""
    counts = report.counts
    retried = any(counts[state] for state in _RETRIED)
    goes_on = any(counts[state] for state in _GOES_ON)
    if not (retried or goes_on) or (report.holder and report.holder.is_certain):
        return []
    words = list(command) or ["run", "INPUT...", str(report.output)]
    steps: list[tuple[str, str]] = []
    if goes_on:
        steps.append(("to do what is stale or pending", _in_folder(_pasted(words), last)))
    if retried:
        told = retry_command(words) if command else _pasted([words[0], "--retry-failed", *words[1:]])
        steps.append(("to try what failed or is partial again, and do the rest", _in_folder(told, last)))
    return steps


def _pasted(words: Sequence[str]) -> str:
    return " ".join(["vlmtl", *(word if word == "INPUT..." else shell_word(word) for word in words)])


def _in_folder(command: str, last: LastRun | None) -> str:
    """The command where it means the same: its paths may begin in the folder of the latest run."""
    if last is None or last.folder == str(Path.cwd()):
        return command
    return f"cd {shell_word(last.folder)} && {command}"


def _holder_in_words(holder: Holder) -> str:
    if not holder.is_certain:
        return printable(
            f"perhaps running: process {holder.pid} on {holder.host} has left its note, since {holder.since}"
        )
    if holder.pid is None:
        return "running: another process owns the folder now"
    return printable(f"running: process {holder.pid} on {holder.host}, since {holder.since}")


def _table(standings: Sequence[Standing]) -> str:
    """Three columns within the width of a terminal; reasons are broken, of a long name the end is shown."""
    import io

    from rich.text import Text

    table = plain_table()
    table.add_column("STATE", no_wrap=True)
    table.add_column("VIDEO", no_wrap=True, overflow="ellipsis")
    table.add_column("WHY")
    is_narrow = is_terminal()
    for each in standings:
        video = one_line(each.video)
        name = _shortened(video) if is_narrow else video
        table.add_row(
            Text(each.state, style=_STYLES.get(each.state, "")), Text(name), Text(one_line(each.why))
        )
    text = io.StringIO()
    open_console(text).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip("\n").split("\n"))


def _shortened(name: str) -> str:
    """The end of a name tells most: the file, and the folder it is in."""
    from rich.cells import cell_len

    if cell_len(name) <= _MAX_VIDEO_CELLS:
        return name
    while cell_len(name) >= _MAX_VIDEO_CELLS:
        name = name[1:]
    return f"…{name}"
