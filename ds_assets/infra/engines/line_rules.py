"""The rules for valid log lines, as DuckDB SQL.

Scope: casting the fields of a line, and the reason why a line is invalid; the same for every file
format. Files are read into lines by `duckdb_reader`.
"""

from collections.abc import Iterable, Sequence
from functools import cache

import duckdb

from ds_assets.core.events import LEFT_OUT, MAX_NUMBER, NO_USER_ID, NOT_TEXT, NULL_EVENT_IDS
from ds_assets.core.local_clock import AFTER_SET_BACK, sets_clock_back
from ds_assets.core.raw_text import MAX_QUARANTINED_CHARS, UNREADABLE
from ds_assets.core.user_ids import (
    BLANKS,
    FLOAT,
    FLOAT_LIMIT,
    MAX_USER_ID_LENGTH,
    NULL_USER_IDS,
    normalize_user_id,
)
from ds_assets.field_paths import JsonText, Source, first_names, is_plain, parse_path, paths_of
from ds_assets.game import Game
from ds_assets.infra.engines.line_times import (
    after_set_back,
    earliest_date,
    local_time,
    with_instant,
    wrong_time,
)
from ds_assets.infra.engines.sql import literal

LEAVE_OUT = "leave_out_"
"""Beginning of the names of fields by which lines are left out."""
WHITE = "' ' || chr(9) || chr(10) || chr(13)"


def text_fields(game: Game) -> dict[str, Source]:
    """Return the source of each value read from a line; its column is `text_` and the name."""
    fields: dict[str, Source] = {name: source for name, source in game.fields if source}
    fields |= {f"property_{name}": paths for name, paths in game.properties.items()}
    fields |= {f"{LEAVE_OUT}{n}": rule.field for n, rule in enumerate(game.logs.leave_out)}
    return fields | {f"attribute_{name}": kind.field for name, kind in game.attributes.items()}


def field_key(name: str) -> str:
    """Return the key of the game file for a name of `text_fields`."""
    if name.startswith(LEAVE_OUT):
        return f"logs.leave_out.{name.removeprefix(LEAVE_OUT)}.field"
    kind, _, rest = name.partition("_")
    if kind == "property":
        return f"properties.{rest}"
    return f"attributes.{rest}.field" if kind == "attribute" else f"fields.{name}"


def has_json_texts(game: Game) -> bool:
    """Whether a path leads through a text that holds JSON."""
    paths = (path for source in text_fields(game).values() for path in paths_of(source))
    return any(JsonText() in parse_path(path) for path in paths)


def json_path(names: Sequence[str]) -> str:
    """Return the path of DuckDB to a field of JSON, given by nested names."""
    if any(character in name for name in names for character in '"\\*'):
        parts = (name.replace("~", "~0").replace("/", "~1") for name in names)
        return "".join(f"/{part}" for part in parts)
    return "$" + "".join(f'."{name}"' for name in names)


def typed_lines(source: str, game: Game, others: Iterable[str] = ()) -> str:
    """Return the SQL of the events frame's columns, and of the content of invalid lines.

    Nearly every line passes a cheap test; reasons are only evaluated for the others.

    Args:
        source: Query of the lines of a reader; see `raw_files.Insert`.
        game: Types and rules.
        others: SQL of further columns, of those of the source.
    """
    further = "".join(f", {column}" for column in others)
    fields = text_fields(game)
    names = ", ".join(_typed_names(game))
    typed = ", ".join(_typed(name, fields, game) for name in _typed_names(game))
    after = f", {after_set_back(game)} AS {AFTER_SET_BACK}" if sets_clock_back(game) else ""
    return f"""
        SELECT dt, file, line, reason, user_id, user_id <> text_user_id AS user_id_changed,
               event_time{after}, CAST(event_time AS DATE) AS event_date,
               event_type, {_event_key(game)} AS event_key, {names},
               CASE WHEN reason <> '{LEFT_OUT}'
               THEN substr(rtrim(content, chr(10)), 1, {MAX_QUARANTINED_CHARS}) END AS content
               {further}
        FROM (SELECT *, CASE WHEN {_plausible(game)} THEN NULL ELSE {_reason(game)} END AS reason
              FROM (SELECT *, {normalized_user_id("text_user_id")} AS user_id,
                           {local_time(game)} AS event_time,
                           text_event_type AS event_type, {typed}
                    FROM ({with_instant(source, game)})))"""


def _typed_names(game: Game) -> list[str]:
    properties = [f"property_{name}" for name in game.properties]
    return ["amount", *properties, *(f"attribute_{name}" for name in game.attributes)]


