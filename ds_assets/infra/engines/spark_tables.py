"""The lake and its tables as Spark names them.

Belongs here: addresses, types, and rows as Arrow's batches. What is done with them is the engine's
and the reader's.
"""

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
    """A table's columns, as Spark declares them."""
    return ", ".join(f"{column.name} {TYPES[column.type]}" for column in table.columns)


def in_batches(
    frame: DataFrame,
    function: Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]],
    table: Table,
) -> DataFrame:
    """Rows of a table that a function makes, on the workers, of a frame's rows."""
    with no_word_of_pandas():
        return frame.mapInArrow(function, ddl(table))


@contextmanager
def no_word_of_pandas() -> Iterator[None]:
    """Keep back PySpark's warning of pandas 3, which takes no part: Arrow's batches are used."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")
        yield


@dataclass(frozen=True)
class SparkPlace:
    """The lake at an address that Spark's file systems know: `abfss://…`, `file:///…`."""

    root: str

    def address(self, name: str) -> str:
        """Address of an object, or of a folder."""
        return f"{self.root.rstrip('/')}/{name}"

    def pattern(self, name: str) -> str:
        """What to read an object by: Spark takes an address for a pattern."""
        return re.sub(r"([\\{}\[\]*?])", r"\\\1", self.address(name))

    @property
    def is_local(self) -> bool:
        """Whether the workers see the lake as a folder of theirs."""
        return self.root.startswith("file:")


def path_of(address: str) -> str:
    """An address without its scheme and host, which Spark writes in more than one way."""
    return re.sub("/+", "/", re.sub(r"^[^:/]+:(//[^/]*)?", "", address))
