"""Pieces of Markdown that the pages of the reference share."""

import ast
import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

WRITTEN = "*Written from the code by `make reference`; a test compares this page with the code.*"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; line breaks and bars in cells are made safe."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def code(value: object) -> str:
    """A value as inline code, or nothing for an empty text."""
    return f"`{value}`" if value != "" else ""


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def read_meanings(module: ModuleType) -> dict[str, str]:
    """The texts below the fields of a module's classes, by `Class.field`."""
    classes = [
        node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef)
    ]
    return {
        f"{owner.name}.{field.target.id}": " ".join(text.value.value.split())
        for owner in classes
        for field, text in zip(owner.body, owner.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def describe_type(schema: Mapping[str, Any]) -> str:
    """Say in words what a JSON schema accepts."""
    if "anyOf" in schema:
        return ", or ".join(describe_type(part) for part in schema["anyOf"] if not _is_null(part))
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema or "const" in schema:
        return ", ".join(code(json_text(v)) for v in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "any value")
    kinds = [kind] if isinstance(kind, str) else [k for k in kind if k != "null"]
    words = " or ".join(_describe_kind(k, schema) for k in kinds)
    return words if isinstance(kind, str) else f"{words}, or null"


def json_text(value: object) -> str:
    """A value as in JSON, but a text as it is."""
    return value if isinstance(value, str) else json.dumps(value)


def _is_null(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "null"


def _describe_kind(kind: str, schema: Mapping[str, Any]) -> str:
    if kind == "array":
        return "list of " + describe_type(schema.get("items", {}))
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"names with {describe_type(values)}" if values else "object"
    word = {"string": "text", "integer": "whole number", "boolean": "`true` or `false`"}
    named = schema.get("format", word.get(kind, kind))
    return " ".join(filter(None, [named, _describe_range(schema)]))


def _describe_range(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f"from {least:,} to {most:,}"
    if "exclusiveMaximum" in schema:
        start = f"from {least:,}" if least is not None else f"above {schema['exclusiveMinimum']:,}"
        return f"{start} to below {schema['exclusiveMaximum']:,}"
    if least is not None:
        return f"from {least:,}"
    if "exclusiveMinimum" in schema:
        return f"above {schema['exclusiveMinimum']:,}"
    longest = schema.get("maxLength")
    return f"of up to {longest:,} characters" if longest else ""
