"""The results database: predictions and reports of whole days.

Scope: the operations that assets, checks and the service call, and the all-or-nothing delivery of a
day. The modules beside this one do the parts: connections, rows, tables, reports, upgrades; what
differs between database products is in `backends`.

Which day is current is not stored: the view `player_predictions_current` shows the rows of the
newest day in `deliveries`. So a delivery publishes itself with its commit, at a cost that does not
grow with its rows, and an older day never takes the place of a newer one.
"""

import datetime as dt
import logging
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pyarrow as pa
import sqlalchemy as sa
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random,
)

from ds_assets.core.checksum import RowsChecksum, checksum_rows
from ds_assets.core.contracts import rows_of_day
from ds_assets.core.day_rows import DayRows
from ds_assets.core.schema import Table
from ds_assets.core.tables import PLAYER_PROMOTIONS, PREDICTIONS, TARGET_PREDICTIONS
from ds_assets.infra.results import installations, publishing, reports
from ds_assets.infra.results.backends import backend_of
from ds_assets.infra.results.backends.base import Backend, Load
from ds_assets.infra.results.backends.rows import read_batches
from ds_assets.infra.results.connection import begin, open_engine, parse_url
from ds_assets.infra.results.defaults import query_defaults
from ds_assets.infra.results.errors import (
    DeliveryDiffers,
    ResultsBusy,
    ResultsUnavailable,
    SchemaDiffers,
)
from ds_assets.infra.results.latest import latest_rows
from ds_assets.infra.results.limits import refuse_long_run_id, refuse_unstorable_rows
from ds_assets.infra.results.loading import cut_between_users, load_rows
from ds_assets.infra.results.schema import (
    DELIVERED_TABLES,
    DELIVERIES,
    INSTALLATIONS,
    KEY_LENGTH,
    PLAYER_PREDICTIONS,
    PLAYER_PROMOTION_ROWS,
    REPORT_LOCKS,
    SCHEMA_VERSION,
    TARGET_PREDICTION_ROWS,
    DeliveredTable,
    newest_day,
)
from ds_assets.infra.results.upgrade import refuse_unknown, schema_version, upgrade

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

_MAX_ATTEMPTS = 3
_RETRY_SECONDS = 10
"""After this time no further attempt is made: the caller may, later."""
_MAX_PAUSE_SECONDS = 1.0
_MAX_LOAD_ID = 2**63 - 1

# `Schema.empty_table` would import pandas, which a process that serves does without.
_NO_TARGET_PREDICTIONS = pa.Table.from_batches([], schema=TARGET_PREDICTIONS.arrow_schema)
_NO_PROMOTIONS = pa.Table.from_batches([], schema=PLAYER_PROMOTIONS.arrow_schema)

_TABLES = {table.contract.name: table for table in DELIVERED_TABLES}
_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """One day in the results database.

    Attributes:
        as_of: The day.
        run_id: The run that delivered it last.
        row_count: Its rows.
        checksum: Checksum of its rows, see `ds_assets.core.checksum`.
        delivered_at: When it was delivered, UTC, to the second.
    """

    as_of: dt.date
    run_id: str
    row_count: int
    checksum: str
    delivered_at: dt.datetime


