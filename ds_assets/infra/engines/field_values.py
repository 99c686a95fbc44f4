"""The texts of a line's fields, as DuckDB SQL.

Scope: from the values of the fields with plain names, which the reader of each format provides, to
the texts that `line_rules` types: keys in lists and maps, JSON in texts, and several fields.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from ds_assets.field_paths import (
    Constant,
    Entry,
    Joined,
    JsonText,
    Member,
    Product,
    Source,
    Step,
    first_names,
    later_steps,
    paths_of,
)
from ds_assets.game import Game
from ds_assets.infra.engines.line_rules import (
    as_number,
    is_null_user,
    json_path,
    normalized_user_id,
    number_text,
    text_fields,
)
from ds_assets.infra.engines.sql import literal

Plain = Callable[[tuple[str, ...]], str]
"""Returns the SQL of the text in the field with some names, each nested in the one before."""
_TYPED = ("string_value", "int_value", "double_value", "float_value")
"""Members of a value that is written with its type, of which one is set."""
_SCHEMA = "iglu:"
"""Beginning of the keys that are schemas, as of Snowplow."""
_DESCRIBED = '[{"schema": "VARCHAR", "data": "JSON"}]'
_ENTRIES = '[{"key": "VARCHAR", "name": "VARCHAR", "value": "JSON"}]'


def plain_fields(game: Game) -> list[tuple[str, ...]]:
    """The names of each field that is read from a line, each once."""
    sources = text_fields(game).values()
    return list(dict.fromkeys(first_names(path) for it in sources for path in paths_of(it)))


def text_columns(game: Game, plain: Plain) -> str:
    """Return the SQL of the columns `text_…` for the names of `text_fields`."""
    columns = (
        f"{_value(name, source, plain, game)} AS text_{name}"
        for name, source in text_fields(game).items()
    )
    return ", ".join(columns)


def broken_json(game: Game, plain: Plain) -> str:
    """Return SQL of further cases of `malformed`: texts that begin as JSON and are none."""
    texts: dict[str, str] = {}
    for source in text_fields(game).values():
        for path in paths_of(source):
            names, steps = first_names(path), later_steps(path)
            for n, step in enumerate(steps):
                if isinstance(step, JsonText):
                    texts[_follow(plain(names), steps[:n])] = ".".join(names)
    return "".join(
        f" WHEN left(ltrim({text}), 1) IN ('{{', '[') AND NOT json_valid({text}) "
        f"THEN {literal(f'the text in {name} is broken JSON')}"
        for text, name in texts.items()
    )


def _value(name: str, source: Source, plain: Plain, game: Game) -> str:
    texts = [_follow(plain(first_names(path)), later_steps(path)) for path in paths_of(source)]
    match source:
        case str():
            return texts[0]
        case Constant(constant=text):
            return literal(text)
        case Joined():
            return f"nullif(concat_ws(':', {', '.join(map(_filled, texts))}), '')"
        case Product():
            left, right = texts
            return _product(left, right, game)
        case _:
            usable = _usable_user_id(game) if name == "user_id" else _filled
            return f"coalesce({', '.join(map(usable, texts))})"


def _filled(text: str) -> str:
    return f"nullif({text}, '')"


def _product(left: str, right: str, game: Game) -> str:
    """Return the SQL of the product as a text; that of both texts if one is not a number."""
    product = number_text(f"{as_number(left, game)} * {as_number(right, game)}", game)
    both = f"{_filled(left)} || ' * ' || {_filled(right)}"
    return f"CASE WHEN {both} IS NOT NULL THEN coalesce({product}, {both}) END"


def _usable_user_id(game: Game) -> Callable[[str], str]:
    def usable(text: str) -> str:
        user = normalized_user_id("x")
        return _let("x", text, f"CASE WHEN NOT {is_null_user(user, game)} THEN x END")

    return usable


def _follow(text: str, steps: Sequence[Step]) -> str:
    """Return the SQL of the text at the end of some steps from a text, or from JSON as a text."""
    for step, later in pairwise((*steps, JsonText())):
        is_last = isinstance(later, JsonText)
        match step:
            case Member(name=name):
                extract = "json_extract_string" if is_last else "json_extract"
                text = f"try({extract}({text}, {literal(json_path([name]))}))"
            case Entry(key=key):
                text = _untyped(_entry(text, key)) if is_last else _entry(text, key)
            case JsonText():
                pass  # the text itself is what the next step looks into
    return text


def _entry(json: str, key: str) -> str:
    """Return the SQL of the JSON with a key, in a list of keys and values or in an object."""
    if key.startswith(_SCHEMA):
        return _described(json, key)
    of_list = (
        f"list_filter(try(from_json(j, '{_ENTRIES}')), "
        f"lambda e: coalesce(e.key, e.name) = {literal(key)})[1].value"
    )
    of_object = f"try(json_extract(j, {literal(json_path([key]))}))"
    return _let("j", json, f"CASE WHEN starts_with(j, '[') THEN {of_list} ELSE {of_object} END")


def _described(json: str, schema: str) -> str:
    """Return the SQL of the data of a schema, in a list of schemas and data or in one of them."""
    listed = _let("j", json, "CASE WHEN starts_with(j, '[') THEN j ELSE '[' || j || ']' END")
    any_version = literal(f"{schema}/jsonschema/")
    return (
        f"list_filter(try(from_json({listed}, '{_DESCRIBED}')), lambda e: "
        f"e.schema = {literal(schema)} OR starts_with(e.schema, {any_version}))[1].data"
    )


def _untyped(json: str) -> str:
    """Return the SQL of the text of JSON, which may be an object with the value under its type."""
    paths = ", ".join(f"'$.{name}'" for name in _TYPED)
    of_types = f"list_filter(json_extract_string(v, [{paths}]), lambda t: t IS NOT NULL)[1]"
    has_types = " OR ".join(f"contains(v, '\"{name}\":')" for name in _TYPED)
    return _let(
        "v",
        json,
        f"CASE WHEN starts_with(v, '{{') AND ({has_types}) THEN {of_types} "
        "ELSE json_extract_string(v, '$') END",
    )


def _let(name: str, value: str, body: str) -> str:
    """Return the SQL of an expression in which a name stands for a value that is computed once."""
    return f"list_transform([{value}], lambda {name}: {body})[1]"
