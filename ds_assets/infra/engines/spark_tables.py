"""The lake and its tables in Spark's terms: addresses, types and Arrow batches."""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from ds_assets.core.engine import DataFrame
from ds_assets.core.schema import ColumnType, Table

TYPES: dict[ColumnType, str] = {
    "text": "string",
    "json": "string",
    "integer": "bigint",
    "real": "double",
    "date": "date",
    "time": "timestamp_ntz",
    "boolean": "boolean",
}


def ddl(table: Table) -> str:
    """Return the schema of a table as Spark DDL."""
    return ", ".join(f"{column.name} {TYPES[column.type]}" for column in table.columns)


def in_batches(
    frame: DataFrame,
    function: Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]],
    table: Table,
) -> DataFrame:
    """Apply a function to the batches of a frame, on the workers."""
    with without_pandas_warning():
        return frame.mapInArrow(function, ddl(table))


@contextmanager
def without_pandas_warning() -> Iterator[None]:
    """Suppress PySpark's warning about pandas 3, which is not involved: batches are Arrow's."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")
        yield


@dataclass(frozen=True)
class SparkPlace:
    """The lake at an address of one of Spark's file systems: `abfss://…`, `file:///…`."""

    root: str

    def address(self, name: str) -> str:
        """Return the address of an object or a folder."""
        return f"{self.root.rstrip('/')}/{name}"

    def pattern(self, name: str) -> str:
        """Return the address of an object, escaped because Spark treats it as a glob pattern."""
        return re.sub(r"([\\{}\[\]*?])", r"\\\1", self.address(name))

    @property
    def is_local(self) -> bool:
        """Whether the lake is a folder that the workers can open."""
        return self.root.startswith("file:")


def path_of(address: str) -> str:
    """Return an address without scheme and host, which Spark writes in more than one way."""
    return re.sub("/+", "/", re.sub(r"^[^:/]+:(//[^/]*)?", "", address))
