"""What only MySQL has: files that servers ask for, its TLS options, and its timeouts."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pymysql
import pytest
import sqlalchemy as sa

from ds_assets.infra.results.backends.mysql import MySQLConnection
from ds_assets.infra.results.database import ResultsDatabase, ResultsUnavailable
from ds_assets.local_servers.mysql import MySQLServer
from ds_assets_tests.infra.factories import DAYS
from ds_assets_tests.infra.results.certificates import Authority
from ds_assets_tests.infra.results.databases import (
    day,
    execute,
    fresh_database,
)
from ds_assets_tests.infra.results.test_connection import all_text


@pytest.fixture
def url(mysql_url: str) -> Iterator[str]:
    with fresh_database(mysql_url) as url:
        yield url


@pytest.fixture
def connection(url: str) -> Iterator[MySQLConnection]:
    place = sa.make_url(url)
    with MySQLConnection(
        host=place.host,
        port=place.port,
        user=place.username,
        password=place.password,
        database=place.database,
    ) as connection:
        yield connection


LOAD = "LOAD DATA LOCAL INFILE '{}' INTO TABLE words"


@pytest.mark.server
@pytest.mark.parametrize("is_offering", [True, False])
def test_a_server_gets_no_file_but_what_is_on_offer(
    connection: MySQLConnection, tmp_path: Path, is_offering: bool
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("private\n")
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE words (word TEXT)")
    offer = connection.offering([b"public\n"]) if is_offering else nullcontext()
    wanted = secret if is_offering else MySQLConnection.OFFERED
    with offer, pytest.raises(pymysql.err.OperationalError, match="a file that is not on offer"):
        cursor.execute(LOAD.format(wanted))
    assert not connection.open


@pytest.mark.server
def test_rows_that_cannot_be_made_to_their_end_are_not_loaded(
    connection: MySQLConnection, url: str
) -> None:
    def rows() -> Iterator[bytes]:
        yield b"first\n" * 100_000
        raise ZeroDivisionError

    cursor = connection.cursor()
    cursor.execute("CREATE TABLE words (word TEXT)")
    with connection.offering(rows()), pytest.raises(ZeroDivisionError):
        cursor.execute(LOAD.format(MySQLConnection.OFFERED))
    assert execute(url, "SELECT count(*) FROM words") == [(0,)]


@pytest.mark.server
def test_a_server_that_forbids_files_gets_the_same_rows_by_inserts(url: str) -> None:
    execute(url, "SET GLOBAL local_infile = 0")
    try:
        with ResultsDatabase(url) as database:
            database.deliver(DAYS[0], day(DAYS[0], users=12_000), "run")
            assert database.day(DAYS[0]).equals(day(DAYS[0], users=12_000))
    finally:
        execute(url, "SET GLOBAL local_infile = 1")


@pytest.mark.server
def test_a_lookup_reads_the_rows_of_the_users_alone(url: str) -> None:
    with ResultsDatabase(url) as database:
        for as_of in DAYS[:3]:
            database.deliver(as_of, day(as_of, users=2_000), "run")
    query = "SELECT * FROM player_predictions_current WHERE user_id IN ('u00003', 'u01000')"
    rows = {plan[2]: plan[8] for plan in execute(url, f"EXPLAIN {query}")}
    assert int(rows["player_prediction_loads"] if "p" not in rows else rows["p"]) < 10


@pytest.mark.server
def test_a_binary_log_of_statements_is_refused_in_words_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    options = ["--log-bin", "--server-id=1", "--binlog-format=STATEMENT"]
    with MySQLServer(tmp_path / "server", options) as server:
        with (
            ResultsDatabase(server.url) as database,
            pytest.raises(ResultsUnavailable, match="set binlog_format to MIXED or ROW"),
        ):
            database.deliver(DAYS[0], day(DAYS[0]), "run")
        execute(server.url, "SET GLOBAL binlog_format = 'MIXED'")
        with ResultsDatabase(server.url) as database:
            assert database.deliveries() == []
            database.deliver(DAYS[0], day(DAYS[0]), "run")
            assert database.current_day() == DAYS[0]


@pytest.mark.server
def test_a_server_is_trusted_by_its_certificate(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path / "ours"), Authority(tmp_path / "other")
    options = [
        f"--ssl-cert={ours.server_certificate}",
        f"--ssl-key={ours.server_key}",
        f"--ssl-ca={ours.file}",
        "--require-secure-transport=1",
    ]
    with MySQLServer(tmp_path / "server", options) as server:
        trusting, distrusting = (
            sa.make_url(server.url)
            .set(query={"ssl_ca": str(authority.file)})
            .render_as_string(hide_password=False)
            for authority in (ours, other)
        )
        with ResultsDatabase(trusting) as database:
            database.deliver(DAYS[0], day(DAYS[0]), "run")
            assert database.current_day() == DAYS[0]
        with (
            ResultsDatabase(distrusting) as database,
            pytest.raises(ResultsUnavailable, match=r"certificate verify failed.*ssl_ca") as caught,
        ):
            database.current_day()
        assert str(sa.make_url(server.url).password) not in all_text(caught.value)


@pytest.mark.server
@pytest.mark.slow
def test_an_answer_may_take_longer_than_the_greeting_may(url: str) -> None:
    place = sa.make_url(url)
    with MySQLConnection(
        host=place.host, port=place.port, user=place.username, password=place.password
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT SLEEP(4.5)")
        with (
            connection.result_timeout(1),
            pytest.raises(pymysql.err.OperationalError, match="timed out"),
        ):
            cursor.execute("SELECT SLEEP(3)")