def _event_key(game: Game) -> str:
    """Return the SQL of the hash by which events with the same id are found; null without an id."""
    if game.fields.event_id is None:
        return "CAST(NULL AS BIGINT)"
    words = ", ".join(map(literal, NULL_EVENT_IDS))
    hashed = "text_event_id" if game.logs.event_id_scope == "game" else "user_id, text_event_id"
    # Shifted, because the columns of tables have no unsigned integers.
    return f"""CASE WHEN lower(text_event_id) NOT IN ({words})
        THEN CAST(hash({hashed}) >> 1 AS BIGINT) END"""


@cache
def hash_probe() -> int:
    """Hash a fixed text, by which days whose ids were hashed by another DuckDB are recognized."""
    query = "SELECT CAST(hash('probe', 'probe') >> 1 AS BIGINT)"
    with duckdb.connect() as connection:
        ((probe,),) = connection.execute(query).fetchall()
    return int(probe)


def _numbers(game: Game) -> dict[str, str]:
    """Return the numeric columns with their names in messages."""
    numbers = {"amount": "the amount"} if game.fields.amount else {}
    numbers |= {f"property_{name}": f"the property {name}" for name in game.properties}
    return numbers | {
        f"attribute_{name}": f"the attribute {name}"
        for name, attribute in game.attributes.items()
        if attribute.type == "number"
    }


def _typed(name: str, fields: Iterable[str], game: Game) -> str:
    if name not in fields:
        return f"CAST(NULL AS {'DOUBLE' if name == 'amount' else 'VARCHAR'}) AS {name}"
    if name not in _numbers(game):
        return f"text_{name} AS {name}"
    number = as_number(f"text_{name}", game)
    if name == "amount" and game.currencies:
        worths = " ".join(f"WHEN {literal(c)} THEN {w!r}" for c, w in game.currencies.items())
        number = f"{number} * CASE text_currency {worths} END"
    return f"{number} AS {name}"


def as_number(text: str, game: Game) -> str:
    """Return the SQL of the number that a text holds; null if it holds none."""
    form = game.logs.csv
    if (form.decimal, form.thousands) == (".", ""):
        return f"try_cast({text} AS DOUBLE)"
    digits, plain = "[0-9]+", text
    if form.thousands:
        # In India two digits stand between marks; before the last three there is always one.
        groups = f"([{form.thousands}][0-9]{{2,3}})*[{form.thousands}][0-9]{{3}}"
        digits = f"([0-9]+|[0-9]{{1,3}}{groups})"
        plain = f"replace({text}, {literal(form.thousands)}, '')"
    pattern = f" *[+-]?{digits}([{form.decimal}][0-9]*)?([eE][+-]?[0-9]+)? *"
    number = f"try_cast(replace({plain}, {literal(form.decimal)}, '.') AS DOUBLE)"
    return f"CASE WHEN regexp_full_match({text}, {literal(pattern)}) THEN {number} END"


def number_text(number: str, game: Game) -> str:
    """Return the SQL of the text from which `as_number` reads a number."""
    text = f"CAST({number} AS VARCHAR)"
    mark = game.logs.csv.decimal
    return text if mark == "." else f"replace({text}, '.', {literal(mark)})"


def normalized_user_id(text: str) -> str:
    """Return the SQL of `normalize_user_id`. Nearly every id passes a cheap test, and is kept."""
    is_normal = (
        f"strlen({text}) = length({text}) AND {text} > '!' "
        f"AND right({text}, 1) > '!' AND NOT contains({text}, '.')"
    )
    trimmed = f"trim(nfc_normalize({text}), {literal(BLANKS)})"
    number = f"try_cast({trimmed} AS DOUBLE)"
    is_whole = (
        f"regexp_full_match({trimmed}, {literal(FLOAT)}) AND abs({number}) < {FLOAT_LIMIT} "
        f"AND {number} = trunc({number})"
    )
    return f"""CASE WHEN {is_normal} THEN {text}
        WHEN {is_whole} THEN CAST(CAST({number} AS BIGINT) AS VARCHAR) ELSE {trimmed} END"""


def _plausible(game: Game) -> str:
    """Return the SQL of a cheap test that only valid lines pass, though not all of them."""
    # Comparisons take half as long as functions, and the skew only matters after the day.
    numbers = (
        f"coalesce({name} BETWEEN -{MAX_NUMBER} AND {MAX_NUMBER}, text_{name} = '', true)"
        for name in _numbers(game)
    )
    tests = [
        "text_user_id > '!' AND text_user_id < '{'",
        "(text_user_id < '[' OR text_user_id >= chr(92))",  # does not start with [
        "text_user_id <> 'true' AND text_user_id <> 'false'",
        f"strlen(user_id) <= {MAX_USER_ID_LENGTH}",
        f"NOT {is_null_user('user_id', game)}",
        "(user_id > ':' OR NOT contains(user_id, '.'))",  # is not written as a float
        *(f"NOT {_holds_nul(column)}" for column in _stored_texts(game)),
        f"event_time >= TIMESTAMP '{earliest_date(game)}' AND CAST(event_time AS DATE) <= dt",
        "text_event_type > ''",
        *(["malformed IS NULL"] if has_json_texts(game) else []),
        *(f"NOT {test}" for test in left_out_tests(game)),
        *numbers,
    ]
    return " AND ".join(tests)


