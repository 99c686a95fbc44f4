"""The default engine: DuckDB in the process, behind the PySpark DataFrame API.

Scope: opening DuckDB with its limits, and implementing `LakeEngine` with it.
"""

import atexit
import datetime as dt
import hashlib
import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, cached_property, lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from ds_assets.core import events
from ds_assets.core.engine import DataFrame, pausing_garbage_collection
from ds_assets.core.models.inference.onnx_model import BATCH_ROWS
from ds_assets.core.schema import ColumnType, Table
from ds_assets.core.stored_tables import FORMAT_KEY, TABLE_FORMAT
from ds_assets.core.tables import EVENT_IDS
from ds_assets.game import Game
from ds_assets.infra.engines.base import BatchFunction, map_batches
from ds_assets.infra.engines.duckdb_reader import create_lines
from ds_assets.infra.engines.line_rules import hash_probe
from ds_assets.infra.engines.raw_files import Damage, RawFile, RawText, number_files
from ds_assets.infra.engines.stored_plans import PlannedFrame, StoredPlans, key_of, real_frame
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.event_ids import find_compared_days
from ds_assets.infra.lake.raw_logs import RawObject
from ds_assets.infra.lake.tables import (
    StoredDay,
    open_days,
    refuse_missing_columns,
    table_file,
)

_ROWS_AT_ONCE = 8 * BATCH_ROWS


