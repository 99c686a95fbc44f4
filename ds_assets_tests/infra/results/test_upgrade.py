"""The schema of the results database: made from the contract, brought forward, never guessed."""

import datetime as dt
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from ds_assets.core.tables import MODEL_METRICS, PREDICTION_OUTCOMES, PREDICTIONS
from ds_assets.errors import INPUT_ERROR, UNAVAILABLE, InputError
from ds_assets.infra.results import migrations
from ds_assets.infra.results.connection import begin, open_engine, parse_url
from ds_assets.infra.results.database import ResultsDatabase, ResultsUnavailable
from ds_assets.infra.results.migrations.__main__ import main
from ds_assets.infra.results.schema import METADATA, SCHEMA_VERSION, VIEWS
from ds_assets.infra.results.upgrade import schema_version, upgrade
from ds_assets_tests.infra.factories import DAYS, row, table
from ds_assets_tests.infra.results.databases import (
    current_rows,
    day,
    execute,
    fresh_database,
    kind_of,
    metrics,
    read_report,
)

FOLDER = Path(str(migrations.__file__)).parent


@pytest.fixture
def other_url(url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of another database of the same kind."""
    if url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'other.sqlite'}"
        return
    with fresh_database(request.getfixturevalue(f"{kind_of(url)}_url")) as other:
        yield other


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    engine = open_engine(parse_url(url))
    with begin(engine, writing=True) as connection:
        yield connection
    engine.dispose()


def migrate(url: str, version: str = SCHEMA_VERSION) -> None:
    """Bring a database to a version; the newest one as the software does it."""
    if version == SCHEMA_VERSION:
        with connected(url) as connection:
            upgrade(connection)
        return
    with connected(url) as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(FOLDER))
        config.set_main_option("path_separator", "os")
        command.upgrade(config, version)


def make_without_versions(url: str) -> None:
    """A database as it was made before there were versions, with a delivered day."""
    migrate(url, "0001")
    execute(
        url,
        "DROP TABLE alembic_version",
        "CREATE VIEW player_predictions_current AS SELECT * FROM player_predictions"
        " WHERE as_of = (SELECT max(as_of) FROM deliveries)",
        "INSERT INTO player_predictions (user_id, as_of, churn_probability)"
        " VALUES ('old', '2026-03-02', 0.25), ('older', '2026-03-01', NULL)",
        "INSERT INTO deliveries VALUES ('2026-03-02', 'r', 1, 'c', '2026-03-03 04:05:06')",
    )


DELIVERED_DAY = (
    (
        "INSERT INTO player_prediction_loads (user_id, as_of, load_id, churn_probability)"
        " VALUES ('old', '2026-03-02', 7, 0.25)"
    ),
    (
        "INSERT INTO deliveries (as_of, run_id, row_count, checksum, delivered_at, load_id)"
        " VALUES ('2026-03-02', 'r', 1, 'c', '2026-03-03 04:05:06', 7)"
    ),
)


def make_with_loads(url: str) -> None:
    """A database of version 0002, with a delivered day and a load that no longer counts."""
    migrate(url, "0002")
    execute(
        url,
        "INSERT INTO player_prediction_loads (user_id, as_of, load_id, churn_probability)"
        " VALUES ('old', '2026-03-02', 7, 0.25), ('older', '2026-03-02', 6, 0.5)",
        "INSERT INTO deliveries (as_of, run_id, row_count, checksum, delivered_at, load_id)"
        " VALUES ('2026-03-02', 'r', 1, 'c', '2026-03-03 04:05:06', 7)",
        "INSERT INTO stale_loads VALUES ('2026-03-02', 6)",
    )


def make_with_reports(url: str) -> None:
    """A database of version 0003, with a delivered day."""
    migrate(url, "0003")
    execute(
        url,
        *DELIVERED_DAY,
    )


def make_with_installations(url: str) -> None:
    """A database of version 0006, with a delivered day and its outcomes."""
    migrate(url, "0006")
    execute(
        url,
        *DELIVERED_DAY,
        "INSERT INTO prediction_outcomes"
        " (as_of, target, segment, users, predicted, happened, verdict)"
        " VALUES ('2026-03-02', 'payment', 'all', 100, 0.25, 0.3, 'as_promised')",
    )


MAKERS = [make_without_versions, make_with_loads, make_with_reports, make_with_installations]


def schema(url: str) -> Any:
    """Everything that a database says of its tables and views, but for the versions' own."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    look = sa.inspect(engine)
    tables = [name for name in look.get_table_names() if name != "alembic_version"]
    columns = {name: [dict(column) for column in look.get_columns(name)] for name in tables}
    for table_columns in columns.values():
        table_columns.sort(
            key=lambda column: str(column["name"])
        )  # new ones come last in old tables
    for column in (column for table_columns in columns.values() for column in table_columns):
        column["type"] = repr(column["type"])
    keys = {name: look.get_pk_constraint(name)["constrained_columns"] for name in tables}
    views = {
        name: [column["name"] for column in look.get_columns(name)]
        for name in look.get_view_names()
    }
    engine.dispose()
    return columns, keys, views


def test_the_newest_version_makes_what_the_contract_declares(url: str) -> None:
    migrate(url)
    with connected(url) as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        operations = produce_migrations(context, METADATA).upgrade_ops
        missing = render_python_code(operations) if operations else ""
        assert compare_metadata(context, METADATA) == [], f"a version is missing:\n{missing}"


def test_versions_and_declared_tables_make_the_same_database(url: str, other_url: str) -> None:
    migrate(url)
    with connected(other_url) as connection:
        METADATA.create_all(connection)
        VIEWS.create_all(connection)
    assert schema(url) == schema(other_url)


def test_the_code_names_the_newest_version_and_there_is_one_line_of_them() -> None:
    assert ScriptDirectory(str(FOLDER)).get_heads() == [SCHEMA_VERSION]


@pytest.mark.parametrize("make", MAKERS)
def test_an_older_database_keeps_its_days(url: str, make: Callable[[str], None]) -> None:
    make(url)
    with ResultsDatabase(url) as database:
        assert [row["user_id"] for row in current_rows(database, ["old", "older"])] == ["old"]
        (stored,) = database.day(DAYS[1]).to_pylist()
        expected_row = {"user_id": "old", "as_of": DAYS[1], "churn_probability": 0.25}
        assert stored == dict.fromkeys(PREDICTIONS.names) | expected_row
        assert [delivery.row_count for delivery in database.deliveries()] == [1]
        database.deliver(DAYS[1], day(DAYS[1]), "new")
        assert database.day(DAYS[1]).equals(day(DAYS[1]))
    rows = execute(url, "SELECT count(*) FROM player_prediction_loads WHERE as_of = '2026-03-02'")
    assert rows == [(3,)]


def test_outcomes_of_an_older_database_have_no_verdict_on_spend(url: str) -> None:
    make_with_installations(url)
    with ResultsDatabase(url) as database:
        (stored,) = read_report(database, PREDICTION_OUTCOMES, DAYS[1]).to_pylist()
    assert (stored["target"], stored["verdict"]) == ("payment", "as_promised")
    assert stored["spend_ratio"] is None
    assert stored["spend_verdict"] is None


def test_a_database_that_names_its_first_version_is_brought_to_the_newest(url: str) -> None:
    make_without_versions(url)
    execute(
        url,
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
        "INSERT INTO alembic_version VALUES ('0001')",
    )
    with ResultsDatabase(url) as database:
        assert database.day(DAYS[1])["user_id"].to_pylist() == ["old"]
    assert execute(url, "SELECT version_num FROM alembic_version") == [(SCHEMA_VERSION,)]


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS)
def test_a_change_of_schema_that_was_interrupted_anywhere_goes_on(
    url: str, make: Callable[[str], None]
) -> None:
    make(url)
    interrupted = 0
    for stop_at in range(1, 100):
        if not stopped_at(stop_at, url):
            break
        interrupted += 1
    assert interrupted >= 2  # changes of the newest version alone, in MySQL
    with ResultsDatabase(url) as database:
        assert database.current_day() == DAYS[1]
        assert database.day(DAYS[1])["user_id"].to_pylist() == ["old"]
        assert database.put_report(MODEL_METRICS, DAYS[1], metrics(DAYS[1], "auc")) == 1
        database.deliver(DAYS[2], table(row("new", DAYS[2], last_seen=DAYS[0])), "run")
        assert {row["user_id"]: row["last_seen"] for row in database.latest(["old", "new"])} == {
            "old": None,
            "new": DAYS[0],
        }


