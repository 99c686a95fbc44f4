"""Counting what the log files of a day hold, for `ds-assets doctor`.

Scope: counting, with the parsers and the rules that also read a whole day, so that a line is valid
here if it is an event there. What the numbers mean is in `core.log_diagnostics`.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from ds_assets.core.events import LEFT_OUT, NOTHING
from ds_assets.core.log_counts import (
    MAX_EXAMPLE_LENGTH,
    MAX_EXAMPLES,
    MAX_LISTED_TYPES,
    Amounts,
    DayLogs,
    Example,
    Moment,
    Reason,
    TypeCounts,
    Values,
)
from ds_assets.game import Game
from ds_assets.infra.day_files import DayFiles
from ds_assets.infra.engines.file_kinds import read_files, split_by_kind
from ds_assets.infra.engines.line_rules import as_number, field_key, text_fields, typed_lines
from ds_assets.infra.engines.log_columns import (
    MAX_SAMPLE,
    add_columns,
    csv_columns,
    json_columns,
)
from ds_assets.infra.engines.raw_files import Damage, RawFile, RawText, number_files
from ds_assets.infra.engines.sql import literal

PLACEHOLDERS = (
    *(
        "0",
        "-1",
        "1234567890",
        "00000000-0000-0000-0000-000000000000",
        "n/a",
        "na",
        "nil",
        "(none)",
    ),
    *("(not set)", "unknown", "anonymous", "anon", "guest", "test", "tester", "testuser", "dummy"),
)
"""User ids, in lower case, that programs write where there is no user, or for tests."""
_SHOWN_LENGTH = 100
"""Characters of a text of a log that is shown."""
_EVERY_LINE_UP_TO = 5_000
"""Lines of a file from its begin whose columns may be looked at; later ones only in part."""
_ZONE = "(Z|[+-][0-9]{2}(:?[0-9]{2})?| ?UTC)"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_WAYS = {
    "epoch_seconds": "[0-9]{9,10}([.][0-9]*)?",
    "epoch_milliseconds": "[0-9]{12,13}([.][0-9]*)?",
    "epoch_microseconds": "[0-9]{15,16}",
    "epoch_nanoseconds": "[0-9]{18,19}",
    "iso8601 with a zone": f"{_DATE}[T ].*[0-9]{_ZONE}",
    "iso8601 without a zone": f"{_DATE}([T ].*)?",
}
"""Regular expressions of times, by the way in which they are written."""


def count_day(files: DayFiles, game: Game, folder: Path, memory_limit_mb: int) -> DayLogs:
    """Count what the log files of a day hold.

    Args:
        files: The files.
        game: Format, fields and rules.
        folder: Folder for lines that do not fit into the memory.
        memory_limit_mb: Memory of DuckDB.
    """
    file = folder / f"{files.day}.duckdb"
    limits: dict[str, Any] = {
        "memory_limit": f"{memory_limit_mb}MB",
        "temp_directory": str(folder / "spilled"),
    }
    with duckdb.connect(str(file), config=limits) as connection:
        connection.execute("SET enable_progress_bar = false")
        numbered = number_files(files.read)
        damages = _read(connection, numbered, game)
        counts = _count(_Lines(connection, numbered), game)
    file.unlink()
    of_csv = (
        csv_columns(group.values(), own.logs.csv)
        for own, group in split_by_kind(numbered, game)
        if isinstance(own, Game) and own.logs.format == "csv"
    )
    sampled, columns = add_columns([counts.pop("columns"), *of_csv])
    return DayLogs(
        day=files.day,
        place=files.place,
        files=files.files,
        size=files.size,
        ignored_files=files.ignored,
        read_files=len(files.read),
        read_size=sum(file.path.stat().st_size for file in files.read),
        same_files=tuple(find_same_files(files.read)),
        damaged=_list_damages(damages, numbered),
        sampled=sampled,
        columns=columns,
        **counts,
    )


def find_same_files(files: Iterable[RawFile]) -> list[str]:
    """Find the files whose content another one has, too; only those of one size are read."""
    by_size: dict[int, list[RawFile]] = defaultdict(list)
    for file in files:
        by_size[file.path.stat().st_size].append(file)
    by_content: dict[str, list[str]] = defaultdict(list)
    for size, alike in by_size.items():
        for file in alike if size and len(alike) > 1 else ():
            with file.path.open("rb") as content:
                by_content[hashlib.file_digest(content, "sha256").hexdigest()].append(file.name)
    return sorted(name for names in by_content.values() if len(names) > 1 for name in names)


class _Lines:
    """The table of a day's lines: one row for each, with those that are not events."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, files: Mapping[int, RawText]) -> None:
        self._connection = connection
        self.files = files

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the tables `lines`, and `valid` ones."""
        return self._connection.execute(query).fetchall()

    def row(self, query: str) -> tuple[Any, ...]:
        """Return the only row of a query."""
        return self.rows(query)[0]


def _read(
    connection: duckdb.DuckDBPyConnection, files: Mapping[int, RawText], game: Game
) -> list[Damage]:
    """Read files into the table `lines`, and define `valid` ones."""
    sample = f"line <= {_EVERY_LINE_UP_TO} OR hash(file, line) % 16 = 0"
    others = [
        *(f"text_{name} AS read_{name}" for name in text_fields(game)),
        "hash(content) AS content_hash",
    ]
    tables = 0

    def insert(lines: str, own: Game) -> None:
        nonlocal tables
        kept = "NULL" if own.logs.format == "csv" else f"CASE WHEN {sample} THEN content END"
        columns = [*others, f"CAST({kept} AS VARCHAR) AS sample"]
        start = "INSERT INTO lines" if tables else "CREATE TABLE lines AS"
        connection.execute(f"{start} {typed_lines(lines, own, columns)}")
        tables += 1

    damages = read_files(connection, files, game, insert)
    if not tables:  # Parquet without a file that can be read
        columns = ", ".join(f"NULL::VARCHAR AS text_{name}" for name in text_fields(game))
        insert(
            "SELECT DATE '2000-01-01' AS dt, 0::BIGINT AS file, 0::BIGINT AS line, "
            f"'' AS content, {columns}, '' AS malformed WHERE false",
            game,
        )
    is_line = f"reason IS NULL OR reason NOT IN ({literal(NOTHING)}, {literal(LEFT_OUT)})"
    connection.execute(f"CREATE VIEW counted AS SELECT * FROM lines WHERE {is_line}")
    connection.execute("CREATE VIEW valid AS SELECT * FROM lines WHERE reason IS NULL")
    return damages


def _count(lines: _Lines, game: Game) -> dict[str, Any]:
    (left_out,) = lines.row(f"SELECT count(*) FROM lines WHERE reason = {literal(LEFT_OUT)}")
    (counted, type_count) = lines.row("SELECT count(*), count(DISTINCT event_type) FROM counted")
    valid, users, late, duplicates, repeated = lines.row("""
        SELECT count(*), count(DISTINCT user_id), count(*) FILTER (event_date < dt),
            count(event_key) - count(DISTINCT event_key),
            count(*) - count(DISTINCT content_hash) FROM valid""")
    busiest = lines.rows(f"""
        SELECT left(user_id, {_SHOWN_LENGTH}), count(*) FROM valid
        GROUP BY user_id ORDER BY 2 DESC, 1 LIMIT 1""")
    return {
        "lines": counted,
        "left_out": left_out,
        "valid": valid,
        "users": users,
        "late": late,
        "duplicates": duplicates,
        "repeated": repeated,
        "type_count": type_count,
        "types": _count_types(lines),
        "quarantine": _list_quarantine(lines),
        "fields": _count_fields(lines, game),
        "columns": _count_columns(lines),
        "amounts": _count_amounts(lines, game),
        "busiest_user": busiest[0][0] if busiest else "",
        "busiest_lines": busiest[0][1] if busiest else 0,
        "placeholders": _count_placeholders(lines),
        **_count_times(lines),
    }


def _count_types(lines: _Lines) -> dict[str, TypeCounts]:
    rows = lines.rows(f"""
        SELECT left(event_type, {_SHOWN_LENGTH}), count(*), count(*) FILTER (reason IS NULL)
        FROM counted WHERE event_type <> '' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MAX_LISTED_TYPES}
    """)
    return {name: TypeCounts(lines=count, valid=valid) for name, count, valid in rows}


def _list_quarantine(lines: _Lines) -> dict[str, Reason]:
    rows = lines.rows(f"""
        SELECT reason, count(*), list((file, line, left(content, {MAX_EXAMPLE_LENGTH}))
            ORDER BY file, line) FILTER (place <= {MAX_EXAMPLES})
        FROM (SELECT *, row_number() OVER (PARTITION BY reason ORDER BY file, line) AS place
              FROM counted WHERE reason IS NOT NULL)
        GROUP BY reason ORDER BY 2 DESC, 1""")
    return {
        reason: Reason(
            lines=count,
            examples=tuple(
                Example(file=lines.files[file].name, line=line, content=content or "")
                for file, line, content in examples
            ),
        )
        for reason, count, examples in rows
    }


def _list_damages(damages: Sequence[Damage], files: Mapping[int, RawText]) -> dict[str, Reason]:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for damage in damages:
        by_reason[damage.reason].append(files[damage.file].name)
    return {
        reason: Reason(
            lines=len(names),
            examples=tuple(Example(file=it, line=None, content="") for it in names[:MAX_EXAMPLES]),
        )
        for reason, names in by_reason.items()
    }


def _count_fields(lines: _Lines, game: Game) -> dict[str, Values]:
    names = list(text_fields(game))
    counts = ", ".join(
        f"count(nullif(read_{name}, '')), count(try_cast(read_{name} AS DOUBLE))" for name in names
    )
    row = lines.row(f"SELECT {counts} FROM counted")
    return {
        field_key(name): Values(
            lines=values, kinds=_without_none({"number": numbers, "text": values - numbers})
        )
        for name, values, numbers in zip(names, row[::2], row[1::2], strict=True)
    }


def _without_none(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def _count_columns(lines: _Lines) -> tuple[int, dict[str, Values]]:
    rows = lines.rows(f"""
        SELECT sample FROM counted WHERE sample IS NOT NULL
        ORDER BY hash(file, line) LIMIT {MAX_SAMPLE}""")
    return json_columns(content for (content,) in rows)


def _count_times(lines: _Lines) -> dict[str, Any]:
    first_written, first, last_written, last = lines.row(f"""
        SELECT left(arg_min(read_event_time, event_time), {_SHOWN_LENGTH}), min(event_time),
            left(arg_max(read_event_time, event_time), {_SHOWN_LENGTH}), max(event_time)
        FROM valid""")
    hours = lines.rows("""
        SELECT CAST(floor((epoch(event_time) - epoch(CAST(dt AS TIMESTAMP))) / 3600) AS BIGINT),
            count(*)
        FROM counted WHERE event_time BETWEEN dt - INTERVAL 3 DAY AND dt + INTERVAL 3 DAY
        GROUP BY 1 ORDER BY 1""")
    cases = " ".join(
        f"WHEN regexp_full_match(read_event_time, {literal(pattern)}) THEN {literal(way)}"
        for way, pattern in _WAYS.items()
    )
    ways = lines.rows(f"""
        SELECT CASE {cases} ELSE 'another way' END, count(*) FROM counted
        WHERE read_event_time <> '' GROUP BY 1 ORDER BY 2 DESC, 1""")
    return {
        "first": Moment(written=first_written, on_the_clock=first) if first else None,
        "last": Moment(written=last_written, on_the_clock=last) if last else None,
        "hours": dict(hours),
        "times": dict(ways),
    }


def _count_amounts(lines: _Lines, game: Game) -> Amounts:
    if not game.fields.amount or not game.events.purchases:
        return Amounts()
    types = ", ".join(map(literal, game.events.purchases))
    written = as_number("read_amount", game)  # before a currency's worth makes it a fraction
    bought = f"(SELECT *, {written} AS price FROM valid WHERE event_type IN ({types}))"
    names = ("purchases", "amounts", "negative", "zero", "priced_in_cents", "total", "median")
    row = lines.row(f"""
        SELECT count(*), count(amount), count(*) FILTER (amount < 0), count(*) FILTER (amount = 0),
            count(*) FILTER (price >= 10 AND price = trunc(price)
                             AND price % 100 IN (49, 95, 98, 99)),
            coalesce(sum(amount) FILTER (amount > 0), 0), median(amount) FILTER (amount > 0),
            coalesce(max(amount), 0) FROM {bought}""")
    payers, largest = lines.row(f"""
        SELECT count(*), coalesce(max(spend), 0) FROM (
            SELECT sum(amount) AS spend FROM {bought} WHERE amount > 0 GROUP BY user_id)""")
    return Amounts(
        **dict(zip((*names, "largest"), row, strict=True)), payers=payers, largest_payer=largest
    )


def _count_placeholders(lines: _Lines) -> dict[str, int]:
    words = ", ".join(map(literal, PLACEHOLDERS))
    rows = lines.rows(f"""
        SELECT user_id, count(*) FROM valid WHERE lower(user_id) IN ({words})
        GROUP BY 1 ORDER BY 2 DESC, 1""")
    return dict(rows)
