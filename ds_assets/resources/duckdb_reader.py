"""Raw files to the events frame, by DuckDB's own readers.

Belongs here: how a line of JSON, CSV or Parquet becomes the columns of `core.events.events_table`,
and why a line is not valid. What is done with events afterwards is the same for every engine.
"""

import csv
import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ds_assets.core.decompression import SHOWN, UNREADABLE, decompress
from ds_assets.core.events import LARGEST_NUMBER, LONGEST_USER_ID, NOTHING
from ds_assets.game import Game

_CSV_FIELD = ',("(?:[^"]|"")*"|[^",]*)'
_BUFFER = 4_000_000
"""Bytes that one thread reads at once. By default a day of a small game would be one buffer."""
_EARLIEST = dt.date(2000, 1, 1)
_WHITE = "' ' || chr(9) || chr(13)"
_BLANK = f"(content IS NULL OR trim(content, {_WHITE}) = '')"


@dataclass(frozen=True)
class RawFile:
    """One raw file of an arrival day: its name in the lake and where it can be read."""

    day: dt.date
    name: str
    path: Path


@dataclass(frozen=True)
class _Damage:
    """A file that could not be read to its end."""

    file: int
    reason: str


def create_events(
    connection: duckdb.DuckDBPyConnection, files: Sequence[RawFile], game: Game, scratch: Path
) -> None:
    """Read raw files into the tables `raw_events` and `bad_lines`.

    `raw_events` has the columns of `events_table(game)`, where `file` counts `files` from 0;
    `bad_lines` has dt and the columns of `QUARANTINE`: each line that is not valid, and one row
    without a line for each file that broke off, of which what could be read was read.

    Args:
        connection: Where the tables are made; those of an earlier call are replaced.
        files: Files of any number of days, one at least.
        game: Format and fields.
        scratch: Empty folder for decompressed text; it can be deleted afterwards.
    """
    # The clock of times without an offset, and of those with one once they are no longer text.
    connection.execute(f"SET TimeZone = {_literal(game.time_zone)}")
    if game.logs.format == "parquet":
        damaged, source = _parquet_source(connection, files, game)
    else:
        damaged, texts = _decompressed(files, scratch)
        source = (_json_source if game.logs.format == "jsonl" else _csv_source)(texts, game)
    # Rows in the order of the files, so that the row id counts lines without a sort. Nothing else
    # needs an order that it does not ask for, and keeping one costs time and memory.
    connection.execute("SET preserve_insertion_order = true")
    connection.execute(f"CREATE OR REPLACE TABLE raw_lines AS {_typed_lines(source, game)}")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(_RAW_EVENTS)
    connection.execute(_BAD_LINES, {"names": [file.name for file in files]})
    if damaged:
        rows = [(files[d.file].day, files[d.file].name, d.reason) for d in damaged]
        connection.executemany("INSERT INTO bad_lines VALUES (?, ?, NULL, ?, NULL)", rows)


_RAW_EVENTS = """
    CREATE OR REPLACE VIEW raw_events AS
    SELECT * EXCLUDE (content), rowid AS line FROM raw_lines"""

_BAD_LINES = f"""
    CREATE OR REPLACE TABLE bad_lines AS
    SELECT dt, name AS file, raw_lines.rowid - first_row + 1 AS line, reason,
           substr(content, 1, {SHOWN}) AS content
    FROM raw_lines
    JOIN (SELECT file, min(rowid) AS first_row FROM raw_lines GROUP BY file) USING (file)
    JOIN (SELECT unnest(range(len($names))) AS file, unnest($names) AS name) USING (file)
    WHERE reason <> '{NOTHING}'"""


def _fields(game: Game) -> dict[str, str]:
    """Every fact that is read from a line, as the column `text_…`, and its field's path."""
    fields = {name: path for name, path in game.fields.model_dump().items() if path}
    fields |= {f"property_{name}": path for name, path in game.properties.items()}
    return fields | {f"attribute_{name}": kind.field for name, kind in game.attributes.items()}


# --- text formats ---------------------------------------------------------------------------------


