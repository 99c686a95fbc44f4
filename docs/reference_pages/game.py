"""The keys of the game file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import ds_assets.game
import ds_assets.game_promotions
from ds_assets.core.game_settings import ANY_NAME, describe_key, list_keys
from ds_assets.game import Game
from reference_pages.markdown import WRITTEN, code, describe_type, json_text, read_meanings, table

_INTRODUCTION = f"""# The game file

{WRITTEN}

`game.yaml` says what a game's logs look like and what to predict from them. `DS_ASSETS_GAME` is
its place. An unknown key, a duplicate one and a value that is not accepted are refused by name
before anything is read. A star in a key stands for a name of your choice, `[]` for an entry of a
list, and a key with dots is written nested:

```yaml
name: My game
first_day: 2026-01-01
fields: {{user_id: user.id, event_time: time, event_type: type}}
```

[Logs](../logs.md) explains the paths of fields and the formats of times. *Stored days* says
what a change of the key means for days that are made already; `ds-assets refresh` explains it for
the days that are stored ([a changed game.yaml](../operations.md#a-changed-gameyaml)).
"""


@dataclass(frozen=True)
class Key:
    """A key of the file: its place, its schema, and what it means.

    Attributes:
        name: Names from the top of the file, joined by dots.
        schema: JSON schema of its value.
        meaning: What it means.
        is_required: Whether the file must have it, where it has the key above it.
        parts: The keys of each of its values, if it is a whole that is made of such.
    """

    name: str
    schema: Mapping[str, Any]
    meaning: str
    is_required: bool
    parts: tuple["Key", ...] = ()


def page() -> str:
    """The text of the page."""
    groups = groupby(find_keys(), lambda key: key.name.partition(".")[0])
    return _INTRODUCTION + "".join(_group(name, list(keys)) for name, keys in groups)


def find_keys() -> list[Key]:
    """Every key of the file whose value is not made of other keys, in the order of the model."""
    schema = Game.model_json_schema()
    return list(_walk(schema, "", schema["$defs"], _meanings()))


def _meanings() -> dict[str, str]:
    """The texts of all keys, by `Class.key`; `first_day` of a promotion is written `from`."""
    meanings = read_meanings(ds_assets.game) | read_meanings(ds_assets.game_promotions)
    return meanings | {"Promotion.from": meanings["Promotion.first_day"]}


def _walk(
    model: Mapping[str, Any], start: str, parts: Mapping[str, Any], meanings: Mapping[str, str]
) -> Iterator[Key]:
    for name, schema in model["properties"].items():
        key = f"{start}{name}"
        # A declared key is a whole, though names may stand in it.
        values = None if key in list_keys() else schema.get("additionalProperties")
        part = parts.get((values or schema).get("$ref", "").rpartition("/")[2])
        if values:
            key = f"{key}.{ANY_NAME}"
        if part:
            yield from _walk(part, f"{key}.", parts, meanings)
        else:
            is_required = name in model.get("required", ())
            meaning = meanings[f"{model['title']}.{name}"]
            inner = _find_parts(schema, parts) if key in list_keys() else None
            entry = f"{key}[]." if "items" in schema else f"{key}.{ANY_NAME}."
            below = tuple(_walk(inner, entry, parts, meanings)) if inner else ()
            yield Key(key, _in_place(values or schema, parts), meaning, is_required, below)


def _find_parts(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The model of the values that a key has by name or in a list, if they have one."""
    inner = schema.get("additionalProperties") or schema.get("items")
    reference = inner.get("$ref", "") if isinstance(inner, dict) else ""
    model = parts.get(reference.rpartition("/")[2])
    return model if model and "properties" in model else None


def _in_place(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a value with the names of other parts in their place: they have no heading."""
    if "$ref" in schema:
        names = parts[schema["$ref"].rpartition("/")[2]]["properties"]
        return {"type": f"keys {', '.join(map(code, names))}"}
    changes: dict[str, Any] = {}
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            changes[inner] = _in_place(schema[inner], parts)
    if "anyOf" in schema:
        changes["anyOf"] = [_in_place(option, parts) for option in schema["anyOf"]]
    return {**schema, **changes}


def _group(name: str, keys: Sequence[Key]) -> str:
    """The section of a key at the top of the file, with those of the keys below it."""
    if len(keys) == 1:
        return _section(keys[0], "##")
    meaning = _meanings()[f"Game.{name}"]
    return f"\n## `{name}`\n\n{meaning}\n" + "".join(_section(key, "###") for key in keys)


def _section(key: Key, level: str) -> str:
    lines = [f"- accepted: {describe_type(key.schema)}", f"- {_default(key)}"]
    declared = describe_key(key.name)
    if declared:
        lines.append(f"- stored days: {declared.consequence} ({declared.effect})")
    text = f"\n{level} `{key.name}`\n\n{key.meaning}\n\n" + "\n".join(lines) + "\n"
    return f"{text}\n{_describe_parts(key.parts)}" if key.parts else text


def _describe_parts(keys: Sequence[Key]) -> str:
    """A table of the keys of a value."""
    rows = [
        [code(key.name), describe_type(key.schema), "yes" if key.is_required else "", key.meaning]
        for key in keys
    ]
    return table(["key", "accepted", "required", "meaning"], rows)


def _default(key: Key) -> str:
    if key.is_required:
        return "required"
    if key.name.endswith(ANY_NAME) or key.schema.get("default") in (None, [], {}):
        return "default: none"
    return f"default: {code(json_text(key.schema['default']))}"