class ResultsDatabase:
    """The results database at one URL; nothing is connected before it is needed.

    Threads may share it. The schema is created or upgraded at the first use. Only the rows of one
    installation are read and written.

    Args:
        url: SQLAlchemy URL of one of the schemes in `backends.EXAMPLES`.
        days: Days to keep, counted back from the newest delivered one; 0 keeps all. Older ones are
            deleted after a delivery, except those that this object delivered. Days of a report are
            counted back from the newest day of that report.
        targets: Names of the game's own targets, which are looked up, too.
        installation: Name of the installation.
        promotions: Names of the game's promotions in the order of priority, likewise.

    Raises:
        InputError: The URL is not accepted.
    """

    def __init__(
        self,
        url: str,
        days: int = 0,
        targets: Sequence[str] = (),
        installation: str = "main",
        promotions: Sequence[str] = (),
    ) -> None:
        self._url = parse_url(url)
        self._days = days
        self._targets, self._promotions = targets, promotions
        self._installation = installation
        self._installation_id: int | None = None
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
        """Create the schema, or upgrade it to the version that this software needs.

        Raises:
            SchemaDiffers: It cannot be used, and the message says what to do.
            ResultsUnavailable: The database cannot be used.
        """
        _retry(self._ensure_schema)

    def schema_version(self) -> str | None:
        """Read the version of the schema, and change nothing; none where there is no schema yet.

        Raises:
            SchemaDiffers: It is newer than this software, or belongs to another one.
            ResultsUnavailable: The database cannot be used.
        """
        with begin(self._connected()) as connection:
            version = schema_version(connection)
            refuse_unknown(connection, version)
            return version

    def refuse_foreign(self, lake: str) -> None:
        """Refuse the rows of the installation's name if they are another lake's; change nothing.

        Args:
            lake: Id of the lake.

        Raises:
            InputError: Another lake has the name, or the lake another name.
            ResultsUnavailable: The database cannot be used.
        """
        with begin(self._connected()) as connection:
            if sa.inspect(connection).has_table(INSTALLATIONS.name):
                installations.refuse_conflict(connection, self._installation, lake)

    def try_write(self) -> None:
        """Write a row in a transaction that is taken back.

        Raises:
            ResultsRefused: The account may not write.
            ResultsUnavailable: The database cannot be used.
        """
        with begin(self._connected(), writing=True) as connection:
            publishing.lock_row(connection, REPORT_LOCKS, {"name": "write_test"})
            connection.rollback()

    def claim(self, lake: str, *, is_taking_over: bool = False) -> None:
        """Claim the installation's name for a lake, before anything is delivered from it.

        Args:
            lake: Id of the lake.
            is_taking_over: Whether to claim the name also if another lake has it, or the lake
                another name.

        Raises:
            InputError: Another lake has the name, or the lake another name.
            SchemaDiffers: The schema cannot be used, and the message says what to do.
            ResultsUnavailable: The database cannot be used.
        """
        with self._transaction() as connection:
            if installations.owner(connection, self._installation) == lake:
                return
        with self._transaction(writing=True) as connection:
            installations.claim(connection, self._installation, lake, is_taking_over=is_taking_over)

    def deliver(
        self,
        as_of: dt.date,
        predictions: "pa.Table | pd.DataFrame | DayRows",
        run_id: str,
        target_predictions: "pa.Table | pd.DataFrame | DayRows" = _NO_TARGET_PREDICTIONS,
        promotions: "pa.Table | pd.DataFrame | DayRows" = _NO_PROMOTIONS,
    ) -> Delivery:
        """Replace a day's predictions and promotions, all or nothing.

        `DayRows` are read, validated and sent piece by piece, and again if a connection is lost.
        The stored rows are compared with those given before the commit. Delivering the same rows
        again changes only the run and the time of the delivery.

        Args:
            as_of: The day.
            predictions: A row for each user, the columns of `PREDICTIONS`, every `as_of` this day.
            run_id: The run that made them, 255 characters at most.
            target_predictions: Those of the game's own targets, the columns of
                `TARGET_PREDICTIONS`; they are published with the others.
            promotions: The promotions in effect at the end of the day, the columns of
                `PLAYER_PROMOTIONS`; likewise.

        Raises:
            ValueError: The rows break the column contract, are of another day, or have values that
                the database cannot store, see `limits`; the day stays as it was.
            DeliveryDiffers: The database stored something else; the day stays as it was.
            SchemaDiffers: The schema cannot be used, and the message says what to do.
            ResultsUnavailable: The database cannot be used; the day stays as it was. If the
                connection was lost during the commit, the day may also be the new one.
        """
        refuse_long_run_id(run_id)
        day = {
            PLAYER_PREDICTIONS: DayRows.of(PREDICTIONS, as_of, predictions),
            TARGET_PREDICTION_ROWS: DayRows.of(TARGET_PREDICTIONS, as_of, target_predictions),
            PLAYER_PROMOTION_ROWS: DayRows.of(PLAYER_PROMOTIONS, as_of, promotions),
        }
        delivery = _retry(lambda: self._deliver(as_of, day, run_id))
        self._delivered.add(as_of)
        self._clean_up()
        return delivery

    def latest(self, user_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Fetch the newest row of each user, in no order, from the newest 60 delivered days.

        Args:
            user_ids: 1,000 at most, which one query looks up, one more their `targets`, and one
                more their `promotions`.

        Raises:
            ResultsUnavailable: The database cannot be used.
        """
        with self._transaction() as connection:
            own = self._own_id(connection)
            return latest_rows(connection, own, user_ids, self._targets, self._promotions)

    def defaults(self) -> pa.RecordBatch:
        """Compute the group defaults of the newest delivered day, as `compute_group_defaults` does.

        Raises:
            ResultsUnavailable: The database cannot be used.
        """
        with self._transaction() as connection:
            own = self._own_id(connection)
            return query_defaults(connection, own, with_targets=bool(self._targets))

    def current_day(self) -> dt.date | None:
        """Find the newest delivered day; none where nothing was delivered.

        Raises:
            ResultsUnavailable: The database cannot be used.
        """
        with self._transaction() as connection:
            own = self._own_id(connection)
            newest: dt.date | None = connection.scalar(newest_day(own))
            return newest

    def day(self, as_of: dt.date) -> pa.Table:
        """Read the rows of a day by user, with the schema of `PREDICTIONS`; none of a missing day.

        Raises:
            ResultsUnavailable: The database cannot be used.
        """
        return self._read_day(PREDICTIONS, as_of)

    def target_predictions(self, as_of: dt.date) -> pa.Table:
        """Read a day's rows by user and target, with the schema of `TARGET_PREDICTIONS`.

        Raises:
            ResultsUnavailable: The database cannot be used.
        """
        return self._read_day(TARGET_PREDICTIONS, as_of)

    def promotions(self, as_of: dt.date) -> pa.Table:
        """Read the promotions in effect on a day by user, with the schema of `PLAYER_PROMOTIONS`.

        Raises:
            ResultsUnavailable: The database cannot be used.
        """
        return self._read_day(PLAYER_PROMOTIONS, as_of)

    def checksum_day(self, contract: Table, as_of: dt.date) -> RowsChecksum:
        """Count and checksum the rows of a day in the order of the key, without holding them.

        Args:
            contract: `PREDICTIONS`, `TARGET_PREDICTIONS` or `PLAYER_PROMOTIONS`.
            as_of: The day; a missing one has no rows.

        Raises:
            ResultsUnavailable: The database cannot be used.
        """
        return checksum_rows(contract.arrow_schema, self._read_batches(contract, as_of))

    def _read_day(self, contract: Table, as_of: dt.date) -> pa.Table:
        batches = self._read_batches(contract, as_of)
        return pa.Table.from_batches(batches, schema=contract.arrow_schema)

    def _read_batches(self, contract: Table, as_of: dt.date) -> Iterator[pa.RecordBatch]:
        history = _TABLES[contract.name].history
        query = sa.select(*(history.c[name] for name in contract.names))
        ordered = query.order_by(*(history.c[name] for name in contract.key))
        with self._transaction() as connection:
            own = history.c.installation_id == self._own_id(connection)
            of_day = ordered.where(own, history.c.as_of == as_of)
            streaming = connection.execution_options(stream_results=True)
            yield from read_batches(streaming.execute(of_day), contract)

    def deliveries(self) -> list[Delivery]:
        """List the delivered days, the newest first.

        Raises:
            ResultsUnavailable: The database cannot be used.
        """
        columns = [DELIVERIES.c[field.name] for field in fields(Delivery)]
        query = sa.select(*columns).order_by(DELIVERIES.c.as_of.desc())
        with self._transaction() as connection:
            query = query.where(DELIVERIES.c.installation_id == self._own_id(connection))
            return [
                Delivery(**{**row, "delivered_at": row["delivered_at"].replace(tzinfo=dt.UTC)})
                for row in connection.execute(query).mappings()
            ]

    def report_days(self, table: Table) -> list[dt.date]:
        """List the days of one of `REPORTS` that have rows, ascending.

        Raises:
            ResultsUnavailable: The database cannot be used.
        """
        with self._transaction() as connection:
            return reports.list_days(connection, self._own_id(connection), table)

    def withdraw(self, days: Sequence[dt.date]) -> None:
        """Withdraw days, all or nothing: neither their predictions nor their reports are visible.

        Raises:
            SchemaDiffers: The schema cannot be used, and the message says what to do.
            ResultsUnavailable: The database cannot be used.
        """
        _retry(lambda: self._withdraw(days))
        self._clean_up()

    def put_report(self, table: Table, as_of: dt.date, rows: pa.Table) -> int:
        """Replace a day's rows of a report, all or nothing.

        The stored rows are compared with those given before the commit. Writers of the same report
        take turns.

        Args:
            table: One of `REPORTS`.
            as_of: The day.
            rows: The columns of that table, every `as_of` this day; there may be none.

        Returns:
            The number of rows.

        Raises:
            ValueError: The rows break the column contract, are of another day, or have values that
                the database cannot store, see `limits`.
            DeliveryDiffers: The database stored something else; the day stays as it was.
            SchemaDiffers: The schema cannot be used, and the message says what to do.
            ResultsUnavailable: The database cannot be used; the day stays as it was. If the
                connection was lost during the commit, the day may also be the new one.
        """
        report = rows_of_day(table, as_of, rows)
        refuse_unstorable_rows(table, report, self._backend)
        _retry(lambda: self._put_report(table, as_of, report))
        self._delivered.add(as_of)
        return int(report.num_rows)

    def _ensure_schema(self) -> None:
        if self._has_schema:
            return
        with begin(self._connected()) as connection:
            is_current = schema_version(connection) == SCHEMA_VERSION
        if not is_current:
            with begin(self._connected(), writing=True) as connection:
                upgrade(connection)
        self._has_schema = True

    def _deliver(
        self, as_of: dt.date, day: Mapping[DeliveredTable, DayRows], run_id: str
    ) -> Delivery:
        load = Load(as_of, secrets.randbelow(_MAX_LOAD_ID) + 1)
        with self._transaction(writing=True) as connection:
            predictions = self._load(connection, load, day)
            now = dt.datetime.now(dt.UTC).replace(microsecond=0)
            delivery = Delivery(as_of, run_id, predictions.row_count, predictions.value, now)
            installation_id = self._own_id(connection, writing=True)
            publishing.publish(connection, _row(delivery, load, installation_id))
        return delivery

    def _load(
        self, connection: sa.Connection, load: Load, day: Mapping[DeliveredTable, DayRows]
    ) -> RowsChecksum:
        """Load the rows of a day. Returns the checksum of the predictions."""
        checksum = RowsChecksum(PREDICTIONS.arrow_schema)
        with ThreadPoolExecutor(1) as executor:
            for table, rows in day.items():
                tables = cut_between_users(self._require_storable(rows))
                if table is PLAYER_PREDICTIONS:
                    tables = _add_meanwhile(tables, checksum, executor)
                load_rows(connection, table, load, tables)
        return checksum

    def _require_storable(self, rows: DayRows) -> Iterator[pa.Table]:
        for piece in rows:
            refuse_unstorable_rows(rows.contract, piece, self._backend)
            yield piece

    def _put_report(self, table: Table, as_of: dt.date, rows: pa.Table) -> None:
        with self._transaction(writing=True) as connection:
            own = self._own_id(connection, writing=True)
            reports.replace_day(connection, own, table, as_of, rows)
            if self._days:
                exempt = {*self._delivered, as_of}
                reports.apply_retention(connection, own, table, self._days, exempt)

    def _withdraw(self, days: Sequence[dt.date]) -> None:
        with self._transaction(writing=True) as connection:
            own = self._own_id(connection, writing=True)
            publishing.withdraw(connection, own, DELIVERIES.c.as_of.in_(days))
            reports.delete_days(connection, own, days)

    def _clean_up(self) -> None:
        """Delete what is no longer needed; what fails here, the next delivery does."""
        try:
            if self._days:
                with self._transaction(writing=True) as connection:
                    own = self._own_id(connection, writing=True)
                    publishing.apply_retention(connection, own, self._days, self._delivered)
            publishing.delete_stale_rows(self._connected())
        except ResultsUnavailable as error:
            _log.warning("the day was delivered, but old rows could not be deleted: %s", error)

    def _own_id(self, connection: sa.Connection, *, writing: bool = False) -> int:
        """The id of the installation's rows.

        Raises:
            InputError: It is to write, and has not claimed its name.
        """
        if self._installation_id is None:
            own, is_claimed = installations.find_id(connection, self._installation)
            if not is_claimed:
                if writing and own == installations.NO_ROWS:
                    raise installations.not_claimed(connection, self._installation)
                return own
            self._installation_id = own
        return self._installation_id

    @property
    def _backend(self) -> Backend:
        return backend_of(self._url)

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


def _retry(attempt: Callable[[], _Result]) -> _Result:
    """Repeat a few times what fails for a transient reason."""
    attempts = Retrying(
        retry=retry_if_exception_type(ResultsBusy),
        stop=stop_after_attempt(_MAX_ATTEMPTS) | stop_after_delay(_RETRY_SECONDS),
        wait=wait_random(0.1, _MAX_PAUSE_SECONDS),
        reraise=True,
    )
    return attempts(attempt)


def _add_meanwhile(
    tables: Iterable[pa.Table], checksum: RowsChecksum, executor: Executor
) -> Iterator[pa.Table]:
    """Pass tables on, and add each to a checksum while it is loaded, which takes longer."""
    for rows in tables:
        added = executor.submit(checksum.add, rows)
        yield rows
        added.result()


def _row(delivery: Delivery, load: Load, installation_id: int) -> dict[str, object]:
    naive = delivery.delivered_at.replace(tzinfo=None)
    own = {"load_id": load.load_id, "installation_id": installation_id}
    return {**asdict(delivery), "delivered_at": naive, **own}