def _reason(game: Game) -> str:
    """Return the SQL of the reason why a line is invalid; null if it is valid."""
    left_out = [(test, LEFT_OUT) for test in left_out_tests(game)]
    cases = [*_wrong_user(game), *wrong_time(game), *_wrong_facts(game)]
    return (
        f"CASE WHEN starts_with(content, '{UNREADABLE}') THEN {literal(NOT_TEXT)} "
        f"{whens(left_out)} WHEN malformed IS NOT NULL THEN malformed {whens(cases)} END"
    )


def whens(cases: Iterable[tuple[str, str]]) -> str:
    """Return the SQL of the cases of a CASE, from tests and the text that each gives."""
    return " ".join(f"WHEN {test} THEN {literal(words)}" for test, words in cases)


def left_out_tests(game: Game) -> list[str]:
    """Return the SQL of each rule by which lines are left out."""
    return [
        f"coalesce(text_{LEAVE_OUT}{n} IN ({', '.join(map(literal, rule.values))}), false)"
        for n, rule in enumerate(game.logs.leave_out)
    ]


def _wrong_user(game: Game) -> list[tuple[str, str]]:
    cases = [
        *(
            (_holds_nul(column), f"{words} contains the character U+0000")
            for column, words in _stored_texts(game).items()
        ),
        (f"text_user_id IS NULL OR {is_null_user('user_id', game)}", NO_USER_ID),
        (
            f"length(user_id) > {MAX_USER_ID_LENGTH}",
            f"the user id is longer than {MAX_USER_ID_LENGTH} characters",
        ),
        (
            f"regexp_full_match(user_id, {literal(FLOAT)})",
            "the user id is a float that is not a whole number of up to 15 digits",
        ),
    ]
    if (odd := _odd_user(game)) is None:
        return cases
    return [(odd, "the user id is neither text nor a number"), *cases]


def _odd_user(game: Game) -> str | None:
    """Return the SQL of whether the user id is an object, a list or a truth value."""
    source = game.fields.user_id
    is_text = game.logs.format == "csv"
    if is_plain(source):
        path = literal(json_path(first_names(*paths_of(source))))
        return None if is_text else f"json_type(content, {path}) IN ('OBJECT', 'ARRAY', 'BOOLEAN')"
    if is_text and not any(JsonText() in parse_path(path) for path in paths_of(source)):
        return None
    # Which field it is from is not known any more, but hardly a user is named so.
    return (
        "text_user_id IN ('true', 'false') OR "
        "left(text_user_id, 1) IN ('{', '[') AND json_valid(text_user_id)"
    )


def is_null_user(user_id: str, game: Game) -> str:
    """Return the SQL of whether a normalized user id stands for no user."""
    words = ", ".join(map(literal, NULL_USER_IDS))
    test = f"lower({user_id}) IN ({words})"
    if game.logs.null_user_ids:
        listed = ", ".join(literal(normalize_user_id(text)) for text in game.logs.null_user_ids)
        test += f" OR {user_id} IN ({listed})"
    return f"({test})"


def _holds_nul(column: str) -> str:
    return f"coalesce(contains({column}, chr(0)), false)"


def _stored_texts(game: Game) -> dict[str, str]:
    """Return the text columns that reach the results database, with their names in messages."""
    # The text of the user id, because DuckDB's `nfc_normalize` ends a text at U+0000.
    return {"text_user_id": "the user id"} | {
        f"text_attribute_{name}": f"the attribute {name}"
        for name, attribute in game.attributes.items()
        if attribute.type == "text"
    }


def _wrong_facts(game: Game) -> list[tuple[str, str]]:
    cases = [("coalesce(text_event_type, '') = ''", "no event type")]
    if game.currencies:
        accepted = ", ".join(literal(currency) for currency in game.currencies)
        unknown = f"text_amount <> '' AND coalesce(text_currency, '') NOT IN ({accepted})"
        cases.append((unknown, "a currency that currencies does not list"))
    for name, words in _numbers(game).items():
        no_number = f"text_{name} <> '' AND NOT coalesce(isfinite({name}), false)"
        cases.append((no_number, f"{words} is not a number"))
        cases.append((f"abs({name}) > {MAX_NUMBER}", f"{words} is beyond {MAX_NUMBER}"))
    return cases