def stopped_at(number: int, url: str) -> bool:
    """Have the upgrade fail before its nth change. Returns whether there were that many."""
    changes = 0

    def fail(*arguments: Any) -> None:
        nonlocal changes
        changes += arguments[2].split()[0].upper() in {"CREATE", "ALTER", "DROP", "INSERT"}
        if changes == number:
            raise OSError("the process ends here")

    sa.event.listen(sa.Engine, "before_cursor_execute", fail)
    try:
        with ResultsDatabase(url) as database:
            database.current_day()
    except ResultsUnavailable:
        return True
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", fail)
    return False


@pytest.mark.server
def test_whoever_has_waited_for_a_change_of_schema_finds_it_made(mysql_url: str) -> None:
    with fresh_database(mysql_url) as url, connected(url) as connection:
        upgrade(connection)
        with connected(url) as other:
            assert schema_version(other) == SCHEMA_VERSION


@pytest.mark.parametrize("version", ["0999", "9999", "f00"])
def test_a_schema_that_is_newer_than_the_software_is_left_alone(url: str, version: str) -> None:
    migrate(url)
    execute(url, f"UPDATE alembic_version SET version_num = '{version}'")
    with ResultsDatabase(url) as database:
        for use in (database.ensure_schema, database.current_day, database.deliveries):
            with pytest.raises(InputError) as caught:
                use()
    assert (
        f"has schema version {version}, and this software knows those up to {SCHEMA_VERSION}"
        in str(caught.value)
    )
    assert "DS_ASSETS_RESULTS_URL" in str(caught.value)
    assert "update the software" in str(caught.value)