class DuckDBEngine:
    """DuckDB with bounded memory and threads. There is one per process; see `open_duckdb`."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(
            config={
                # Not in the working directory, which may be read-only. It is created when needed.
                "temp_directory": f"{tempfile.gettempdir()}/ds_assets_{os.getpid()}",
                # Queries that need an order sort; preserving one takes time and memory.
                "preserve_insertion_order": False,
            }
        )
        # A progress bar would be written into the middle of log lines.
        self._connection.execute("SET enable_progress_bar = false")
        self._plans: StoredPlans | None = None
        self._is_planning = False
        self._numbers: dict[tuple[str, str], Iterator[int]] = defaultdict(count)
        self._free_names: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._frames: dict[str, DataFrame] = {}
        # If it is not closed, DuckDB's bindings report a leak when the process ends.
        atexit.register(self._connection.close)

    def keep_plans(self, folder: Path | None) -> None:
        """Keep the SQL of plans in a folder from now on, or in this process only."""
        self._plans = StoredPlans(folder) if folder else None

    def limit(self, memory_limit_mb: int, threads: int) -> None:
        """Set the limits of memory and threads for the following queries."""
        self._connection.execute(f"SET memory_limit = '{memory_limit_mb}MB'")
        self._connection.execute(f"SET threads = {threads}")

    @cached_property
    def session(self) -> Any:
        """The PySpark API's session."""
        from sqlframe.duckdb import DuckDBSession  # noqa: PLC0415  (0.6 s, and not always used)

        return DuckDBSession(conn=self._connection)

    @property
    def functions(self) -> Any:
        """The PySpark API's column functions."""
        from sqlframe.duckdb import functions  # noqa: PLC0415  (as above)

        return functions

    @property
    def window(self) -> Any:
        """The PySpark API's window specifications."""
        from sqlframe.duckdb import Window  # noqa: PLC0415  (as above)

        return Window

    def table(self, name: str) -> DataFrame:
        """Return the frame of a table or view, the same one at each call."""
        if name not in self._frames:
            self._frames[name] = PlannedFrame(
                lambda: self.session.table(name), name, f"SELECT * FROM {name}"
            )
        return self._frames[name]

    @contextmanager
    def _borrow_name(self, stem: str, columns: str) -> Iterator[str]:
        """Lend a name for a table or view with these columns, which nobody else uses meanwhile.

        Names are lent again, so that the frames of their tables and what is planned with them is
        used again, in other processes as well. Other columns have other names: the session caches
        the columns of a name.
        """
        free_names = self._free_names[stem, columns]
        name = free_names.pop() if free_names else self._make_name(stem, columns)
        try:
            yield name
        finally:
            free_names.append(name)

    def _make_name(self, stem: str, columns: str) -> str:
        digest = hashlib.sha256(columns.encode()).hexdigest()[:8]
        return f"{stem}_{digest}_{next(self._numbers[stem, columns])}"

    @contextmanager
    def values(self, rows: Sequence[tuple[object, ...]], columns: str) -> Iterator[DataFrame]:
        """See `Engine`."""
        with self._borrow_name("rows", columns) as name:
            self._connection.execute(f"CREATE TABLE {name} ({columns})")
            try:
                if rows:
                    marks = ", ".join("?" for _ in rows[0])
                    self._connection.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
                yield self.table(name)
            finally:
                self._connection.execute(f"DROP TABLE {name}")

    def plan(self, build: Callable[..., DataFrame], arguments: tuple[Any, ...]) -> DataFrame:
        """See `Engine`. What is planned within a plan is a part of it."""
        key = key_of(build, arguments[:-1])
        planned = PlannedFrame(lambda: self._build(build, arguments), key)
        return planned.frame if self._is_planning else planned

    @pausing_garbage_collection()
    def _build(self, build: Callable[..., DataFrame], arguments: tuple[Any, ...]) -> DataFrame:
        was_planning, self._is_planning = self._is_planning, True
        try:
            return real_frame(build(*map(real_frame, arguments)))
        finally:
            self._is_planning = was_planning

    def step(self, frame: DataFrame) -> DataFrame:
        """See `Engine`: SQLFrame copies the whole query of a frame for each operation on it."""
        name, sql = f"step_{len(_STEPS)}", _body(frame)
        # SQLFrame asks for the columns of a table once. No query reads the view, see `_sql`.
        self._connection.execute(f"CREATE VIEW {name} AS {_with_steps(sql)}")
        try:
            _STEPS[name] = sql
            return real_frame(self.table(name))
        finally:
            self._connection.execute(f"DROP VIEW {name}")

    @contextmanager
    def events(self, game: Game) -> Iterator["DuckDBEventReader"]:
        """See `LakeEngine`."""
        with self._borrow_name("raw", _ddl(events.events_table(game))) as name:
            reader = DuckDBEventReader(self._connection, self, game, name)
            try:
                yield reader
            finally:
                reader.clear()

    def own_reader(self, game: Game) -> "DuckDBEventReader":
        """Open a reader with its own connection, which is kept until the process ends."""
        connection = self._connection.cursor()
        atexit.register(
            connection.close
        )  # runs before that of the engine, which was registered earlier
        name = self._make_name("own", _ddl(events.events_table(game)))
        return DuckDBEventReader(connection, self, game, name)

    @contextmanager
    def read(self, days: Iterable[dt.date], table: Table, lake: Lake) -> Iterator[DataFrame]:
        """See `LakeEngine`."""
        chosen = list(days)
        query = select_days(open_days(table.name, chosen, lake), table)
        with self._borrow_name(table.name, _ddl(table)) as view:
            self._connection.execute(f"CREATE VIEW {view} AS {query}")
            try:
                yield self.table(view)
            finally:
                self._connection.execute(f"DROP VIEW {view}")

    def store(
        self, frame: DataFrame, table: Table, by: str, days: Iterable[dt.date], lake: Lake
    ) -> dict[dt.date, int]:
        """See `LakeEngine`."""
        with lake.writing({day: table_file(table.name, day) for day in days}) as staged:
            self._connection.execute(f"CREATE OR REPLACE TABLE to_write AS {self.sql(frame)}")
            rows = {day: self._copy_day(table, by, day, target) for day, target in staged.items()}
            self._connection.execute("DROP TABLE to_write")
        return rows

    def _copy_day(self, table: Table, by: str, day: dt.date, target: Path) -> int:
        rows = _rows(f"to_write WHERE {by} = DATE '{day}'", table)
        written = self._connection.execute(
            f"COPY ({rows}) TO {_literal(target)} (FORMAT parquet, COMPRESSION zstd, "
            f"KV_METADATA {{'{FORMAT_KEY}': '{TABLE_FORMAT}'}})"
        ).fetchone()
        return int(written[0]) if written else 0

    def map(self, frame: DataFrame, function: BatchFunction, table: Table) -> DataFrame:
        """See `LakeEngine`."""
        name = f"made_{table.name}"
        self._connection.execute(f"CREATE OR REPLACE TABLE {name} ({_ddl(table)})")
        with self._connection.cursor() as rows:  # stays open while rows are inserted
            batches = rows.sql(self.sql(frame)).to_arrow_reader(BATCH_ROWS)
            for rows_made in _combine(map_batches(batches, function, table)):
                self._connection.register("gathered", rows_made)
                self._connection.execute(f"INSERT INTO {name} SELECT * FROM gathered")
                self._connection.unregister("gathered")
        return self.table(name)

    def rows_of(self, frame: DataFrame, table: Table) -> str:
        """Return the SQL of a frame's rows with the columns, types and order of the table."""
        return _rows(f"({self.sql(frame)})", table)

    def sql(self, frame: DataFrame) -> str:
        """The SQL of a frame: of a plan, as another process has stored it."""
        if not isinstance(frame, PlannedFrame):
            return _sql(frame)
        if frame.stored_sql is None:
            frame.stored_sql = self._find_sql(frame)
        return frame.stored_sql

    def _find_sql(self, planned: PlannedFrame) -> str:
        key = planned.plan_key
        if self._plans is None or key is None:
            return _sql(planned.frame)
        sql = self._plans.read(key)
        if sql is None:
            sql = _sql(planned.frame)
            self._plans.write(key, sql)
        return sql

    def to_pandas(self, frame: DataFrame) -> pd.DataFrame:
        """See `LakeEngine`."""
        return self._connection.execute(self.sql(frame)).df()