def _decompressed(files: Sequence[RawFile], scratch: Path) -> tuple[list[_Damage], list[Path]]:
    # Day and number stand in the path, where the reader picks them up for nothing.
    targets = [scratch / f"dt={file.day}" / f"file={n}" / "lines" for n, file in enumerate(files)]
    for target in targets:
        target.parent.mkdir(parents=True)
    with ThreadPoolExecutor(2) as pool:
        reasons = list(pool.map(decompress, (file.path for file in files), targets))
    return [_Damage(n, reason) for n, reason in enumerate(reasons) if reason], targets


def _lines(texts: Iterable[Path]) -> str:
    """SQL of dt, file and content: each line as one text. No line can hold the delimiter."""
    return (
        f"read_csv([{', '.join(_literal(str(text)) for text in texts)}], "
        "columns = {content: 'VARCHAR'}, header = false, delim = chr(1), quote = '', escape = '', "
        f"new_line = '\\n', auto_detect = false, buffer_size = {_BUFFER}, "
        "hive_partitioning = true, "
        "hive_types = {dt: DATE, file: BIGINT})"
    )


def _json_source(texts: Sequence[Path], game: Game) -> str:
    fields = _fields(game)
    paths = ", ".join(_literal(_json_path(path)) for path in fields.values())
    named = ", ".join(f"fields[{n}] AS text_{name}" for n, name in enumerate(fields, start=1))
    return f"""
        SELECT dt, file, content, {named}, CASE WHEN fields IS NULL THEN
            CASE WHEN {_BLANK} THEN '{NOTHING}' ELSE 'not JSON' END END AS malformed
        FROM (SELECT *, try(json_extract_string(content, [{paths}])) AS fields
              FROM {_lines(texts)})"""


def _json_path(path: str) -> str:
    return "$" + "".join(f'."{part}"' for part in path.split("."))


def _csv_source(texts: Sequence[Path], game: Game) -> str:
    by_header: defaultdict[str, list[Path]] = defaultdict(list)
    for text in texts:
        with text.open(encoding="utf-8-sig") as lines:
            by_header[lines.readline().rstrip("\n")].append(text)
    return " UNION ALL ".join(
        _csv_files(header, same, game) for header, same in sorted(by_header.items())
    )


def _csv_files(header: str, texts: Sequence[Path], game: Game) -> str:
    """SQL of the files with one header. A record is a line: quotes cannot span lines."""
    columns = next(csv.reader([header]), [])
    position = {column: n for n, column in enumerate(columns, start=1)}
    named = ", ".join(
        f"{_unquoted(f'fields[{position[path]}]') if path in position else 'NULL'} AS text_{name}"
        for name, path in _fields(game).items()
    )
    return f"""
        SELECT dt, file, content, {named}, CASE WHEN fields IS NULL THEN CASE
            WHEN {_BLANK} OR {_is_line(header)} THEN '{NOTHING}'
            WHEN NOT whole THEN 'not CSV: a quote is out of place'
            ELSE 'not CSV: ' || len(parts) || ' columns, the header has {len(columns)}'
            END END AS malformed
        FROM (SELECT *, CASE WHEN whole AND len(parts) = {len(columns)} AND NOT {_is_line(header)}
                        THEN parts END AS fields
              FROM (SELECT *, {_csv_parts("content")} FROM {_lines(texts)}))"""


def _is_line(header: str) -> str:
    return f"(ltrim(content, chr(65279)) = {_literal(header)})"


def _csv_parts(line: str) -> str:
    """SQL of a line's fields as they are written, and whether they are the whole line."""
    # With a comma before the first field too, each match begins with one.
    fields = f"regexp_extract_all(',' || {line}, '{_CSV_FIELD}'"
    quoted = f"contains({line}, '\"')"
    return f"""
        CASE WHEN {quoted} THEN {fields}, 1) ELSE string_split({line}, ',') END AS parts,
        NOT {quoted} OR array_to_string({fields}), '') = ',' || {line} AS whole"""


def _unquoted(field: str) -> str:
    inner = f"""replace({field}[2:-2], '""', '"')"""
    return f"""nullif(CASE WHEN starts_with({field}, '"') THEN {inner} ELSE {field} END, '')"""


