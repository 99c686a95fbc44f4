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

from ds_assets.core.decompression import UNREADABLE, decompress
from ds_assets.core.events import LONGEST_USER_ID, NOTHING
from ds_assets.game import Game

SHOWN = 10_000
"""Characters of a line that its quarantine entry keeps."""

_NAMES_OFFSET = r":\d{2}(\.\d+)?\s*(Z|z|[+-]\d{2}(:?\d{2})?)$"
_CSV_FIELD = '(?:^|,)("(?:[^"]|"")*"|[^",]*)'
_EARLIEST = dt.date(2000, 1, 1)


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
    if game.logs.format == "parquet":
        damaged, source = _parquet_source(connection, files, game)
    else:
        damaged, texts = _decompressed(files, scratch)
        source = (_json_source if game.logs.format == "jsonl" else _csv_source)(texts, game)
    connection.execute(f"CREATE OR REPLACE TABLE raw_lines AS {_typed_lines(source, game)}")
    connection.execute(_RAW_EVENTS)
    connection.execute(_BAD_LINES, {"names": [file.name for file in files]})
    if damaged:
        rows = [(files[d.file].day, files[d.file].name, d.reason) for d in damaged]
        connection.executemany("INSERT INTO bad_lines VALUES (?, ?, NULL, ?, NULL)", rows)


# Rows are inserted in the order of the files, so the row id counts lines without a sort.
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
    """Every column that is read from a line, and its field's path."""
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
        "new_line = '\\n', auto_detect = false, hive_partitioning = true, "
        "hive_types = {dt: DATE, file: BIGINT})"
    )


