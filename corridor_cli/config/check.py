"""Is a value allowed for its setting? If not: what was got, what is allowed, what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from typing import Any, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError

from corridor_cli.config.given import Complaint, Given
from corridor_cli.config.keys import Key, find_key
from corridor_cli.config.yaml_tree import parse_scalar
from corridor_cli.printable import shortened

# File names may hold bytes that are not UTF-8, so patterns for them may too; all else ends in documents.
_MAY_HOLD_RAW_BYTES = ("input.include", "input.exclude", "scenes.cuts")


def check(given: Given) -> Any:
    """The value as the setting's type has it, or a `Complaint`."""
    key = find_key(given.name)
    assert key is not None, f"not a setting: {given.name}"
    value = {given.name.rpartition(".")[2]: given.value} if key.is_mapping else given.value
    try:
        checked = _adapter(key.name).validate_python(value)
    except ValidationError as error:
        return _complaint(key, given, error)
    if isinstance(checked, str) and key.name not in _MAY_HOLD_RAW_BYTES and not _is_utf8(checked):
        return Complaint(given.origin, f"{key.name}: got {in_words(checked)}, which is not UTF-8")
    return checked[given.name.rpartition(".")[2]] if isinstance(checked, dict) else checked


def in_words(value: object) -> str:
    """A value with its kind, short and safe to show: `'many' (text)`, `3 (whole number)`."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return f"{str(value).lower()} (true or false)"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, str):
        return f"'{shortened(value)}' (text)"
    return f"{shortened(str(value))} ({'whole number' if isinstance(value, int) else 'number'})"


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    key = find_key(name)
    assert key is not None, f"not a setting: {name}"
    # Strict: "8" is not 8, 1 is not true, and nobody wonders which rule turned one into the other.
    return TypeAdapter(key.annotation, config=ConfigDict(strict=True, allow_inf_nan=False))


def _complaint(key: Key, given: Given, error: ValidationError) -> Complaint:
    location = error.errors(include_url=False, include_context=False)[0]["loc"]
    if key.is_list and isinstance(given.value, tuple) and location and isinstance(location[0], int):
        index = location[0]
        origin = given.item_origins[index] if given.item_origins else given.origin
        return Complaint(origin, _complaint_about_item(key, given.value[index]))
    allowed = "a text, a number, true or false" if key.is_mapping else key.allowed
    if key.is_mapping and get_args(key.annotation)[1] is str:
        allowed = "a text"
    message = f"{given.name}: got {in_words(given.value)}, allowed: {allowed}."
    return Complaint(given.origin, f"{message} {_hint(key, given)}".strip())


def _complaint_about_item(key: Key, value: object) -> str:
    hint = "" if value is None else " Put it in quotes."
    allowed = "texts"
    if key.choices:
        allowed = ", ".join(key.choices)
        hint = _meant(str(value), key)
        if isinstance(value, str) and "," in value:
            hint = f" Write [{shortened(value)}]."
    return f"{key.name}: got {in_words(value)} in the list, allowed: {allowed}.{hint}"


def _meant(text: str, key: Key) -> str:
    close = difflib.get_close_matches(text[:100].lower(), key.choices, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _hint(key: Key, given: Given) -> str:
    value = given.value
    if isinstance(value, str):
        return _hint_for_text(key, value, given.is_quoted)
    if key.is_text and isinstance(value, (bool, int, float)):
        return "Put it in quotes."
    if isinstance(value, float) and value.is_integer() and int in _bases(key):
        return f"Write {int(value)}."
    if value is None and not key.is_optional:
        return "Remove the line to get the default."
    return ""


def _hint_for_text(key: Key, text: str, is_quoted: bool) -> str:
    if is_quoted and not isinstance(parse_scalar(text), str):
        return "Remove the quotes."
    if bool in key.members and text.lower() in ("yes", "no", "on", "off", "y", "n"):
        return f"Write {'true' if text.lower() in ('yes', 'on', 'y') else 'false'}."
    if key.is_optional and text.lower() in ("none", "off", "no", "unlimited"):
        return "Write null."
    if key.is_list:
        return f"Write ['{shortened(text)}']."
    return _meant(text, key).strip()


def _bases(key: Key) -> set[object]:
    return {getattr(member, "__origin__", member) for member in key.members}


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)
