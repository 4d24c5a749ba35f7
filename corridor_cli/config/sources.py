"""Where settings are given: a file, the environment, flags. Each tells what it gives and what is wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from corridor_cli.config.check import in_words
from corridor_cli.config.given import Complaint, Given, Origin
from corridor_cli.config.keys import Key, find_key, known_keys, section_names, suggest
from corridor_cli.config.yaml_tree import Node, Position, parse_scalar, parse_tree
from corridor_cli.printable import shortened

PREFIX = "VLMTL_"
# Names with the prefix that are switches of the program and not settings.
SWITCHES = frozenset({"VLMTL_DEBUG"})


@dataclass(frozen=True, slots=True)
class Override:
    """A setting given on the command line by `flag`; a text is read as the setting's type asks."""

    name: str
    value: str | bool | tuple[str, ...]
    flag: str


def from_file(data: bytes, file: str) -> list[Given | Complaint]:
    """What the text of a settings file gives, in the order of the file."""
    tree, problems = parse_tree(data)
    found: list[Given | Complaint] = [Complaint(_in_file(file, at), message) for at, message in problems]
    if tree is None or tree.value is None:
        return found
    return found + _section(tree, "", file)


def from_environment(environ: Mapping[str, str]) -> list[Given | Complaint]:
    """What `VLMTL_SECTION__NAME` variables give; an unknown one is a complaint, not a silent typo."""
    found: list[Given | Complaint] = []
    seen: dict[str, str] = {}
    for variable in sorted(environ):
        if not variable.upper().startswith(PREFIX) or variable.upper() in SWITCHES:
            continue
        origin = Origin("environment", variable)
        name = variable[len(PREFIX) :].lower().replace("__", ".")
        key = find_key(name)
        if key is None:
            found.append(Complaint(origin, _unknown_variable(variable)))
        elif name in seen:
            found.append(Complaint(origin, f"{name}: given twice, also by {seen[name]}. Keep one."))
        else:
            seen[name] = variable
            found.append(_from_text(key, name, environ[variable], origin))
    return found


def from_flags(overrides: Sequence[Override]) -> list[Given | Complaint]:
    """What the command line gives; later ones come later."""
    found: list[Given | Complaint] = []
    for override in overrides:
        origin = Origin("flag", override.flag)
        key = find_key(override.name)
        if key is None:
            found.append(Complaint(origin, _unknown(override.name)))
        elif isinstance(override.value, str):
            found.append(_from_text(key, override.name, override.value, origin))
        else:
            found.append(Given(override.name, override.value, origin))
    return found


def _section(node: Node, prefix: str, file: str) -> list[Given | Complaint]:
    if not isinstance(node.value, dict):
        got = in_words(_plain(node))
        what = f"{prefix[:-1]}: got" if prefix else "got"
        return [Complaint(_in_file(file, node.position), f"{what} {got}, allowed: a mapping of settings.")]
    found: list[Given | Complaint] = []
    for name, child in node.value.items():
        full, at = prefix + name, _in_file(file, node.key_positions[name])
        if "." in name:
            found.append(Complaint(at, _dotted(name)))
        elif full in section_names():
            found += [] if child.value is None else _section(child, f"{full}.", file)
        elif full in known_keys():
            found += _setting(known_keys()[full], child, file)
        else:
            found.append(Complaint(at, _unknown(full)))
    return found


def _setting(key: Key, node: Node, file: str) -> list[Given | Complaint]:
    origin = _in_file(file, node.position)
    if not key.is_mapping:
        items = node.value if isinstance(node.value, list) else []
        item_origins = tuple(_in_file(file, item.position) for item in items)
        return [Given(key.name, _plain(node), origin, node.is_quoted, item_origins)]
    if not isinstance(node.value, dict):
        return [Complaint(origin, f"{key.name}: got {in_words(_plain(node))}, allowed: {key.allowed}.")]
    found: list[Given | Complaint] = []
    for name, child in node.value.items():
        if "." in name:
            found.append(Complaint(_in_file(file, node.key_positions[name]), _dotted(name)))
        else:
            found.append(Given(f"{key.name}.{name}", _plain(child), _in_file(file, child.position)))
    return found


def _from_text(key: Key, name: str, text: str, origin: Origin) -> Given | Complaint:
    if key.is_mapping and name == key.name:
        return Complaint(origin, f"{name}: has entries of its own. Give them one by one, as {name}.NAME.")
    if key.is_text:
        is_nothing = key.is_optional and text in ("", "~", "null")
        return Given(name, None if is_nothing else text, origin)
    if not key.is_list:
        return Given(name, parse_scalar(text.strip()), origin)
    if not (text.startswith("[") and text.endswith("]")):
        return Given(name, (text,) if text else (), origin)
    tree, problems = parse_tree(text.encode("utf-8", "surrogateescape"))
    if problems:
        return Complaint(origin, f"{name}: {problems[0].message}")
    assert tree is not None
    return Given(name, _plain(tree), origin)


def _plain(node: Node) -> object:
    if isinstance(node.value, list):
        return tuple(_plain(item) for item in node.value)
    if isinstance(node.value, dict):
        return {name: _plain(child) for name, child in node.value.items()}
    return node.value


def _in_file(file: str, position: Position) -> Origin:
    return Origin("file", file, position.line, position.column)


def _dotted(name: str) -> str:
    return f"{_shown(name)}: a name cannot hold a dot. Indent the setting under its section."


def _shown(name: str) -> str:
    """A name as it is, or in quotes where it would not be seen as one."""
    return name if len(name) <= 100 and re.fullmatch(r"[\w.-]+", name) else f"'{shortened(name)}'"


def _unknown(name: str) -> str:
    message = f"{_shown(name)}: unknown setting."
    if name in section_names():
        return f"{shortened(name)}: is a section, not a setting. {_names_in(name)}"
    if meant := suggest(name):
        return f"{message} Did you mean {meant}?"
    section = name.rpartition(".")[0]
    return f"{message} {_names_in(section)}" if not section or section in section_names() else message


def _unknown_variable(variable: str) -> str:
    names = [PREFIX + name.upper().replace(".", "__") for name in known_keys()]
    close = difflib.get_close_matches(variable[:100].upper(), names, n=1, cutoff=0.8)
    meant = suggest(variable[len(PREFIX) :].lower().replace("__", "."))
    if not close and meant in known_keys():
        close = [PREFIX + str(meant).upper().replace(".", "__")]
    return f"unknown setting. {f'Did you mean {close[0]}?' if close else 'See `vlmtl config show`.'}"


def _names_in(section: str) -> str:
    prefix = f"{section}." if section else ""
    names = [name[len(prefix) :] for name in known_keys() if name.startswith(prefix)]
    here = dict.fromkeys(name.partition(".")[0] for name in names)
    return f"Allowed {'in ' + section if section else 'here'}: {', '.join(here)}."