class DuckDBEventReader:
    """Reads raw files of a game; see `EventReader`."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, engine: DuckDBEngine, game: Game, name: str
    ) -> None:
        self.connection = connection
        self.name = name
        self.game = game
        create_lines(connection, {}, game, f"{name}_lines")
        connection.execute(
            f"CREATE OR REPLACE VIEW {name}_events AS SELECT * EXCLUDE (content) FROM {name}_lines"
        )
        self.frame = engine.table(f"{name}_events")
        self.event_ids = events.event_ids(self.frame, hash_probe(), engine)
        earlier = engine.table(self._fill("earlier", self._select_earlier([])))
        self._repeated = engine.sql(events.repeated_keys(self.frame, earlier, engine))
        repeated = engine.table(self._fill("repeated", self._repeated))
        self._duplicates = engine.sql(
            events.duplicates(self.frame, repeated, earlier, game.duplicate_days, engine)
        )
        self._fill_bad_lines({}, [])
        self.bad_lines = engine.table(f"{name}_bad_lines")

    def read(self, objects: Sequence[RawObject], lake: Lake) -> None:
        """See `EventReader`."""
        paths = lake.local_files(raw_object.stored.name for raw_object in objects)
        compared = find_compared_days({file.day for file in objects}, self.game, lake)
        self.read_files(
            [RawFile(o.day, o.name, path) for o, path in zip(objects, paths, strict=True)],
            [stored.file for stored in open_days(EVENT_IDS.name, compared, lake).values()],
        )

    def read_files(self, files: Sequence[RawText], event_ids: Sequence[Path] = ()) -> None:
        """Read files, replacing those read before.

        Args:
            files: Files of any number of days.
            event_ids: Stored days of `EVENT_IDS`, by which events that arrived before are found.
        """
        numbered = number_files(files)
        damaged = create_lines(self.connection, numbered, self.game, f"{self.name}_lines")
        self._fill("earlier", self._select_earlier(event_ids))
        self._fill("repeated", self._repeated)
        duplicates = self._fill("duplicates", self._duplicates)
        self.connection.execute(
            f"UPDATE {self.name}_lines AS l SET reason = '{events.DUPLICATE}' "
            f"FROM {duplicates} AS d WHERE l.dt = d.dt AND l.file = d.file AND l.line = d.line"
        )
        self._fill_bad_lines(numbered, damaged)

    def clear(self) -> None:
        """Delete what was read, to free its memory."""
        for part in ("lines", "earlier", "repeated", "duplicates", "bad_lines"):
            self.connection.execute(f"DROP TABLE IF EXISTS {self.name}_{part}")

    def _select_earlier(self, event_ids: Sequence[Path]) -> str:
        """Return the SQL of those stored keys that the lines have, too: few, however many days."""
        if not event_ids:
            return "SELECT CAST(NULL AS DATE) AS dt, CAST(NULL AS BIGINT) AS event_key LIMIT 0"
        return f"""
            SELECT dt, event_key FROM read_parquet([{", ".join(map(_literal, event_ids))}],
                hive_partitioning = true, hive_types = {{dt: DATE}})
            WHERE probe = {hash_probe()} AND event_key IN
                (SELECT event_key FROM {self.name}_lines WHERE event_key IS NOT NULL)"""

    def _fill_bad_lines(self, files: Mapping[int, RawText], damaged: Iterable[Damage]) -> None:
        names = [file.name for file in files.values()]
        bad_lines = _BAD_LINES.format(lines=f"{self.name}_lines")
        table = self._fill("bad_lines", bad_lines, list(files), names)
        for damage in damaged:
            file = files[damage.file]
            self.connection.execute(
                f"INSERT INTO {table} VALUES (?, ?, NULL, ?, NULL)",
                [file.day, file.name, damage.reason],
            )

    def _fill(self, part: str, query: str, *values: object) -> str:
        table = f"{self.name}_{part}"
        self.connection.execute(f"CREATE OR REPLACE TABLE {table} AS {query}", values)
        return table


_BAD_LINES = f"""
    SELECT dt, name AS file, line, reason, content
    FROM {{lines}} JOIN
        (SELECT unnest(CAST(? AS BIGINT[])) AS file, unnest(CAST(? AS VARCHAR[])) AS name)
        USING (file)
    WHERE reason NOT IN {events.NO_FAULTS}"""


def open_duckdb(memory_limit_mb: int, threads: int, plans: Path | None = None) -> DuckDBEngine:
    """Return the engine of the process, opening it at the first call, and set its limits.

    Plans are kept in a folder, if one is given.

    There is one because SQLFrame's session is a singleton, which caches the columns of every table
    by name.
    """
    engine = _process_engine()
    engine.limit(memory_limit_mb, threads)
    engine.keep_plans(plans)
    return engine


@cache
def _process_engine() -> DuckDBEngine:
    return DuckDBEngine()


_TYPES: dict[ColumnType, str] = {
    "text": "VARCHAR",
    "json": "VARCHAR",
    "integer": "BIGINT",
    "real": "DOUBLE",
    "date": "DATE",
    "time": "TIMESTAMP",
    "boolean": "BOOLEAN",
}


def _ddl(table: Table) -> str:
    return ", ".join(f"{column.name} {_TYPES[column.type]}" for column in table.columns)


def _rows(source: str, table: Table) -> str:
    columns = (f"CAST({c.name} AS {_TYPES[c.type]}) AS {c.name}" for c in table.columns)
    return f"SELECT {', '.join(columns)} FROM {source} ORDER BY {', '.join(table.key)}"


_STEPS: dict[str, str] = {}
"""SQL of each step, by its name, in the order in which they were planned."""
_STEP = re.compile(r"\bstep_\d+\b")


@lru_cache(maxsize=64)  # frames are run again on other rows, see `plan_once`
def _sql(frame: DataFrame) -> str:
    return _with_steps(_body(frame))


@pausing_garbage_collection()
def _body(frame: DataFrame) -> str:
    """The SQL of a frame without that of the steps that it reads."""
    # DuckDB has its own optimizer; SQLFrame's would take longer than some queries.
    return str(frame.sql(dialect="duckdb", optimize=False, pretty=False))


def _with_steps(sql: str) -> str:
    """SQL with that of the steps that it reads, as common table expressions."""
    read = _find_steps(sql)
    steps = ", ".join(f"{name} AS ({own})" for name, own in _STEPS.items() if name in read)
    return f"WITH {steps} FROM ({sql})" if steps else sql


def _find_steps(sql: str) -> set[str]:
    """Names of the steps that SQL reads, and that these read."""
    names = set(_STEP.findall(sql))
    return names.union(*(_find_steps(_STEPS[name]) for name in names))


def _combine(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Combine batches into larger tables: an INSERT takes milliseconds, however few its rows."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(len(batch) for batch in waiting) >= _ROWS_AT_ONCE:
            yield pa.Table.from_batches(waiting)
            waiting.clear()
    if waiting:
        yield pa.Table.from_batches(waiting)


def select_days(days: Mapping[dt.date, StoredDay], table: Table) -> str:
    """Return the SQL of the rows of opened days, with the day, named dt."""
    if not days:
        nulls = ", ".join(f"CAST(NULL AS {_TYPES[c.type]}) AS {c.name}" for c in table.columns)
        return f"SELECT CAST(NULL AS DATE) AS dt, {nulls} WHERE false"
    stored: set[str] = set()
    for day, (_, names) in days.items():
        refuse_missing_columns(day, names, table)
        stored.update(names)
    columns = (
        c.name if c.name in stored else f"CAST(NULL AS {_TYPES[c.type]}) AS {c.name}"
        for c in table.columns
    )
    paths = ", ".join(_literal(file) for file, _ in days.values())
    return (
        f"SELECT dt, {', '.join(columns)} FROM read_parquet([{paths}], "
        "union_by_name = true, hive_partitioning = true, hive_types = {dt: DATE})"
    )


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
