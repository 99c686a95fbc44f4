"""Accounts with the least privileges of the document, on each server."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from ds_assets.core.tables import MODEL_METRICS
from ds_assets.errors import InputError
from ds_assets.infra.results.database import ResultsDatabase, ResultsUnavailable, SchemaDiffers
from ds_assets_tests.infra.factories import DAYS, row_of
from ds_assets_tests.infra.results.accounts import new_account
from ds_assets_tests.infra.results.databases import (
    ALL_REPORTS,
    SERVERS,
    current_rows,
    day,
    execute,
    fresh_results,
    metrics,
    read_report,
)
from ds_assets_tests.infra.results.test_upgrade import make_with_reports


@pytest.fixture(params=SERVERS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with fresh_results(request, tmp_path) as url:
        yield url


@pytest.fixture
def owner(url: str) -> str:
    """URL of the owner, who has made the schema."""
    owner = new_account(url, "owner")
    with ResultsDatabase(owner) as database:
        database.ensure_schema()
    return owner


@pytest.fixture
def writer(url: str, owner: str) -> str:
    del owner
    return new_account(url, "writer")


@pytest.fixture
def reader(url: str, owner: str) -> str:
    del owner
    return new_account(url, "reader")


def test_the_writer_delivers_applies_the_retention_and_deletes_old_rows(
    url: str, writer: str
) -> None:
    with ResultsDatabase(writer, days=2) as database:
        database.deliver(DAYS[0], day(DAYS[0]), "one")
    with ResultsDatabase(writer, days=2) as database:
        for as_of in (DAYS[3], DAYS[3], DAYS[4]):
            database.deliver(as_of, day(as_of), "two")
    assert execute(url, "SELECT count(*) FROM stale_loads") == [(0,)]
    assert execute(url, "SELECT count(*) FROM player_prediction_loads") == [(6,)]


def test_the_writer_tries_a_write_that_leaves_nothing(url: str, writer: str) -> None:
    with ResultsDatabase(writer) as database:
        database.try_write()
    assert execute(url, "SELECT count(*) FROM report_locks WHERE name = 'write_test'") == [(0,)]


def test_the_writer_puts_every_report(writer: str) -> None:
    with ResultsDatabase(writer, days=2) as database:
        for value in (0.5, 0.25):
            database.put_report(MODEL_METRICS, DAYS[4], metrics(DAYS[4], "auc", value=value))
        for contract in ALL_REPORTS:
            rows = pa.Table.from_pylist([row_of(contract, as_of=DAYS[0])], contract.arrow_schema)
            assert database.put_report(contract, DAYS[0], rows) == 1


def test_the_reader_reads_everything_that_is_published_and_writes_nothing(
    writer: str, reader: str
) -> None:
    with ResultsDatabase(writer) as database:
        for as_of in (DAYS[3], DAYS[4]):
            database.deliver(as_of, day(as_of), "run")
        database.put_report(MODEL_METRICS, DAYS[4], metrics(DAYS[4], "auc", value=0.25))
    with ResultsDatabase(reader) as database:
        for contract in ALL_REPORTS:
            assert read_report(database, contract, DAYS[0]).num_rows == 0
        assert read_report(database, MODEL_METRICS, DAYS[4])["value"].to_pylist() == [0.25]
        assert database.current_day() == DAYS[4]
        assert len(current_rows(database, ["u00001"])) == 1
        assert len(database.latest(["u00001", "nobody"])) == 1
        assert database.defaults().num_rows == 2
        assert database.day(DAYS[3]).num_rows == 3
        assert len(database.deliveries()) == 2
        with pytest.raises(ResultsUnavailable, match="denied"):
            database.try_write()
        with pytest.raises(ResultsUnavailable, match="denied"):
            database.deliver(DAYS[4], day(DAYS[4]), "no")
        with pytest.raises(ResultsUnavailable, match="denied"):
            database.put_report(MODEL_METRICS, DAYS[4], metrics(DAYS[4], "auc"))


def test_an_account_that_may_not_change_the_schema_is_told_what_to_run(
    url: str, writer: str
) -> None:
    execute(url, "UPDATE alembic_version SET version_num = '0001'")
    with ResultsDatabase(writer) as database, pytest.raises(SchemaDiffers) as caught:
        database.deliver(DAYS[0], day(DAYS[0]), "run")
    assert isinstance(caught.value, InputError)
    assert "has schema version 0001 that its user can see, this software needs version" in str(
        caught.value
    )
    assert "`python -m ds_assets.infra.results.migrations`" in str(caught.value)
    assert "docs/results.md" in str(caught.value)


def test_readers_keep_their_rights_when_the_views_are_redefined(url: str) -> None:
    make_with_reports(url)
    later = ("target_predictions", "promotion", "installations", "cohort")
    reader = new_account(url, "reader", without=later)
    with ResultsDatabase(url) as database:
        database.ensure_schema()
    with ResultsDatabase(reader) as database:
        assert [row["user_id"] for row in current_rows(database, ["old"])] == ["old"]
