"""How a stored table is declared.

Scope: columns, types, keys and the Parquet schema. The tables themselves are declared in
`tables` and `game_tables`.
"""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

ColumnType = Literal["text", "json", "integer", "real", "date", "time", "boolean"]


_ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "text": pa.string(),
    "json": pa.string(),
    "integer": pa.int64(),
    "real": pa.float64(),
    "date": pa.date32(),
    "time": pa.timestamp("us"),
    "boolean": pa.bool_(),
}


@dataclass(frozen=True)
class Column:
    """One stored column.

    Attributes:
        name: Name in every store.
        type: Logical type; each store maps it to its own.
        description: One sentence for a reader of the table.
        nullable: Whether a value may be missing.
        is_recent: Whether files of an earlier version lack it; it is then missing in every row.
        max_length: Most characters of a text in a key, none for the most that a database takes:
            the texts of a key have a limit together.
    """

    name: str
    type: ColumnType
    description: str
    nullable: bool = False
    is_recent: bool = False
    max_length: int | None = None


@dataclass(frozen=True)
class Table:
    """One stored table.

    Attributes:
        name: Name in every store.
        columns: Its columns, in order.
        key: The columns that identify a row.
        description: A sentence that says what its rows are.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    description: str = ""

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return [column.name for column in self.columns]

    @property
    def arrow_schema(self) -> pa.Schema:
        """Schema of the table's Parquet files."""
        return pa.schema(
            [
                pa.field(column.name, _ARROW_TYPES[column.type], nullable=column.nullable)
                for column in self.columns
            ]
        )
