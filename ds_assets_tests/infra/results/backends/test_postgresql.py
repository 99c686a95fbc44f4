"""What only PostgreSQL has: its session, its TLS options, and text that it cannot store."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from ds_assets.infra.results.backends.postgresql import PostgreSQLConnection
from ds_assets.infra.results.database import ResultsDatabase, ResultsUnavailable
from ds_assets.local_servers.postgresql import PostgreSQLServer
from ds_assets_tests.infra.factories import DAYS, row, table
from ds_assets_tests.infra.results.certificates import Authority
from ds_assets_tests.infra.results.databases import current_rows, day, execute, fresh_database
from ds_assets_tests.infra.results.test_connection import all_text

pytestmark = pytest.mark.server


@pytest.fixture
def url(postgresql_url: str) -> Iterator[str]:
    with fresh_database(postgresql_url) as url:
        yield url


@pytest.fixture
def connection(url: str) -> Iterator[PostgreSQLConnection]:
    place = sa.make_url(url)
    with PostgreSQLConnection.open(
        {
            "host": place.host,
            "port": place.port,
            "user": place.username,
            "password": place.password,
            "dbname": place.database,
        }
    ) as connection:
        yield connection


def plan_nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in plan_nodes(child))]


def test_text_that_it_cannot_store_is_refused_and_the_day_stays(url: str) -> None:
    with ResultsDatabase(url) as database:
        database.deliver(DAYS[0], day(DAYS[0]), "before")
        rows = table(row("a"), row("b\0c"))
        complaint = r"user_id has the character '\\x00' in a row; this database cannot store it"
        with pytest.raises(ValueError, match=complaint):
            database.deliver(DAYS[0], rows, "after")
        assert database.day(DAYS[0]).equals(day(DAYS[0]))


def test_a_user_whose_id_it_cannot_store_is_not_found(url: str) -> None:
    with ResultsDatabase(url) as database:
        database.deliver(DAYS[0], table(row("a")), "run")
        assert [row["user_id"] for row in database.latest(["a\0", "a"])] == ["a"]


def test_a_lookup_reads_the_rows_of_the_users_alone(url: str) -> None:
    with ResultsDatabase(url) as database:
        for as_of in DAYS[:3]:
            database.deliver(as_of, day(as_of, users=2_000), "run")
    query = "SELECT * FROM player_predictions_current WHERE user_id IN ('u00003', 'u01000')"
    [(explained,)] = execute(url, f"EXPLAIN (ANALYZE, FORMAT JSON) {query}")
    nodes = plan_nodes(explained[0]["Plan"])
    loads = [node for node in nodes if node.get("Relation Name") == "player_prediction_loads"]
    assert loads
    assert all(node["Actual Rows"] * node["Actual Loops"] < 10 for node in loads)


def test_a_session_has_bounded_statements_and_locks(connection: PostgreSQLConnection) -> None:
    settings = {
        name: connection.execute(f"SHOW {name}").fetchone()
        for name in ("statement_timeout", "lock_timeout", "client_encoding")
    }
    assert settings == {
        "statement_timeout": ("1min",),
        "lock_timeout": ("10s",),
        "client_encoding": ("UTF8",),
    }


def test_a_server_that_does_not_answer_in_time_is_left(connection: PostgreSQLConnection) -> None:
    with (
        connection.result_timeout(0.2),
        pytest.raises(psycopg.OperationalError, match=r"timed out: no answer within 0\.2 s"),
    ):
        connection.execute("SELECT pg_sleep(30)")
    assert connection.closed


def test_a_connection_that_was_lost_while_idle_is_replaced(url: str) -> None:
    with ResultsDatabase(url) as database:
        database.deliver(DAYS[0], day(DAYS[0]), "run")
        name = sa.make_url(url).database
        terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'"
        execute(url.replace(str(name), "postgres"), terminate.format(name))
        with database._transaction() as connection:  # at the first attempt
            assert connection.scalar(sa.text("SELECT count(*) FROM deliveries")) == 1
        assert len(current_rows(database, ["u00001"])) == 1


def test_a_server_is_trusted_by_its_certificate(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path / "ours"), Authority(tmp_path / "other")
    settings = [
        "ssl=on",
        f"ssl_cert_file={ours.server_certificate}",
        f"ssl_key_file={ours.server_key}",
    ]
    with PostgreSQLServer(tmp_path / "server", settings) as server:
        with ResultsDatabase(f"{server.url}?sslrootcert={ours.file}") as database:
            database.deliver(DAYS[0], day(DAYS[0]), "run")
            assert database.current_day() == DAYS[0]
        with (
            ResultsDatabase(f"{server.url}?sslrootcert={other.file}") as database,
            pytest.raises(
                ResultsUnavailable, match=r"certificate verify failed.*sslrootcert"
            ) as caught,
        ):
            database.current_day()
        assert str(sa.make_url(server.url).password) not in all_text(caught.value)


def test_a_server_without_tls_is_refused_where_a_certificate_is_asked_for(
    url: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "authority")
    with (
        ResultsDatabase(f"{url}?sslrootcert={authority.file}") as database,
        pytest.raises(ResultsUnavailable, match="server does not support SSL"),
    ):
        database.current_day()
