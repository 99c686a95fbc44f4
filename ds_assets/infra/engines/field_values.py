"""The texts of a line's fields, as DuckDB SQL.

Scope: from the values of the fields with plain names, which the reader of each format provides, to
the texts that `line_rules` types: keys in lists and maps, JSON in texts, and several fields.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from ds_assets.field_paths import (
    Constant,
    Divided,
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
Lists = Mapping[str, str]
"""Columns of the lists that are parsed once for all keys that are read from them, by their SQL."""
_TYPED = ("string_value", "int_value", "double_value", "float_value")
"""Members of a value that is written with its type, of which one is set."""
_SCHEMA = "iglu:"
"""Beginning of the keys that are schemas, as of Snowplow."""
_POSITION = re.compile("[0-9]{1,6}")
"""Keys that may be the position of an element, from 0."""
_DESCRIBED = '[{"schema": "VARCHAR", "data": "JSON"}]'
_ENTRIES = '[{"key": "VARCHAR", "name": "VARCHAR", "value": "JSON"}]'


def plain_fields(game: Game) -> list[tuple[str, ...]]:
    """The names of each field that is read from a line, each once."""
    sources = text_fields(game).values()
    return list(dict.fromkeys(first_names(path) for it in sources for path in paths_of(it)))


def text_lines(lines: str, game: Game, plain: Plain, malformed: Sequence[str]) -> str:
    """Return the query of lines with the columns `text_…` for the names of `text_fields`.

    Args:
        lines: Query of the lines, with what `plain` refers to.
        game: The fields that are read.
        plain: Returns the SQL of a field's text.
        malformed: Cases of lines that are malformed, as SQL.

    Returns:
        A query as `raw_files.Insert` receives it.
    """
    lists = {sql: f"list_{n}" for n, sql in enumerate(_find_lists(game, plain))}
    parsed = "".join(f", {sql} AS {column}" for sql, column in lists.items())
    source = f"(SELECT *{parsed} FROM ({lines}))" if lists else f"({lines})"
    columns = ", ".join(
        f"{_value(name, path, plain, game, lists)} AS text_{name}"
        for name, path in text_fields(game).items()
    )
    cases = " ".join([*malformed, *_broken_json(game, plain)])
    fault = f"CASE {cases} END" if cases else "NULL"
    return f"""
        SELECT dt, file, line, content, {columns}, CAST({fault} AS VARCHAR) AS malformed
        FROM {source}"""


def _find_lists(game: Game, plain: Plain) -> list[str]:
    """Return the SQL of the lists that contain the first key of any path, each once."""
    lists: dict[str, None] = {}
    for path in game.paths():
        for n, step in enumerate(steps := later_steps(path)):
            if isinstance(step, Entry):
                json = _follow(plain(first_names(path)), steps[:n], {})
                lists[_parsed_list(json, step.key)] = None
                break
    return list(lists)


def _broken_json(game: Game, plain: Plain) -> Iterator[str]:
    """Yield cases of `malformed`, as SQL: texts that begin as JSON and are none."""
    texts: dict[str, str] = {}
    for source in text_fields(game).values():
        for path in paths_of(source):
            names, steps = first_names(path), later_steps(path)
            for n, step in enumerate(steps):
                if isinstance(step, JsonText):
                    texts[_follow(plain(names), steps[:n], {})] = ".".join(names)
    for text, name in texts.items():
        yield (
            f"WHEN left(ltrim({text}), 1) IN ('{{', '[') AND NOT json_valid({text}) "
            f"THEN {literal(f'the text in {name} is broken JSON')}"
        )


def _value(name: str, source: Source, plain: Plain, game: Game, lists: Lists) -> str:
    texts = [
        _follow(plain(first_names(path)), later_steps(path), lists) for path in paths_of(source)
    ]
    match source:
        case str():
            return texts[0]
        case Divided(field=field, divided_by=divisor):
            return _quotient(_value(name, field, plain, game, lists), divisor, game)
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


def _quotient(dividend: str, divisor: float, game: Game) -> str:
    """Return the SQL of the quotient as a text; that of the dividend if it is not a number."""
    quotient = number_text(f"{as_number('x', game)} / {float(divisor)!r}::DOUBLE", game)
    return _let("x", dividend, f"coalesce({quotient}, x)")


def _usable_user_id(game: Game) -> Callable[[str], str]:
    def usable(text: str) -> str:
        user = normalized_user_id("x")
        return _let("x", text, f"CASE WHEN NOT {is_null_user(user, game)} THEN x END")

    return usable


def _follow(text: str, steps: Sequence[Step], lists: Lists) -> str:
    """Return the SQL of the text at the end of some steps from a text, or from JSON as a text."""
    for step, later in pairwise((*steps, JsonText())):
        is_last = isinstance(later, JsonText)
        match step:
            case Member(name=name):
                extract = "json_extract_string" if is_last else "json_extract"
                text = f"try({extract}({text}, {literal(json_path([name]))}))"
            case Entry(key=key):
                entry = _entry(text, key, lists)
                text = _untyped(entry) if is_last else entry
            case JsonText():
                pass  # the text itself is what the next step looks into
    return text


def _entry(json: str, key: str, lists: Lists) -> str:
    """Return the SQL of the JSON with a key: of an object, or of a list, also by position."""
    parsed = _parsed_list(json, key)
    if parsed in lists:
        return _entry_of_list(lists[parsed], json, key)
    return _let("l", parsed, _entry_of_list("l", json, key))


def _parsed_list(json: str, key: str) -> str:
    """Return the SQL of the list in which a key is looked up; null if the JSON is no list."""
    if key.startswith(_SCHEMA):
        listed = "CASE WHEN starts_with(j, '[') THEN j ELSE '[' || j || ']' END"
        return _let("j", json, f"try(from_json({listed}, '{_DESCRIBED}'))")
    listed = f"CASE WHEN starts_with(j, '[') THEN try(from_json(j, '{_ENTRIES}')) END"
    return _let("j", json, listed)


def _entry_of_list(parsed: str, json: str, key: str) -> str:
    if key.startswith(_SCHEMA):
        any_version = literal(f"{key}/jsonschema/")
        is_it = f"e.schema = {literal(key)} OR starts_with(e.schema, {any_version})"
        return f"list_filter({parsed}, lambda e: {is_it})[1].data"
    of_list = f"list_filter({parsed}, lambda e: coalesce(e.key, e.name) = {literal(key)})[1].value"
    if _POSITION.fullmatch(key):
        of_list = f"coalesce({of_list}, try(json_extract({json}, '$[{int(key)}]')))"
    of_object = f"try(json_extract({json}, {literal(json_path([key]))}))"
    return f"CASE WHEN {parsed} IS NULL THEN {of_object} ELSE {of_list} END"


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
