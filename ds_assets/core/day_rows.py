"""The rows of a day, read piece by piece, so that a day need not fit into memory.

Scope: validating pieces and their order. Where rows are read from is up to the caller.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from ds_assets.core.contracts import ascends, rows_of_day
from ds_assets.core.schema import Table

if TYPE_CHECKING:
    import pandas as pd

_ROWS_PER_PIECE = 5_000


@dataclass(frozen=True)
class DayRows:
    """The rows of a day in the order of the key, which can be iterated again and again.

    An iteration yields tables of some rows each, none of them empty, with the schema of the
    contract. It raises `ValueError` where rows violate the contract or are of another day.

    Attributes:
        contract: The contract of the table, which has a column `as_of`.
        as_of: The day that every row must have.
        read: Reads the rows from the beginning, some at a time.
        refuse: Makes the error for rows that are not in the order of the key, from a reason.
    """

    contract: Table
    as_of: dt.date
    read: Callable[[], Iterable[pa.Table | pa.RecordBatch]]
    refuse: Callable[[str], Exception] = ValueError

    @classmethod
    def of(
        cls, contract: Table, as_of: dt.date, rows: "pa.Table | pd.DataFrame | DayRows"
    ) -> "DayRows":
        """Make the rows of a day from a table or frame in any order, which is validated at once.

        Rows that are read piece by piece stay as they are.

        Raises:
            ValueError: the rows violate the contract, or are of another table or day.
        """
        if isinstance(rows, DayRows):
            if (rows.contract, rows.as_of) != (contract, as_of):
                raise ValueError(
                    f"found {rows.contract.name} of {rows.as_of}; accepted are {contract.name} of "
                    f"{as_of}"
                )
            return rows
        table = rows_of_day(contract, as_of, rows)
        if not ascends(contract.key, table):
            table = table.sort_by([(name, "ascending") for name in contract.key])
        return cls(contract, as_of, lambda: table.to_batches(max_chunksize=_ROWS_PER_PIECE))

    def __iter__(self) -> Iterator[pa.Table]:
        last: list[pa.Table] = []
        for piece in self.read():
            if piece.num_rows:
                rows = rows_of_day(self.contract, self.as_of, pa.table(piece))
                self._require_order([*last, rows])
                last = [rows.slice(rows.num_rows - 1)]
                yield rows

    def to_table(self) -> pa.Table:
        """All rows at once, with the schema of the contract."""
        batches = [batch for piece in self for batch in piece.to_batches()]
        return pa.Table.from_batches(batches, schema=self.contract.arrow_schema)

    def _require_order(self, pieces: list[pa.Table]) -> None:
        """Refuse rows that do not follow each other: the last one read, and those after it."""
        key = list(self.contract.key)
        if not ascends(key, pa.concat_tables(piece.select(key) for piece in pieces)):
            raise self.refuse(
                f"{self.contract.name} of {self.as_of} are not sorted by {' and '.join(key)}, or "
                "two rows have the same"
            )
