"""Interrupted deliveries, and concurrent ones, while others read.

A delivery has many points: before each statement, before each piece of rows that is sent, and
before each commit. A fault strikes at one of them; points of each kind are tried, and after each
fault there is one whole version of every day. The rows are few, because readers compare all of
them all the time; the pieces are as many as those of a large delivery.
"""

import contextlib
import datetime as dt
import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any, Self, TypeAlias
from unittest import mock

import pytest
import sqlalchemy as sa

from ds_assets.core.tables import MODEL_METRICS
from ds_assets.infra.results import database as results_database
from ds_assets.infra.results import loading
from ds_assets.infra.results.backends import base, mysql, postgresql
from ds_assets.infra.results.database import ResultsDatabase, ResultsUnavailable
from ds_assets.local_servers.mysql import MySQLServer
from ds_assets.local_servers.postgresql import PostgreSQLServer
from ds_assets.local_servers.process import accepts
from ds_assets_tests.infra.factories import DAYS
from ds_assets_tests.infra.results.databases import (
    SERVERS,
    day,
    execute,
    fresh_database,
    kind_of,
    metrics,
    read_report,
)
from ds_assets_tests.infra.results.processes import running

pytestmark = [pytest.mark.server, pytest.mark.slow]

USERS = 500
MAX_ROWS_PER_STATEMENT = 200
MAX_ROWS_PER_BATCH = 70
TODAY, YESTERDAY = DAYS[4], DAYS[3]


Server: TypeAlias = MySQLServer | PostgreSQLServer
SERVER_TYPES: dict[str, type[Server]] = {"mysql": MySQLServer, "postgresql": PostgreSQLServer}