# --- Parquet --------------------------------------------------------------------------------------


def _parquet_source(
    connection: duckdb.DuckDBPyConnection, files: Sequence[RawFile], game: Game
) -> tuple[list[_Damage], str]:
    damaged, parts = [], []
    for number, file in enumerate(files):
        try:
            parts.append(_parquet_file(connection, number, file, game))
        except duckdb.Error as error:
            damaged.append(_Damage(number, f"the file is damaged: {str(error).splitlines()[0]}"))
    return damaged, " UNION ALL ".join(parts) or _no_lines(game)


def _parquet_file(
    connection: duckdb.DuckDBPyConnection, number: int, file: RawFile, game: Game
) -> str:
    read = f"read_parquet({_literal(str(file.path))}, hive_partitioning = false)"
    # Reading every value finds a damaged file before it breaks the reading of the others.
    connection.execute(f"SELECT max(hash(source)) FROM {read} AS source")
    named = ", ".join(
        f"{_parquet_field(connection, read, path)} AS text_{name}"
        for name, path in _fields(game).items()
    )
    return f"""
        SELECT DATE '{file.day}' AS dt, CAST({number} AS BIGINT) AS file,
            CAST(to_json(source) AS VARCHAR) AS content, {named}, CAST(NULL AS VARCHAR) AS malformed
        FROM {read} AS source"""


def _parquet_field(connection: duckdb.DuckDBPyConnection, read: str, path: str) -> str:
    field = ".".join(f'"{part}"' for part in ("source", *path.split(".")))
    try:
        connection.execute(f"SELECT {field} FROM {read} AS source LIMIT 0")
    except duckdb.BinderException:
        return "CAST(NULL AS VARCHAR)"
    return f"CAST({field} AS VARCHAR)"


def _no_lines(game: Game) -> str:
    named = ", ".join(f"CAST(NULL AS VARCHAR) AS text_{name}" for name in _fields(game))
    return (
        f"SELECT DATE '2000-01-01' AS dt, CAST(0 AS BIGINT) AS file, '' AS content, {named}, "
        f"'{NOTHING}' AS malformed WHERE false"
    )


# --- validity, the same for every format ----------------------------------------------------------


def _typed_lines(source: str, game: Game) -> str:
    """SQL of the events frame's columns, but for the line's number, and of the bad content.

    A cheap test passes nearly every line; only those that fail it are asked for a reason.
    """
    fields = _fields(game)
    names = ", ".join(_typed_names(game))
    typed = ", ".join(_typed(name, fields, game) for name in _typed_names(game))
    return f"""
        SELECT dt, file, reason, user_id, event_time, CAST(event_time AS DATE) AS event_date,
               event_type, {names}, CASE WHEN reason IS NOT NULL THEN content END AS content
        FROM (SELECT *, CASE WHEN {_plausible(game)} THEN NULL ELSE {_reason(game)} END AS reason
              FROM (SELECT *, text_user_id AS user_id, {_local_time(game)} AS event_time,
                           text_event_type AS event_type, {typed}
                    FROM ({source})))"""


def _typed_names(game: Game) -> list[str]:
    properties = [f"property_{name}" for name in game.properties]
    return ["event_id", "amount", *properties, *(f"attribute_{name}" for name in game.attributes)]


def _numbers(game: Game) -> dict[str, str]:
    """Columns that hold numbers, and what a message calls them."""
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
    number = f"try_cast(text_{name} AS DOUBLE)"
    if name == "amount" and game.currencies:
        worths = " ".join(f"WHEN {_literal(c)} THEN {w!r}" for c, w in game.currencies.items())
        number = f"{number} * CASE text_currency {worths} END"
    return f"{number} AS {name}"


