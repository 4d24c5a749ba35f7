"""A YAML file as a tree whose every key and value knows its line and column.

Built from PyYAML's events, not from its loader, because a settings file needs less than YAML and more care:
the loader keeps the last of two equal keys, reads `1e-3` as text, `22:30` as 1350, `no` as false and `010` as
8, follows aliases (a few hundred bytes can become gigabytes) and recurses once for each level of nesting.
Here scalars follow YAML 1.2, and what is not needed is refused.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import yaml

from corridor_cli.printable import shortened

MAX_FILE_BYTES = 256 * 1024
MAX_DEPTH = 16
_MAX_NUMBER_CHARS = 40

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*(_[0-9]+)*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

Scalar: TypeAlias = str | int | float | bool | None


class Position(NamedTuple):
    """A place in a file, both from 1."""

    line: int
    column: int


class Problem(NamedTuple):
    """What is wrong at a place."""

    position: Position
    message: str


@dataclass(slots=True)
class Node:
    """A value and where it begins; `key_positions` tells where each key of a mapping begins."""

    value: Scalar | list[Node] | dict[str, Node]
    position: Position
    is_quoted: bool = False
    key_positions: dict[str, Position] = field(default_factory=dict)


class _TreeError(Exception):
    """Reading cannot go on after this problem."""

    def __init__(self, position: Position, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(position, message)


def parse_tree(data: bytes) -> tuple[Node | None, list[Problem]]:
    """The tree of one YAML document and everything wrong with it; no tree when it cannot be read to its end
    or holds nothing. Never raises for what the data holds."""
    problems: list[Problem] = []
    text = ""
    try:
        text = _decode(data)
        return _Builder(problems).build(text), problems
    except _TreeError as error:
        problems.append(error.problem)
    except yaml.reader.ReaderError as error:
        problems.append(Problem(_position_in(text, error.position), "the file holds a control character"))
    except yaml.MarkedYAMLError as error:
        problems.append(_from_yaml(error))
    return None, problems


def parse_scalar(text: str) -> Scalar:
    """The value of an unquoted scalar by YAML 1.2's core rules, without octal, hex, `.inf` and `.nan`."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) <= _MAX_NUMBER_CHARS:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


def _decode(data: bytes) -> str:
    if len(data) > MAX_FILE_BYTES:
        raise _TreeError(Position(1, 1), f"the file is larger than {MAX_FILE_BYTES // 1024} KiB")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        raise _TreeError(_position_in(before, len(before)), "the file is not UTF-8 text") from None


def _position_in(text: str, index: int) -> Position:
    line_start = text.rfind("\n", 0, index) + 1
    return Position(text.count("\n", 0, index) + 1, index - line_start + 1)


def _start(event: yaml.Event) -> Position:
    mark = event.start_mark
    assert mark is not None, "the pure Python parser marks every event"
    return Position(mark.line + 1, mark.column + 1)


def _from_yaml(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    position = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
    message = f"not valid YAML: {error.problem or error.context}"
    if "'\\t'" in message:
        message += ". Indent with spaces, not tabs."
    elif "cannot start any token" in message:
        message += ". Quote texts that begin with it."
    elif "mapping values are not allowed" in message or "expected <block end>" in message:
        message += ". Check the indentation, and quote texts that hold a colon."
    elif "undefined alias" in message or "while scanning an alias" in str(error.context):
        message += ". Quote texts that begin with *."
    return Problem(position, shortened(message, 300))


class _Builder:
    """Turns events into nodes with a stack of its own, so depth is a limit and not a crash."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems

    def build(self, text: str) -> Node | None:
        root: Node | None = None
        num_documents = 0
        events = yaml.parse(text, Loader=yaml.SafeLoader)
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                num_documents += 1
                if num_documents > 1:
                    raise _TreeError(_start(event), "a second document begins; one is allowed")
            elif isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, 1)
        return root

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        assert isinstance(event, yaml.NodeEvent), f"a value was due, not {event}"
        position = _start(event)
        if isinstance(event, yaml.AliasEvent):
            raise _TreeError(position, "aliases (*name) are not allowed. Quote texts that begin with *.")
        if event.anchor is not None:
            raise _TreeError(position, "anchors (&name) are not allowed. Quote texts that begin with &.")
        if getattr(event, "tag", None) is not None:
            raise _TreeError(position, "tags (!name) are not allowed. Quote texts that begin with !.")
        if depth > MAX_DEPTH:
            raise _TreeError(position, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(position, events, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(position, events, depth)
        assert isinstance(event, yaml.ScalarEvent)
        is_plain = event.implicit[0]
        return Node(parse_scalar(event.value) if is_plain else event.value, position, not is_plain)

    def _sequence(self, position: Position, events: Iterator[yaml.Event], depth: int) -> Node:
        items: list[Node] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, events, depth + 1))
        return Node(items, position)

    def _mapping(self, position: Position, events: Iterator[yaml.Event], depth: int) -> Node:
        node = Node({}, position)
        assert isinstance(node.value, dict)
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key_position = _start(event)
            if not isinstance(event, yaml.ScalarEvent):
                self._node(event, events, depth + 1)
                self._node(next(events), events, depth + 1)
                self._problems.append(Problem(key_position, "a key must be plain text"))
                continue
            key = event.value
            self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if key in node.value:
                first = node.key_positions[key].line
                message = f"{shortened(key)}: given twice, first on line {first}. Keep one."
                self._problems.append(Problem(key_position, message))
                continue
            node.value[key] = value
            node.key_positions[key] = key_position
        return node
