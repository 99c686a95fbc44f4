"""The results database: predictions and reports of whole days, in SQLite or MySQL.

Belongs here: what assets, checks and the service ask of it, and how a day gets in all or nothing.
Does not belong here: how predictions and reports are made, Dagster, and how rows, tables, versions
and connections work, which are in the modules `results_…` beside this one.

What is current is not stored: the view `player_predictions_current` shows the rows of the newest
day in `deliveries`. So a delivery publishes itself with its commit, at a cost that does not grow
with its rows, and an older day can never stand in front of a newer one.
"""

import datetime as dt
import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random,
)

from ds_assets.core.checksum import checksum
from ds_assets.core.contracts import rows_of_day
from ds_assets.core.group_defaults import AVERAGED_COLUMNS, SHARED_COLUMNS
from ds_assets.core.schema import Table
from ds_assets.core.tables import PREDICTIONS
from ds_assets.infra.results.connection import (
    ResultsBusy,
    ResultsUnavailable,
    begin,
    open_engine,
    parse_url,
)
from ds_assets.infra.results.latest import latest_rows
from ds_assets.infra.results.loading import DeliveryDiffers, Load, load_rows, read_rows
from ds_assets.infra.results.publishing import delete_stale_rows, let_days_go, publish
from ds_assets.infra.results.reports import let_reports_go, read_report, replace_day
from ds_assets.infra.results.schema import (
    CURRENT,
    DELIVERED,
    DELIVERIES,
    KEY_LENGTH,
    NEWEST_DAY,
    RUN_ID_LENGTH,
    SCHEMA_VERSION,
)
from ds_assets.infra.results.upgrade import SchemaDiffers, schema_version, upgrade

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "KEY_LENGTH",
    "Delivery",
    "DeliveryDiffers",
    "ResultsDatabase",
    "ResultsUnavailable",
    "SchemaDiffers",
]

_IDS_A_QUERY = 1_000
_ATTEMPTS = 3
_ATTEMPTS_SECONDS = 10
"""After this time nothing is tried again: who asked may, later."""
_LONGEST_PAUSE = 1.0
_LARGEST_LOAD_ID = 2**63 - 1

_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """One day in the results database.

    Attributes:
        as_of: The day.
        run_id: The run that delivered it last.
        row_count: Its rows.
        checksum: Fingerprint of its rows, see `ds_assets.core.checksum`.
        delivered_at: When it was delivered, UTC, to the second.
    """

    as_of: dt.date
    run_id: str
    row_count: int
    checksum: str
    delivered_at: dt.datetime


