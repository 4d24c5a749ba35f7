"""A small document for a JSON Schema: what the echo engine answers where one is to be followed."""

from __future__ import annotations

import json
from typing import Any

from corridor_cli.errors import SchemaError


def sample_document(schema: str, text: str) -> str:
    """A document that follows the schema, its strings holding `text` as far as it may: equal arguments, equal
    documents.

    Known are objects, arrays, strings, numbers, `enum`, `const`, `anyOf`, and limits of length and size.
    Raises `SchemaError` for anything else.
    """
    try:
        table = json.loads(schema)
    except ValueError as error:
        raise SchemaError(f"The JSON Schema cannot be followed: it is no JSON ({error}).") from error
    return json.dumps(_sample(table, text), ensure_ascii=False)


def _sample(schema: Any, text: str) -> Any:
    if schema is True or schema == {}:
        return text
    if not isinstance(schema, dict):
        raise _refusal(f"{schema!r} is no schema")
    for key in ("$ref", "pattern", "format", "allOf", "multipleOf", "uniqueItems"):
        if schema.get(key):
            raise _refusal(f"{key!r} is beyond the echo engine")
    if "const" in schema:
        return schema["const"]
    for key in ("enum", "anyOf", "oneOf"):
        if schema.get(key):
            return schema[key][0] if key == "enum" else _sample(schema[key][0], text)
    return _of_type(schema, text)


def _of_type(schema: dict[str, Any], text: str) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object":
        asked = schema.get("properties", {}) | {
            name: schema.get("properties", {}).get(name, True) for name in schema.get("required", [])
        }
        return {name: _sample(part, text) for name, part in asked.items()}
    if kind == "array":
        count = min(max(1, schema.get("minItems", 0)), schema.get("maxItems", 1))
        return [
            _sample(schema.get("items", True), text) for _ in range(max(count, schema.get("minItems", 0)))
        ]
    if kind == "string":
        return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]
    if kind in ("integer", "number"):
        return _number(schema)
    if kind in ("boolean", "null"):
        return False if kind == "boolean" else None
    raise _refusal(f"its type is {kind!r}")


def _number(schema: dict[str, Any]) -> int | float:
    """The nearest to 0 that the limits allow, in whole steps from the lower one."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + 1
    if "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"] - 1
    number: int | float = 0 if low is None else max(0, low)
    return number if high is None else min(number, high)


def _refusal(problem: str) -> SchemaError:
    return SchemaError(f"The JSON Schema cannot be followed: {problem}.")
