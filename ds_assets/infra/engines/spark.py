"""The engine for logs that are too large for one machine: Spark.

Scope: implementing `LakeEngine` with Spark. Sessions are started in `spark_session`.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from io import BytesIO
from typing import Any

import pandas as pd
from pyarrow import parquet

from ds_assets.core.engine import DataFrame
from ds_assets.core.schema import Table
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.engines.base import BatchFunction, map_batches
from ds_assets.infra.engines.spark_reader import SparkEventReader
from ds_assets.infra.engines.spark_session import is_alive, remote_session, started_session
from ds_assets.infra.engines.spark_tables import TYPES, SparkPlace, ddl, in_batches
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.tables import damaged_day, refuse_missing_columns, table_file

_DAY = "stored_day"
_MAX_SCHEMA_READS = 8
_DAMAGES = ("CANNOT_READ_FILE_FOOTER", "UNABLE_TO_INFER_SCHEMA")
"""Spark's error conditions of a file that is not Parquet, and of one that is empty."""


class SparkEngine:
    """An engine that runs on a Spark session. See `LakeEngine` for the methods.

    Args:
        session: The session, of a Spark in this process or of Spark Connect.
        lake: Address of the lake for Spark: `abfss://…`, `file:///…`.
    """

    def __init__(self, session: Any, lake: str) -> None:
        self.session = session
        self._place = SparkPlace(lake)

    @property
    def functions(self) -> Any:
        """The PySpark API's column functions."""
        return import_module(f"{self._api}.functions")

    @property
    def window(self) -> Any:
        """The PySpark API's window specifications."""
        return import_module(f"{self._api}.window").Window

    @property
    def _api(self) -> str:
        """The package of the session: Spark Connect has its own column functions."""
        is_remote = ".connect." in type(self.session).__module__
        return "pyspark.sql.connect" if is_remote else "pyspark.sql"

    @contextmanager
    def events(self, game: Game) -> Iterator[SparkEventReader]:
        """See `LakeEngine`."""
        reader = SparkEventReader(self, self._place, game)
        try:
            yield reader
        finally:
            reader.close()

    def plan(self, build: Callable[..., DataFrame], arguments: tuple[Any, ...]) -> DataFrame:
        """See `Engine`."""
        return build(*arguments)

    def step(self, frame: DataFrame) -> DataFrame:
        """See `Engine`: Spark plans no faster in steps."""
        return frame

    @contextmanager
    def values(self, rows: Sequence[tuple[object, ...]], columns: str) -> Iterator[DataFrame]:
        """See `Engine`."""
        yield self.session.createDataFrame(rows, columns)

    @contextmanager
    def read(
        self,
        days: Iterable[dt.date],
        table: Table,
        lake: Lake,  # noqa: ARG002
    ) -> Iterator[DataFrame]:
        """See `LakeEngine`."""
        chosen = list(days)
        schema = f"dt date, {ddl(table)}"
        if not chosen:
            yield self.session.createDataFrame([], schema)
            return
        with ThreadPoolExecutor(_MAX_SCHEMA_READS) as executor:
            columns_by_day = executor.map(partial(self._columns, table.name), chosen)
            for day, columns in zip(chosen, columns_by_day, strict=True):
                refuse_missing_columns(day, columns, table)
        files = [self._file(table.name, day) for day in chosen]
        base = self._place.address(table.name)  # folder names below it become a column
        reader = self.session.read.schema(schema).option("basePath", base)
        yield reader.parquet(*files).select("dt", *table.names)

    def _file(self, table: str, day: dt.date) -> str:
        return self._place.pattern(table_file(table, day))

    def _columns(self, table: str, day: dt.date) -> Sequence[str]:
        try:
            columns: Sequence[str] = self.session.read.parquet(self._file(table, day)).columns
        except Exception as error:
            # Its class depends on the session, and may be that of any error of Java.
            if reason := next((it for it in _DAMAGES if it in str(error)), None):
                raise damaged_day(table, day, reason) from None
            raise
        return columns

    def store(
        self, frame: DataFrame, table: Table, by: str, days: Iterable[dt.date], lake: Lake
    ) -> dict[dt.date, int]:
        """See `LakeEngine`."""
        chosen = list(days)
        with lake.adopting() as (folder, adopted):
            written = self._write(frame, table, by, chosen, f"{folder}/rows")
            staged = self._find_staged(f"{folder}/rows", written, lake)
            for day in chosen:
                if day not in staged:
                    staged[day] = f"{folder}/{day}.parquet"
                    lake.write(staged[day], _empty(table))
                adopted[table_file(table.name, day)] = staged[day]
        return {day: written.get(day, 0) for day in chosen}

    def _write(
        self, frame: DataFrame, table: Table, by: str, days: Sequence[dt.date], folder: str
    ) -> dict[dt.date, int]:
        """Write a file per day into a folder. Returns the number of rows of days that have any."""
        f = self.functions
        columns = [
            f.col(column.name).cast(TYPES[column.type]).alias(column.name)
            for column in table.columns
        ]
        rows = frame.where(f.col(by).isin(days)).select(*columns, f.col(by).alias(_DAY))
        key = [f.col(name).asc_nulls_last() for name in table.key]
        target = self._place.address(folder)
        # All rows of a day are in one partition, and therefore in one file.
        rows.repartition(_DAY).sortWithinPartitions(_DAY, *key).write.partitionBy(_DAY).options(
            compression="zstd", maxRecordsPerFile=0
        ).parquet(target)
        written = self.session.read.schema(f"{_DAY} date").parquet(self._place.pattern(folder))
        counts = written.groupBy(_DAY).count()
        return {row[_DAY]: row["count"] for row in counts.collect()}

    def _find_staged(self, folder: str, days: Iterable[dt.date], lake: Lake) -> dict[dt.date, str]:
        """Return the names in the lake of the files that Spark wrote into a folder, by day."""
        names = [item.name for item in lake.objects(folder) if item.name.endswith(".parquet")]
        files_by_day = {
            day: [name for name in names if name.startswith(f"{folder}/{_DAY}={day}/")]
            for day in days
        }
        for day, files in files_by_day.items():
            if len(files) != 1:
                raise InputError(
                    f"Spark wrote {day} to {self._place.address(folder)}, where the lake {lake} "
                    f"has {len(files)} files of it; DS_ASSETS_SPARK_LAKE must be the same place"
                )
        return {day: files[0] for day, files in files_by_day.items()}

    def map(self, frame: DataFrame, function: BatchFunction, table: Table) -> DataFrame:
        """See `LakeEngine`. The workers run the function, so they need this package."""
        return in_batches(frame, partial(map_batches, function=function, table=table), table)

    def to_pandas(self, frame: DataFrame) -> pd.DataFrame:
        """See `LakeEngine`."""
        rows: pd.DataFrame = frame.toArrow().to_pandas(date_as_object=False)
        return rows


_engines: dict[tuple[str, str, str], SparkEngine] = {}


def open_spark(remote: str, master: str, lake: str, memory_limit_mb: int) -> SparkEngine:
    """Return the engine of the process for a Spark, opening it if there is none or it has ended.

    Args:
        remote: Address of a Spark Connect server; empty for a Spark started by this process.
        master: Spark master if there is no server.
        lake: Address of the lake for Spark.
        memory_limit_mb: Heap of a local Spark.

    Raises:
        InputError: Spark does not start, its address is not valid, or its packages are not
            installed.
        SparkUnavailable: no server answers at the address.
    """
    key = (remote, master, lake)
    if key in _engines and is_alive(_engines[key].session):
        return _engines[key]
    session = remote_session(remote) if remote else started_session(master, memory_limit_mb)
    _engines[key] = SparkEngine(session, lake)
    return _engines[key]


def _empty(table: Table) -> bytes:
    content = BytesIO()
    parquet.write_table(table.arrow_schema.empty_table(), content)
    return content.getvalue()