class ResultsDatabase:
    """The results database at one address; nothing is connected before it is needed.

    It may be shared by threads. What is missing of the schema is created at the first use.

    Args:
        url: SQLAlchemy URL, `sqlite:///…` or `mysql+pymysql://…`.
        days: Days that are kept, counted back from the newest delivered one; 0 keeps all. Older
            ones are deleted after a delivery, but for those that this object delivered. Days of a
            report are counted back from the newest day of that report.

    Raises:
        InputError: the URL is not one.
    """

    def __init__(self, url: str, days: int = 0) -> None:
        self._url = parse_url(url)
        self._days = days
        self._delivered: set[dt.date] = set()
        self._lock = threading.Lock()
        self._engine: sa.Engine | None = None
        self._has_schema = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection. A later use opens new ones."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = None

    def ensure_schema(self) -> None:
        """Make the schema, or bring it to the version that this software needs.

        Raises:
            SchemaDiffers: it cannot be used, and the message says what to do.
            ResultsUnavailable: the database cannot be used.
        """
        _persist(self._ensure_schema)

    def deliver(
        self, as_of: dt.date, predictions: "pa.Table | pd.DataFrame", run_id: str
    ) -> Delivery:
        """Put one day's predictions in place of whatever the day had, all or nothing.

        What is stored is compared with the rows before it is committed. Delivering the same rows
        again changes nothing but the run and the time of the delivery.

        Args:
            as_of: The day.
            predictions: A row a user, the columns of `PREDICTIONS`, every `as_of` this day.
            run_id: The run that made them, 255 characters at most.

        Raises:
            ValueError: the rows break the column contract, are of another day, or hold what the
                database cannot: a user id that is empty or too long, an infinite real.
            DeliveryDiffers: the database stored something else; the day stays as it was.
            SchemaDiffers: the schema cannot be used, and the message says what to do.
            ResultsUnavailable: the database cannot be used; the day stays as it was. If it went
                away in the moment of the commit, the day may also be the new one.
        """
        table = rows_of_day(PREDICTIONS, as_of, predictions)
        _refuse_unstorable(PREDICTIONS, table)
        _refuse_long(run_id)
        with ThreadPoolExecutor(1) as beside:  # the server needs longer than the checksum
            fingerprint = beside.submit(checksum, table)
            delivery = _persist(lambda: self._deliver(as_of, table, run_id, fingerprint))
        self._delivered.add(as_of)
        self._tidy_up()
        return delivery

    def current(self, user_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Rows of these users on the newest delivered day, in no order; unknown users have none.

        Args:
            user_ids: Any number; they are asked for in batches, one query each.

        Raises:
            ResultsUnavailable: the database cannot be used.
        """
        rows: list[dict[str, Any]] = []
        with self._transaction() as connection:
            for start in range(0, len(user_ids), _IDS_A_QUERY):
                batch = user_ids[start : start + _IDS_A_QUERY]
                query = sa.select(CURRENT).where(CURRENT.c.user_id.in_(batch))
                rows += (dict(row) for row in connection.execute(query).mappings())
        return rows

    def latest(self, user_ids: Sequence[str]) -> list[dict[str, Any]]:
        """The newest row of each of these users, in no order, of the newest 60 delivered days.

        Args:
            user_ids: 1,000 at most: one query asks for all.

        Raises:
            ResultsUnavailable: the database cannot be used.
        """
        with self._transaction() as connection:
            return latest_rows(connection, user_ids)

    def defaults(self) -> pa.RecordBatch:
        """Compute the group defaults of the newest delivered day, as `compute_group_defaults` does.

        Raises:
            ResultsUnavailable: the database cannot be used.
        """
        same = [sa.func.max(CURRENT.c[name]).label(name) for name in SHARED_COLUMNS]
        means = [sa.func.avg(CURRENT.c[name]).label(name) for name in AVERAGED_COLUMNS]
        everybody = sa.select(*same, *means)
        # As bytes: MySQL would take groups that differ in case or accents for the same.
        group = sa.cast(CURRENT.c.user_group, sa.LargeBinary).label("user_group")
        of_groups = sa.select(group, *same, *means).where(group.is_not(None)).group_by(group)
        with self._transaction() as connection:
            rows = [dict(connection.execute(everybody).mappings().one())]
            rows += [dict(row) for row in connection.execute(of_groups).mappings()]
        known = [{"user_id": ""} | row for row in rows if row["as_of"] is not None]
        return pa.RecordBatch.from_pylist(known, schema=PREDICTIONS.arrow_schema)

    def current_day(self) -> dt.date | None:
        """The newest delivered day; none, where nothing has been delivered.

        Raises:
            ResultsUnavailable: the database cannot be used.
        """
        with self._transaction() as connection:
            newest: dt.date | None = connection.scalar(NEWEST_DAY)
            return newest

    def day(self, as_of: dt.date) -> pa.Table:
        """Rows of one day, with the schema of `PREDICTIONS`; no rows, where it was not delivered.

        Raises:
            ResultsUnavailable: the database cannot be used.
        """
        with self._transaction() as connection:
            query = sa.select(DELIVERED).where(DELIVERED.c.as_of == as_of)
            streaming = connection.execution_options(stream_results=True)
            return read_rows(streaming.execute(query), PREDICTIONS)

    def deliveries(self) -> list[Delivery]:
        """Every delivered day, the newest first.

        Raises:
            ResultsUnavailable: the database cannot be used.
        """
        known = [column for column in DELIVERIES.c if column.name != "load_id"]
        with self._transaction() as connection:
            query = sa.select(*known).order_by(DELIVERIES.c.as_of.desc())
            return [
                Delivery(**{**row, "delivered_at": row["delivered_at"].replace(tzinfo=dt.UTC)})
                for row in connection.execute(query).mappings()
            ]

    def put_report(self, table: Table, as_of: dt.date, rows: pa.Table) -> int:
        """Put one day's rows of a report in place of whatever the day had, all or nothing.

        What is stored is compared with the rows before it is committed. Writers of the same report
        take turns.

        Args:
            table: One of `REPORTS`.
            as_of: The day.
            rows: The columns of that table, every `as_of` this day; none is a report, too.

        Returns:
            The number of rows.

        Raises:
            ValueError: the rows break the column contract, are of another day, or hold what the
                database cannot: a text of the key that is empty or too long, an infinite real.
            DeliveryDiffers: the database stored something else; the day stays as it was.
            SchemaDiffers: the schema cannot be used, and the message says what to do.
            ResultsUnavailable: the database cannot be used; the day stays as it was. If it went
                away in the moment of the commit, the day may also be the new one.
        """
        given = rows_of_day(table, as_of, rows)
        _refuse_unstorable(table, given)
        _persist(lambda: self._put_report(table, as_of, given))
        self._delivered.add(as_of)
        return int(given.num_rows)

    def report(self, table: Table, as_of: dt.date | None = None) -> pa.Table:
        """Rows of a report in the order of its key.

        Args:
            table: One of `REPORTS`.
            as_of: The day; without it, every day that is there.

        Raises:
            ResultsUnavailable: the database cannot be used.
        """
        with self._transaction() as connection:
            return read_report(connection, table, as_of)

    def _ensure_schema(self) -> None:
        if self._has_schema:
            return
        with begin(self._connected()) as connection:
            is_there = schema_version(connection) == SCHEMA_VERSION
        if not is_there:
            with begin(self._connected(), writing=True) as connection:
                upgrade(connection)
        self._has_schema = True

    def _deliver(
        self, as_of: dt.date, table: pa.Table, run_id: str, fingerprint: "Future[str]"
    ) -> Delivery:
        load = Load(as_of, secrets.randbelow(_LARGEST_LOAD_ID) + 1)
        with self._transaction(writing=True) as connection:
            load_rows(connection, load, table)
            now = dt.datetime.now(dt.UTC).replace(microsecond=0)
            delivery = Delivery(as_of, run_id, table.num_rows, fingerprint.result(), now)
            publish(connection, _row(delivery, load))
        return delivery

    def _put_report(self, table: Table, as_of: dt.date, rows: pa.Table) -> None:
        with self._transaction(writing=True) as connection:
            replace_day(connection, table, as_of, rows)
            if self._days:
                let_reports_go(connection, table, self._days, {*self._delivered, as_of})

    def _tidy_up(self) -> None:
        """Delete what is not needed any more; what fails here, the next delivery does."""
        try:
            if self._days:
                with self._transaction(writing=True) as connection:
                    let_days_go(connection, self._days, self._delivered)
            delete_stale_rows(self._connected())
        except ResultsUnavailable as error:
            _log.warning("the day was delivered, and old rows are still there: %s", error)

    @contextmanager
    def _transaction(self, *, writing: bool = False) -> Iterator[sa.Connection]:
        self._ensure_schema()
        with begin(self._connected(), writing=writing) as connection:
            yield connection

    def _connected(self) -> sa.Engine:
        with self._lock:
            if self._engine is None:
                self._engine = open_engine(self._url)
            return self._engine


def _persist(attempt: Callable[[], _Result]) -> _Result:
    """Try a few times what may be possible a moment later."""
    attempts = Retrying(
        retry=retry_if_exception_type(ResultsBusy),
        stop=stop_after_attempt(_ATTEMPTS) | stop_after_delay(_ATTEMPTS_SECONDS),
        wait=wait_random(0.1, _LONGEST_PAUSE),
        reraise=True,
    )
    return attempts(attempt)


def _row(delivery: Delivery, load: Load) -> dict[str, object]:
    naive = delivery.delivered_at.replace(tzinfo=None)
    return {**asdict(delivery), "delivered_at": naive, "load_id": load.load_id}


def _refuse_unstorable(contract: Table, rows: pa.Table) -> None:
    for field in rows.schema:
        column = rows[field.name]
        if pa.types.is_string(field.type) and field.name in contract.key:
            _refuse_lengths(field.name, column)
        if pa.types.is_floating(field.type) and pc.any(pc.is_inf(column)).as_py():
            raise ValueError(f"{field.name} is infinite in a row; MySQL has no such value")


def _refuse_lengths(name: str, keys: pa.ChunkedArray) -> None:
    lengths = pc.min_max(pc.utf8_length(keys)).as_py()
    if lengths["min"] == 0:
        raise ValueError(
            f"{name} is empty in a row; the results database takes 1 character or more"
        )
    longest = lengths["max"] or 0
    if longest > KEY_LENGTH:
        raise ValueError(
            f"{name} has {longest} characters in a row; the results database takes {KEY_LENGTH}"
        )


def _refuse_long(run_id: str) -> None:
    if len(run_id) > RUN_ID_LENGTH:
        raise ValueError(
            f"the run id has {len(run_id)} characters; the results database takes {RUN_ID_LENGTH}"
        )