def test_a_table_of_somebody_else_is_left_alone(url: str) -> None:
    migrate(url, "0001")  # so that there is a database
    execute(
        url,
        "DROP TABLE alembic_version",
        "DROP TABLE deliveries",
        "CREATE TABLE deliveries (parcel INT)",
    )
    with (
        ResultsDatabase(url) as database,
        pytest.raises(InputError, match="has a table deliveries with the columns parcel"),
    ):
        database.deliver(dt.date(2026, 3, 1), day(DAYS[0]), "run")


@pytest.mark.slow
def test_an_up_to_date_database_is_used_without_loading_the_migrations(url: str) -> None:
    migrate(url)
    script = (
        "import sys; from ds_assets.infra.results.database import ResultsDatabase;"
        "assert ResultsDatabase(sys.argv[1]).current_day() is None;"
        "sys.exit('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, url], check=False)  # noqa: S603
    assert done.returncode == 0


def test_the_owners_command_makes_the_schema_or_ends_with_one_sentence_and_an_exit_code(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DS_ASSETS_RESULTS_URL", url)
    main()
    assert capsys.readouterr().out == f"the results database has schema version {SCHEMA_VERSION}\n"
    execute(url, "UPDATE alembic_version SET version_num = '0999'")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == INPUT_ERROR
    assert capsys.readouterr().err.startswith("ds-assets: the results database at ")


@pytest.mark.slow
def test_the_owners_command_ends_like_the_command_line_where_no_server_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DS_ASSETS_RESULTS_URL", "mysql+pymysql://me:secret@127.0.0.1:1/db")
    command_line = [sys.executable, "-m", "ds_assets.infra.results.migrations"]
    done = subprocess.run(command_line, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == UNAVAILABLE
    assert done.stderr.startswith("ds-assets: the results database at mysql+pymysql://127.0.0.1:1/")
    assert "DS_ASSETS_RESULTS_URL" in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
