"""The protocol between the results database and a database product.

Scope: what each product must provide, and the values handed to it. Everything that holds for all
products (which load counts, transactions, retries, retention) is in the modules around this
package.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from ds_assets.core.schema import Column, Table
from ds_assets.infra.results.errors import DeliveryDiffers

MAX_ROWS_PER_BATCH = 5_000
"""Rows that are converted, and sent, at a time."""
CONNECT_SECONDS = 4
"""Longest wait for a server to accept a connection, and for an idle connection to prove alive."""
STATEMENT_SECONDS = 60
"""Longest wait for the result of a statement. Deliveries are cut so that no statement's work grows
with the delivery."""
LOCK_SECONDS = 10
"""Longest wait of a statement for a lock."""
COMMIT_SECONDS = 600
"""Longest wait for a commit, whose work may grow with the delivery: a binary log takes all rows."""
POOL_SECONDS = 10
"""Longest wait for a connection of the pool."""
SCHEMA_LOCK_SECONDS = 45
"""Longest wait for another process that is changing the schema."""
SCHEMA_CHANGE_SECONDS = 3_600
"""Longest wait for one change of the schema, which may copy a table."""


@dataclass(frozen=True)
class Load:
    """The rows of one delivery of a day.

    Attributes:
        as_of: The day.
        load_id: Id that no other load of the day has.
    """

    as_of: dt.date
    load_id: int


@dataclass(frozen=True)
class Part:
    """Consecutive rows of a load in the order of the primary key: the work of one statement.

    Attributes:
        table: Where they go. Its primary key is `as_of`, `load_id` and the rest of the contract's
            key, which begins with `user_id`.
        contract: The columns of `rows`.
        load: The load.
        rows: All rows of their users, and at least one.
        after: The user before the first one; empty where there is none.
    """

    table: sa.Table
    contract: Table
    load: Load
    rows: pa.Table
    after: str

    @property
    def sent_columns(self) -> list[Column]:
        """Columns that differ between the rows of a load."""
        return [column for column in self.contract.columns if column.name != "as_of"]

    @property
    def order(self) -> list[sa.Column[Any]]:
        """The columns that order the rows of a load."""
        return [self.table.c[name] for name in self.contract.key if name != "as_of"]

    @property
    def is_stored(self) -> sa.ColumnElement[bool]:
        """Condition of the stored rows of this part, while no later part is stored."""
        stored = self.table.c
        return sa.and_(
            stored.as_of == self.load.as_of,
            stored.load_id == self.load.load_id,
            stored.user_id > self.after,
        )

    def batches(self) -> list[pa.RecordBatch]:
        """The rows in pieces that are converted, and sent, one at a time."""
        return list(self.rows.to_batches(max_chunksize=MAX_ROWS_PER_BATCH))

    def require_count(self, stored: int) -> None:
        """Compare the number of stored rows with the part's.

        Raises:
            DeliveryDiffers: It is another.
        """
        if stored != self.rows.num_rows:
            raise DeliveryDiffers.in_count(self.load.as_of, self.rows.num_rows, stored)


class Backend(Protocol):
    """What differs from one database product to another."""

    file_options: Sequence[str]
    """Options of a URL that name files, which must exist."""
    unstorable_character: str
    """A character that the product cannot store in text; empty where it can store all."""
    has_transactional_ddl: bool
    """Whether a rollback takes back changes of the schema."""

    def open_engine(self, url: sa.URL) -> sa.Engine:
        """Make an engine whose connections have bounded waits; nothing is connected yet."""
        ...

    def transaction_options(self, *, writing: bool) -> Mapping[str, Any]:
        """Execution options of a transaction.

        A transaction that only reads must see the database at one moment. Two that write must be
        able to deliver different days at the same time, where the product allows it.
        """
        ...

    def is_transient(self, error: BaseException) -> bool:
        """Whether a driver's error may be gone a moment later: lost connections, locks."""
        ...

    def is_denied(self, error: BaseException) -> bool:
        """Whether the server refused the account, or a statement because of its rights."""
        ...

    def explain(self, error: BaseException, url: sa.URL) -> str:
        """A driver's error in words, in one line and without the account's name."""
        ...

    def key_type(self, length: int, dialect: sa.Dialect) -> TypeEngine[str]:
        """Type of text that is equal only to itself, and ordered by its UTF-8 bytes."""
        ...

    def as_bytes(self, text: sa.ColumnElement[Any]) -> sa.ColumnElement[bytes]:
        """The UTF-8 bytes of a text, so that groups differ in case and accents."""
        ...

    def days_between(
        self, later: sa.ColumnElement[Any], earlier: sa.ColumnElement[Any]
    ) -> sa.ColumnElement[int]:
        """Number of days from one date to a later one."""
        ...

    def json_rows(self, parameter: str, types: Mapping[str, str]) -> str:
        """SQL of a table of the objects in a bound parameter, which is a JSON list.

        Args:
            parameter: The parameter's name.
            types: SQL type of each column, by the object's member that it is read from.
        """
        ...

    def prepare_lookups(self, connection: sa.Connection) -> None:
        """Have the planner prefer whole keys until the end of the transaction."""
        ...

    def lookup(self, *, columns: str, keys: str, view: str, condition: str) -> str:
        """SELECT that looks up rows of a view for each row of keys, by the whole primary key.

        The plan must be the same with and without statistics of the tables.

        Args:
            columns: SQL of the columns to select.
            keys: SQL of the keys and their alias.
            view: Name of the view, which joins deliveries with their loads, in this order. Its rows
                are `stored` in the SQL of the columns and of the condition.
            condition: SQL that compares the whole key of the view with the keys.
        """
        ...

    def load(self, connection: sa.Connection, part: Part) -> None:
        """Insert a part's rows, and compare what is stored with them.

        Raises:
            DeliveryDiffers: Something else is stored.
        """
        ...

    def upsert_and_lock(self, table: sa.Table, row: Mapping[str, Any]) -> sa.Insert:
        """Statement that inserts a row, or leaves the one there as it is, and locks it."""
        ...

    def replace_view(self, connection: sa.Connection, name: str, query: str) -> None:
        """Redefine a view so that readers find the old or the new one at any time."""
        ...

    def schema_lock(self, connection: sa.Connection) -> AbstractContextManager[bool]:
        """Let nobody else change the schema meanwhile, and allow changes to take long.

        Yields whether that was possible within `SCHEMA_LOCK_SECONDS`.
        """
        ...