def _json_source(texts: Sequence[Path], game: Game) -> str:
    fields = _fields(game)
    paths = ", ".join(_literal(_json_path(path)) for path in fields.values())
    named = ", ".join(f"fields[{n}] AS {name}" for n, name in enumerate(fields, start=1))
    return f"""
        SELECT dt, file, content, {named}, CASE
            WHEN content IS NULL OR trim(content) = '' THEN '{NOTHING}'
            WHEN fields IS NULL THEN 'not JSON' END AS malformed
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
        f"{_unquoted(f'fields[{position[path]}]') if path in position else 'NULL'} AS {name}"
        for name, path in _fields(game).items()
    )
    pattern = _literal(_CSV_FIELD)
    return f"""
        SELECT dt, file, content, {named}, CASE
            WHEN content IS NULL OR trim(content) = '' THEN '{NOTHING}'
            WHEN ltrim(content, chr(65279)) = {_literal(header)} THEN '{NOTHING}'
            WHEN NOT whole THEN 'not CSV: a quote is out of place'
            WHEN len(fields) <> {len(columns)} THEN 'not CSV: ' || len(fields)
                || ' columns, the header has {len(columns)}' END AS malformed
        FROM (SELECT *, CASE WHEN contains(content, '"')
                  THEN regexp_extract_all(content, {pattern}, 1)
                  ELSE string_split(content, ',') END AS fields,
              NOT contains(content, '"') OR array_to_string(
                  regexp_extract_all(content, {pattern}), '') = content AS whole
              FROM {_lines(texts)})"""


def _unquoted(field: str) -> str:
    inner = f"""replace({field}[2:-2], '""', '"')"""
    return f"""nullif(CASE WHEN starts_with({field}, '"') THEN {inner} ELSE {field} END, '')"""


# --- Parquet --------------------------------------------------------------------------------------


def _parquet_source(
    connection: duckdb.DuckDBPyConnection, files: Sequence[RawFile], game: Game
) -> tuple[list[_Damage], str]:
    connection.execute("SET TimeZone = 'UTC'")
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
    # Reading one value of every page finds a damaged file before its day is read.
    connection.execute(f"SELECT count(COLUMNS(*)) FROM {read}")
    named = ", ".join(
        f"{_parquet_field(connection, read, path)} AS {name}"
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
    named = ", ".join(f"NULL AS {name}" for name in _fields(game))
    return (
        f"SELECT DATE '2000-01-01' AS dt, CAST(0 AS BIGINT) AS file, '' AS content, {named}, "
        f"'{NOTHING}' AS malformed WHERE false"
    )


# --- validity, the same for every format ----------------------------------------------------------


def _typed_lines(source: str, game: Game) -> str:
    """SQL of the events frame's columns, but for the line's number, and of the bad content."""
    names = _fields(game)
    typed = ", ".join(_typed(name, names, game) for name in _typed_names(game))
    return f"""
        SELECT dt, file, reason, user_id, local_time AS event_time,
               CAST(local_time AS DATE) AS event_date, event_type, {typed},
               CASE WHEN reason IS NOT NULL THEN content END AS content
        FROM (SELECT *, {_reason(game)} AS reason
              FROM (SELECT *, {_local_time(game)} AS local_time FROM ({source})))"""


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


def _typed(name: str, names: Iterable[str], game: Game) -> str:
    if name not in names:
        return f"CAST(NULL AS {'DOUBLE' if name == 'amount' else 'VARCHAR'}) AS {name}"
    if name not in _numbers(game):
        return name
    number = f"try_cast({name} AS DOUBLE)"
    if name == "amount" and game.currencies:
        worths = " ".join(f"WHEN {_literal(c)} THEN {w!r}" for c, w in game.currencies.items())
        number = f"{number} * CASE currency {worths} END"
    return f"{number} AS {name}"


def _local_time(game: Game) -> str:
    """SQL of the event's time on the game's clock; none where there is no such time."""
    instant = {
        "iso8601": "try_cast(event_time AS TIMESTAMP)",
        "epoch_seconds": _epoch(1_000_000),
        "epoch_milliseconds": _epoch(1_000),
    }[game.logs.time_format]
    if game.time_zone == "UTC":
        return instant
    local = f"timezone({_literal(game.time_zone)}, timezone('UTC', {instant}))"
    if game.logs.time_format != "iso8601":
        return local
    return f"""CASE WHEN regexp_matches(event_time, '{_NAMES_OFFSET}')
        THEN {local} ELSE {instant} END"""


def _epoch(microseconds: int) -> str:
    return f"try(make_timestamp(CAST(try_cast(event_time AS DOUBLE) * {microseconds} AS BIGINT)))"


def _reason(game: Game) -> str:
    """SQL of why a line is not valid, in words; none where it is."""
    limit = 24 * 60 + game.clock_skew_minutes
    cases = [
        (f"starts_with(content, '{UNREADABLE}')", "not text: bad UTF-8 or longer than 1 MiB"),
        ("user_id IS NULL OR trim(user_id) = ''", "no user id"),
        (
            "user_id IN ('true', 'false') OR user_id[1] IN ('{', '[')",
            "the user id is neither text nor a number",
        ),
        (
            f"length(user_id) > {LONGEST_USER_ID}",
            f"the user id is longer than {LONGEST_USER_ID} characters",
        ),
        ("event_time IS NULL", "no time"),
        (
            f"local_time IS NULL OR NOT isfinite(local_time) OR local_time < DATE '{_EARLIEST}'",
            "an impossible time",
        ),
        (f"local_time > dt + INTERVAL {limit} MINUTE", "dated after its arrival day"),
        ("event_type IS NULL", "no event type"),
        *(
            (
                f"{name} IS NOT NULL AND NOT coalesce(isfinite(try_cast({name} AS DOUBLE)), false)",
                f"{words} is not a number",
            )
            for name, words in _numbers(game).items()
        ),
    ]
    if game.currencies:
        known = ", ".join(_literal(currency) for currency in game.currencies)
        unknown = f"amount IS NOT NULL AND coalesce(currency, '') NOT IN ({known})"
        cases.append((unknown, "a currency that currencies does not list"))
    whens = " ".join(f"WHEN {test} THEN {_literal(words)}" for test, words in cases)
    return (
        f"CASE WHEN malformed IS NOT NULL AND NOT starts_with(content, '{UNREADABLE}') "
        f"THEN malformed {whens} END"
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