@pytest.fixture(scope="module", params=SERVERS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server of this module's own, because it is killed."""
    with SERVER_TYPES[request.param](tmp_path_factory.mktemp("faults")) as server:
        yield server


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    with fresh_database(server.url) as url:
        yield url


def send_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_MAX_ROWS_PER_STATEMENT", MAX_ROWS_PER_STATEMENT)
    monkeypatch.setattr(base, "MAX_ROWS_PER_BATCH", MAX_ROWS_PER_BATCH)


@pytest.fixture(autouse=True)
def _small_and_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    send_small_pieces(monkeypatch)
    monkeypatch.setattr(results_database, "_MAX_PAUSE_SECONDS", 0.3)


class Readers:
    """Threads that read the database all the time, and keep what contradicts the rules."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.looks = 0
        self.complaints: list[str] = []
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._read) for _ in range(2)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()
        assert self.complaints == []
        assert self.looks > 3

    def _read(self) -> None:
        newest = dt.date.min
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        while not self._done.is_set():
            with contextlib.suppress(sa.exc.OperationalError), engine.connect() as connection:
                while not self._done.is_set():
                    newest = self._look(connection, newest)
                    time.sleep(0.05)  # leave the processor to the deliveries
            time.sleep(0.1)  # the server is away
        engine.dispose()

    def _look(self, connection: sa.Connection, newest: dt.date) -> dt.date:
        versions_of_day = self._versions(connection, "player_predictions_current")
        if len(versions_of_day) != 1:
            self.complaints.append(f"current has the days {sorted(versions_of_day)}")
        if versions_of_day and min(versions_of_day) < newest:
            self.complaints.append(f"current went back from {newest} to {min(versions_of_day)}")
        self._versions(connection, "player_predictions")
        self.looks += 1
        return max(newest, *versions_of_day)

    def _versions(self, connection: sa.Connection, view: str) -> dict[dt.date, Any]:
        query = f"SELECT as_of, churn_probability, count(*) FROM {view} GROUP BY 1, 2"
        versions_of_day: dict[dt.date, list[Any]] = defaultdict(list)
        for as_of, churn, rows in connection.exec_driver_sql(query):
            versions_of_day[as_of].append((churn, rows))
        connection.rollback()
        for as_of, versions in versions_of_day.items():
            if len(versions) != 1 or versions[0][1] != USERS:
                self.complaints.append(f"{view} of {as_of} has {versions}")
        return versions_of_day


class Points:
    """Counts the points of deliveries, and does something at one of them."""

    def __init__(self, at: int, strike: Callable[[], None]) -> None:
        self.passed = 0
        self._at = at
        self._strike = strike

    def __enter__(self) -> Self:
        self._patches = [
            mock.patch.object(module, name, self._counted(getattr(module, name)))
            for module, name in ((mysql, "encode_lines"), (postgresql, "encode_copy"))
        ]
        for patch in self._patches:
            patch.start()
        sa.event.listen(sa.Engine, "before_cursor_execute", self._pass)
        sa.event.listen(sa.Engine, "commit", self._pass)
        return self

    def __exit__(self, *_: object) -> None:
        for patch in self._patches:
            patch.stop()
        sa.event.remove(sa.Engine, "before_cursor_execute", self._pass)
        sa.event.remove(sa.Engine, "commit", self._pass)

    def _counted(self, encode: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def counted(*arguments: Any) -> Iterator[Any]:
            for piece in encode(*arguments):
                self._pass()
                yield piece

        return counted

    def _pass(self, *arguments: Any) -> None:
        statement = arguments[2] if len(arguments) > 2 else ""
        if "GROUP BY 1" in statement or threading.current_thread() is not threading.main_thread():
            return  # a reader's
        self.passed += 1
        if self.passed == self._at:
            self._strike()


def deliver(database: ResultsDatabase, as_of: dt.date, version: int) -> None:
    database.deliver(as_of, day(as_of, USERS, churn=float(version)), f"run {version}")


def versions(url: str) -> dict[dt.date, int]:
    """The version of each day, every row of which must be there, and whose record must say so."""
    with ResultsDatabase(url) as database:
        version_of_day = {}
        for delivery in database.deliveries():
            version = int(delivery.run_id.removeprefix("run "))
            rows = database.day(delivery.as_of).sort_by("user_id")
            assert rows.equals(day(delivery.as_of, USERS, churn=float(version)))
            assert delivery.row_count == USERS
            version_of_day[delivery.as_of] = version
    return version_of_day


def assert_nothing_is_left_over(url: str) -> None:
    days = execute(url, "SELECT count(*) FROM deliveries")[0][0]
    assert execute(url, "SELECT count(*) FROM player_prediction_loads") == [(days * USERS,)]
    assert execute(url, "SELECT * FROM stale_loads") == []


def strike_at_every_point(
    url: str, strike: Callable[[], None], step: int, recover: Callable[[], None] = lambda: None
) -> list[bool]:
    """Deliver today again and again, with a fault at another point each time.

    Args:
        url: Of the database.
        strike: The fault.
        step: From one point to the next that is tried.
        recover: What ends the fault, after the delivery.

    Returns:
        Whether each delivery succeeded in spite of it.
    """
    outcomes: list[bool] = []
    with ResultsDatabase(url) as database:
        deliver(database, YESTERDAY, 0)
        deliver(database, TODAY, 0)
        with Readers(url):
            for number, at in enumerate(itertools.count(1, step), start=1):
                before = versions(url)[TODAY]
                with Points(at, strike) as points:
                    try:
                        deliver(database, TODAY, number)
                        outcomes.append(True)
                    except ResultsUnavailable:
                        outcomes.append(False)
                recover()
                stored_versions = versions(url)
                assert stored_versions[YESTERDAY] == 0
                assert (
                    stored_versions[TODAY] == number
                    if outcomes[-1]
                    else stored_versions[TODAY] in {before, number}
                )
                if points.passed < at:
                    break
            deliver(database, TODAY, 1_000)
    assert versions(url)[TODAY] == 1_000
    assert_nothing_is_left_over(url)
    return outcomes


def drop_connections(server: Server, url: str) -> None:
    """End every connection to a database."""
    name = sa.make_url(url).database
    find, end = {
        "mysql": (
            "SELECT id FROM information_schema.processlist WHERE db = '{}'",
            "KILL CONNECTION {}",
        ),
        "postgresql": (
            "SELECT pid FROM pg_stat_activity WHERE datname = '{}'",
            "SELECT pg_terminate_backend({})",
        ),
    }[kind_of(url)]
    for (number,) in execute(server.url, find.format(name)):
        with contextlib.suppress(sa.exc.OperationalError):  # it has just ended by itself
            execute(server.url, end.format(number))


def test_a_delivery_whose_connection_is_dropped_at_any_point_is_made_again(
    server: Server, url: str
) -> None:
    outcomes = strike_at_every_point(url, lambda: drop_connections(server, url), step=3)
    assert len(outcomes) > 6
    assert all(outcomes)


def test_a_report_whose_connection_is_dropped_at_any_point_is_put_again(
    server: Server, url: str
) -> None:
    with ResultsDatabase(url, days=2) as database:
        for at in itertools.count(1):
            rows = metrics(TODAY, "auc", "brier", value=float(at))
            with Points(at, lambda: drop_connections(server, url)) as points:
                assert database.put_report(MODEL_METRICS, TODAY, rows) == 2
            assert read_report(database, MODEL_METRICS, TODAY).equals(rows)
            if points.passed < at:
                break
    assert at > 6


def test_a_server_that_is_killed_at_any_point_has_one_whole_version_when_it_is_back(
    server: Server, url: str
) -> None:
    kills = 0

    def start_again() -> None:
        if not accepts(server.port):
            server.start()

    def kill() -> None:
        nonlocal kills
        server.kill()
        kills += 1
        if kills % 2:  # or else it is away for longer than the delivery tries
            server.start()

    outcomes = strike_at_every_point(url, kill, step=4, recover=start_again)
    assert len(outcomes) > 5
    assert {True, False} == set(outcomes)


def deliver_up_to(pipe: "Connection[Any, Any]", url: str, at: int) -> None:
    """Deliver today, but wait at a point to be killed. Sends whether it has delivered."""

    def wait() -> None:
        pipe.send(False)
        time.sleep(60)

    with pytest.MonkeyPatch.context() as monkeypatch, Points(at, wait):
        send_small_pieces(monkeypatch)
        deliver(ResultsDatabase(url), TODAY, at)
    pipe.send(True)


def test_a_client_that_is_killed_at_any_point_leaves_the_day_as_it_was(url: str) -> None:
    with ResultsDatabase(url) as database:
        deliver(database, YESTERDAY, 0)
        deliver(database, TODAY, 0)
        with Readers(url):
            for at in itertools.count(2, 3):
                with running(deliver_up_to, url, at) as (_, pipe):
                    has_delivered = pipe.recv()
                if has_delivered:
                    break
                assert versions(url)[TODAY] in {0, at}
            assert at > 20
            deliver(database, TODAY, 1_000)
    assert versions(url) == {YESTERDAY: 0, TODAY: 1_000}
    assert_nothing_is_left_over(url)


def test_a_day_that_others_hold_stays_as_it_was_and_is_delivered_when_they_let_go(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql, "LOCK_SECONDS", 1)
    monkeypatch.setitem(postgresql._SESSION, "lock_timeout", "1s")
    with ResultsDatabase(url) as database:
        deliver(database, TODAY, 1)
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with Readers(url), engine.begin() as holder, ResultsDatabase(url) as other:
            holder.exec_driver_sql("SELECT * FROM deliveries FOR UPDATE")
            with pytest.raises(ResultsUnavailable, match=r"RESULTS_URL.*(?i:lock).* timeout"):
                deliver(other, TODAY, 2)
        engine.dispose()
        assert versions(url) == {TODAY: 1}
        deliver(database, TODAY, 3)
    assert versions(url) == {TODAY: 3}
    assert_nothing_is_left_over(url)


@pytest.mark.parametrize(
    "plans",
    [
        pytest.param([[TODAY] * 6, [TODAY] * 6, [TODAY] * 6], id="the same day"),
        pytest.param([[TODAY] * 6, [YESTERDAY] * 6], id="two days"),
        pytest.param([DAYS[:4] * 2, [TODAY] * 6, DAYS[3::-1]], id="old days beside today"),
    ],
)
def test_deliveries_beside_each_other_each_leave_a_whole_day(
    url: str, plans: list[list[dt.date]]
) -> None:
    with ResultsDatabase(url) as database:
        deliver(database, YESTERDAY, 0)
        faults: list[BaseException] = []

        def work(number: int, plan: list[dt.date]) -> None:
            try:
                with ResultsDatabase(url) as own:
                    for turn, as_of in enumerate(plan, start=1):
                        deliver(own, as_of, 100 * number + turn)
            except BaseException as error:
                faults.append(error)
                raise

        threads = [
            threading.Thread(target=work, args=[number, plan])
            for number, plan in enumerate(plans, start=1)
        ]
        with Readers(url):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert faults == []
        planned_days = {as_of for plan in plans for as_of in plan}
        assert set(versions(url)) == planned_days | {YESTERDAY}
        deliver(database, TODAY, 9_999)
    assert_nothing_is_left_over(url)
