"""The settings there are, read from the dataclasses of `settings.py`: name, type, default, what is allowed.

A key is a dotted path, `gpu_pipeline.internvl3.batch_size`. A setting whose type is a mapping (`echo`) holds
entries of its own, `gpu_pipeline.internvl3.echo.delay_seconds`, whose names are not known here.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Predicate

from corridor_cli.settings import Settings, is_device

_TYPES_IN_WORDS: dict[Any, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One setting: its dotted name, its type with its limits, and its default."""

    name: str
    annotation: Any
    default: object

    @property
    def members(self) -> tuple[Any, ...]:
        """The types a value may have: the parts of a union, or the one type."""
        is_union = get_origin(self.annotation) in (Union, types.UnionType)
        return get_args(self.annotation) if is_union else (self.annotation,)

    @property
    def is_text(self) -> bool:
        """Whether a value given as text is that text, whatever it looks like."""
        return any(_base(member) is str for member in self.members)

    @property
    def is_list(self) -> bool:
        return get_origin(self.annotation) is tuple

    @property
    def choices(self) -> tuple[str, ...]:
        """The texts that are allowed, in a list or alone, where not every text is."""
        members = get_args(self.annotation) if self.is_list else self.members
        found = [value for member in members if get_origin(member) is Literal for value in get_args(member)]
        return tuple(map(str, found))

    @property
    def is_mapping(self) -> bool:
        return get_origin(self.annotation) is dict

    @property
    def is_optional(self) -> bool:
        return type(None) in self.members

    @property
    def allowed(self) -> str:
        """What may be given, in words: `auto or a whole number from 1 on`."""
        return " or ".join(_in_words(member) for member in self.members)


@cache
def known_keys() -> Mapping[str, Key]:
    """Every setting by its dotted name, in the order of the dataclasses."""
    return {key.name: key for key in _walk(Settings, Settings(), "")}


@cache
def section_names() -> frozenset[str]:
    """The dotted names of the sections, without the root."""
    parts = [name.split(".") for name in known_keys()]
    return frozenset(".".join(part[:depth]) for part in parts for depth in range(1, len(part)))


def find_key(name: str) -> Key | None:
    """The setting of this name, or the mapping setting that this name is an entry of."""
    keys = known_keys()
    if name in keys:
        return keys[name]
    parent = keys.get(name.rpartition(".")[0])
    return parent if parent is not None and parent.is_mapping else None


def suggest(name: str) -> str | None:
    """The setting or section most likely meant by a name that is neither."""
    wanted = name[:100].lower().replace("-", "_")
    candidates = [*known_keys(), *section_names()]
    if wanted in candidates:
        return wanted
    section, _, leaf = wanted.rpartition(".")
    siblings = {key.rpartition(".")[2]: key for key in candidates if key.rpartition(".")[0] == section}
    by_leaf = {key.rpartition(".")[2]: key for key in candidates}
    for choices in (siblings, by_leaf):
        if leaf in choices:
            return choices[leaf]
        if close := difflib.get_close_matches(leaf, choices, n=1, cutoff=0.7):
            return choices[close[0]]
    close = difflib.get_close_matches(wanted, candidates, n=1, cutoff=0.8)
    return close[0] if close else None


def _walk(section: type, defaults: object, prefix: str) -> Iterator[Key]:
    hints = get_type_hints(section, include_extras=True)
    for field in fields(section):
        name, annotation, default = prefix + field.name, hints[field.name], getattr(defaults, field.name)
        if is_dataclass(annotation):
            yield from _walk(annotation, default, f"{name}.")  # type: ignore[arg-type]
        else:
            yield Key(name, annotation, default)


def _base(annotation: Any) -> Any:
    """The type under `Annotated`."""
    return annotation.__origin__ if hasattr(annotation, "__metadata__") else annotation


def _in_words(annotation: Any) -> str:
    limits = getattr(annotation, "__metadata__", ())
    base = _base(annotation)
    if get_origin(base) is Literal:
        *others, last = (str(value) for value in get_args(base))
        return f"{', '.join(others)} or {last}" if others else last
    if any(isinstance(limit, Predicate) and limit.func is is_device for limit in limits):
        return "auto, cpu, cuda or cuda:N"
    if get_origin(base) is tuple:
        items = get_args(base)[0]
        return f"a list of {_in_words(items)}" if get_origin(items) is Literal else "a list of texts"
    if get_origin(base) is dict:
        values = "texts" if get_args(base)[1] is str else "texts, numbers, true or false"
        return f"a mapping of names to {values}"
    return _TYPES_IN_WORDS[base] + _range_in_words(limits)


def _range_in_words(limits: tuple[object, ...]) -> str:
    above = next((limit.gt for limit in limits if isinstance(limit, Gt)), None)
    lowest = next((limit.ge for limit in limits if isinstance(limit, Ge)), None)
    highest = next((limit.le for limit in limits if isinstance(limit, Le)), None)
    if above is not None:
        return f" above {above}" + (f" and up to {highest}" if highest is not None else "")
    if lowest is not None:
        return f" from {lowest} to {highest}" if highest is not None else f" from {lowest} on"
    return ""
