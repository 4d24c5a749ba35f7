"""Write `docs/reference/config.md` and `docs/reference/cli.md` from what is there.

    python scripts/references.py            # write them
    python scripts/references.py --check    # exit code 8 when they are not what the code says

Settings come from `corridor_cli/settings.py` (what is allowed, the default) and the comments of
`corridor_cli/processing.yaml` (what each is for), commands and options from the command line itself.
Nothing is described here.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from corridor_cli.cli.config import yaml_value
from corridor_cli.cli.main import app
from corridor_cli.config import packaged_file
from corridor_cli.config.keys import find_key, section_names
from corridor_cli.config.yaml_tree import Node, parse_tree

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
NOT_CURRENT = 8

_MARK = "<!-- Written by scripts/references.py: change {source}, then run it. -->"
_DITTO = "(with the one above)"
_SPECIAL = re.compile(r"([\\*_<|\[\]])")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the settings file: a setting or a section, and the comment that stands directly above it."""

    name: str
    comment: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or say whether they are current."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the pages are")
    options = parser.parse_args(arguments)
    pages = {"config.md": config_page(), "cli.md": cli_page()}
    if not options.check:
        options.folder.mkdir(parents=True, exist_ok=True)
        for name, text in pages.items():
            (options.folder / name).write_text(text, encoding="utf-8")
        return 0
    old = [name for name, text in pages.items() if _read(options.folder / name) != text]
    for name in old:
        print(f"{options.folder / name} is out of date: run python scripts/references.py", file=sys.stderr)
    return NOT_CURRENT if old else 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


# --- settings ---


def config_page() -> str:
    """Every setting with what is allowed, its default and what it is for."""
    text = packaged_file().read_text(encoding="utf-8")
    head = "\n".join(_comment_lines(text.split("\n\n")[0].splitlines()))
    lines = [
        "# Settings",
        "",
        _MARK.format(source="corridor_cli/settings.py or corridor_cli/processing.yaml"),
        "",
        "```text",
        head,
        "```",
    ]
    for entry in entries(text):
        if entry.name in section_names():
            lines += ["", f"## `{entry.name}`", "", escaped(entry.comment), ""] if entry.comment else []
            if entry.comment:
                lines += ["| setting | allowed | default | |", "|---|---|---|---|"]
        else:
            lines.append(_row(entry))
    return "\n".join(lines) + "\n"


def entries(text: str) -> Iterator[Entry]:
    """What the settings file names, in its order."""
    tree, problems = parse_tree(text.encode())
    assert tree is not None, problems
    lines = text.splitlines()
    for name, line in sorted(_places(tree), key=lambda each: each[1]):
        above = line - 2
        while above >= 0 and lines[above].lstrip().startswith("#"):
            above -= 1
        yield Entry(name, " ".join(_comment_lines(lines[above + 1 : line - 1])))


def _places(node: Node, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Each setting and section by its dotted name, with its line from 1."""
    assert isinstance(node.value, dict), "a section is a mapping"
    for name, child in node.value.items():
        full = prefix + name
        yield full, node.key_positions[name].line
        if full in section_names():
            yield from _places(child, f"{full}.")


def _comment_lines(lines: Sequence[str]) -> list[str]:
    return [line.strip().removeprefix("#").removeprefix(" ") for line in lines]


def _row(entry: Entry) -> str:
    key = find_key(entry.name)
    assert key is not None, f"{entry.name} is no setting"
    cells = (
        f"`{key.name}`",
        escaped(key.allowed),
        f"`{yaml_value(key.default)}`",
        escaped(entry.comment) or _DITTO,
    )
    return f"| {' | '.join(cells)} |"


# --- commands ---


def cli_page() -> str:
    """Every command with its arguments and options."""
    import typer

    root = typer.main.get_command(app)
    lines = [
        "# Commands",
        "",
        _MARK.format(source="the command's own module in corridor_cli/cli/"),
        "",
        escaped(root.help or ""),
        "",
        escaped(root.epilog or ""),
    ]
    for path, command in commands(root, ("vlmtl",)):
        lines += ["", *_command_lines(path, command)]
    return "\n".join(lines) + "\n"


def commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each command that does something, in the order of the help; a default command by its group's name."""
    below: dict[str, Any] = getattr(command, "commands", {})
    default = getattr(command, "default_command", None)
    if not below:
        yield path, command
    if default is not None:
        yield path, below[default]
    for name, each in below.items():
        if name != default and not each.hidden:
            yield from commands(each, (*path, name))


def _command_lines(path: tuple[str, ...], command: Any) -> Iterator[str]:
    called = " ".join(path)
    context = command.context_class(command, info_name=called)
    yield f"## `{called}`"
    yield ""
    yield f"`{' '.join([called, *command.collect_usage_pieces(context)])}`"
    for text in (command.help, command.epilog):
        for paragraph in (text or "").strip().split("\n\n"):
            if paragraph:
                yield ""
                yield escaped(" ".join(paragraph.split()))
    arguments = [
        (f"`{each.metavar or each.name.upper()}`", each.help)
        for each in command.params
        if each.param_type_name == "argument" and not each.hidden
    ]
    options = [
        (f"`{spelling}`", told)
        for each in command.params
        if each.param_type_name == "option" and not each.hidden
        for spelling, told in (each.get_help_record(context),)
    ]
    if arguments or options:
        yield ""
        yield "| | |"
        yield "|---|---|"
    for name, told in (*arguments, *options):
        yield f"| {escaped(name)} | {escaped(told or '')} |"


def escaped(text: str) -> str:
    """Text as Markdown that shows it as it is, on one line; what stands in backticks is left alone."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(
        part.replace("|", r"\|") if part.startswith("`") and len(part) > 1 else _SPECIAL.sub(r"\\\1", part)
        for part in parts
    )


if __name__ == "__main__":
    sys.exit(main())