def _local_time(game: Game) -> str:
    """SQL of the event's time on the game's clock; none where there is no such time."""
    if game.logs.time_format != "iso8601":
        return _local_epoch(game)
    # A cast to TIMESTAMP reads over an offset; TIMESTAMPTZ counts it, but costs three times that.
    local = "CAST(try_cast(text_event_time AS TIMESTAMPTZ) AS TIMESTAMP)"
    if game.time_zone != "UTC":
        return local
    return f"""CASE WHEN ends_with(text_event_time, 'Z')
        THEN try_cast(text_event_time AS TIMESTAMP) ELSE {local} END"""


def _local_epoch(game: Game) -> str:
    microseconds = 1_000_000 if game.logs.time_format == "epoch_seconds" else 1_000
    number = f"CAST(try_cast(text_event_time AS DOUBLE) * {microseconds} AS BIGINT)"
    instant = f"try(make_timestamp({number}))"
    if game.time_zone == "UTC":
        return instant
    return f"CAST(timezone('UTC', {instant}) AS TIMESTAMP)"


def _latest(game: Game) -> str:
    """SQL of the latest time that an event of an arrival day may have."""
    return f"dt + INTERVAL {24 * 60 + game.clock_skew_minutes} MINUTE"


def _plausible(game: Game) -> str:
    """SQL of a cheap test that only valid lines pass; those that fail it may be valid too."""
    numbers = (
        f"(text_{name} IS NULL OR abs({name}) <= {LARGEST_NUMBER})" for name in _numbers(game)
    )
    tests = [
        "text_user_id > '!' AND text_user_id < '{' AND NOT starts_with(text_user_id, '[')",
        "text_user_id NOT IN ('true', 'false')",
        f"strlen(text_user_id) <= {LONGEST_USER_ID}",
        f"event_time BETWEEN TIMESTAMP '{_EARLIEST}' AND {_latest(game)}",
        "text_event_type <> ''",
        *numbers,
    ]
    return " AND ".join(tests)


def _reason(game: Game) -> str:
    """SQL of why a line is not valid, in words; none where it is."""
    cases = [*_wrong_user(game), *_wrong_time(game), *_wrong_facts(game)]
    whens = " ".join(f"WHEN {test} THEN {_literal(words)}" for test, words in cases)
    unreadable = _literal("not text: bad UTF-8 or longer than 1 MiB")
    return (
        f"CASE WHEN starts_with(content, '{UNREADABLE}') THEN {unreadable} "
        f"WHEN malformed IS NOT NULL THEN malformed {whens} END"
    )


def _wrong_user(game: Game) -> list[tuple[str, str]]:
    cases = [
        (f"trim(coalesce(text_user_id, ''), {_WHITE}) = ''", "no user id"),
        (
            f"length(text_user_id) > {LONGEST_USER_ID}",
            f"the user id is longer than {LONGEST_USER_ID} characters",
        ),
    ]
    if game.logs.format == "csv":  # where everything is text
        return cases
    path = _literal(_json_path(game.fields.user_id))
    odd = f"json_type(content, {path}) IN ('OBJECT', 'ARRAY', 'BOOLEAN')"
    return [(odd, "the user id is neither text nor a number"), *cases]


def _wrong_time(game: Game) -> list[tuple[str, str]]:
    impossible = f"NOT isfinite(event_time) OR event_time < DATE '{_EARLIEST}'"
    return [
        ("text_event_time IS NULL", "no time"),
        (f"event_time IS NULL OR {impossible}", "an impossible time"),
        (f"event_time > {_latest(game)}", "dated after its arrival day"),
    ]


def _wrong_facts(game: Game) -> list[tuple[str, str]]:
    cases = [("coalesce(text_event_type, '') = ''", "no event type")]
    if game.currencies:
        known = ", ".join(_literal(currency) for currency in game.currencies)
        unknown = f"text_amount IS NOT NULL AND coalesce(text_currency, '') NOT IN ({known})"
        cases.append((unknown, "a currency that currencies does not list"))
    for name, words in _numbers(game).items():
        no_number = f"text_{name} IS NOT NULL AND NOT coalesce(isfinite({name}), false)"
        cases.append((no_number, f"{words} is not a number"))
        cases.append((f"abs({name}) > {LARGEST_NUMBER}", f"{words} is beyond {LARGEST_NUMBER}"))
    return cases


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
