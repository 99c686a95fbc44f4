"""Installations that share a results database do not touch each other's rows."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pytest

from ds_assets.core.tables import CLUSTER_PROFILES, MODEL_METRICS, TARGET_PREDICTIONS
from ds_assets.errors import InputError
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets_tests.infra.factories import DAYS, row, row_of, table, target
from ds_assets_tests.infra.results.databases import (
    KINDS,
    execute,
    fresh_results,
    metrics,
    read_report,
)
from ds_assets_tests.infra.results.test_upgrade import make_with_reports

LIVE, STAGING = "lake of live", "lake of staging"


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with fresh_results(request, tmp_path) as url:
        yield url


def installation(url: str, name: str, lake: str, days: int = 0) -> ResultsDatabase:
    """The database as an installation sees it that has claimed its name."""
    database = ResultsDatabase(url, days, ["level"], name)
    database.claim(lake)
    return database


def own_rows(user: str, day: int) -> tuple[pa.Table, pa.Table]:
    """A day's predictions of one user, and those of a target."""
    values = {"user_id": user, "as_of": DAYS[day], **target("level")}
    targets = pa.Table.from_pylist([values], schema=TARGET_PREDICTIONS.arrow_schema)
    return table(row(user, DAYS[day])), targets


def test_each_reads_its_own_rows_of_the_same_days(url: str) -> None:
    with installation(url, "live", LIVE) as live, installation(url, "staging", STAGING) as staging:
        for database, user in ((live, "player"), (staging, "tester")):
            for day in (0, 1):
                rows, targets = own_rows(user, day)
                database.deliver(DAYS[day], rows, "run", targets)
        live.deliver(DAYS[2], own_rows("player", 2)[0], "run")
        assert live.current_day() == DAYS[2]
        assert staging.current_day() == DAYS[1]
        assert [delivery.as_of for delivery in staging.deliveries()] == [DAYS[1], DAYS[0]]
        for database, user, day in ((live, "player", 2), (staging, "tester", 1)):
            (latest_row,) = database.latest(["player", "tester"])
            assert (latest_row["user_id"], latest_row["as_of"]) == (user, DAYS[day])
            assert database.day(DAYS[0])["user_id"].to_pylist() == [user]
            assert database.target_predictions(DAYS[0])["user_id"].to_pylist() == [user]
            assert set(database.defaults()["as_of"].to_pylist()) == {DAYS[day]}


def test_a_view_shows_the_newest_day_of_each_installation(url: str) -> None:
    with installation(url, "live", LIVE) as live, installation(url, "staging", STAGING) as staging:
        live.deliver(DAYS[2], own_rows("player", 2)[0], "run")
        staging.deliver(DAYS[1], own_rows("tester", 1)[0], "run")
    query = (
        "SELECT p.user_id FROM player_predictions_current AS p"
        " JOIN installations AS i ON i.id = p.installation_id WHERE i.name = '{}'"
    )
    assert execute(url, query.format("live")) == [("player",)]
    assert execute(url, query.format("staging")) == [("tester",)]


def test_retention_and_withdrawal_leave_the_others_days(url: str) -> None:
    with installation(url, "live", LIVE, days=1) as live:
        with installation(url, "staging", STAGING) as staging:
            for day in (0, 1):
                staging.put_report(MODEL_METRICS, DAYS[day], metrics(DAYS[day], "auc"))
                staging.deliver(DAYS[day], own_rows("tester", day)[0], "run")
        live.put_report(MODEL_METRICS, DAYS[4], metrics(DAYS[4], "auc"))
        live.deliver(DAYS[4], own_rows("player", 4)[0], "run")
        live.withdraw([DAYS[0], DAYS[4]])
        assert live.deliveries() == []
        assert live.latest(["player"]) == []
        assert read_report(live, MODEL_METRICS)["as_of"].to_pylist() == [DAYS[0], DAYS[1]]
    with ResultsDatabase(url, installation="staging") as staging:
        assert len(staging.deliveries()) == 2
        assert len(staging.latest(["tester"])) == 1


def test_a_day_is_withdrawn_with_its_reports_and_may_be_delivered_again(url: str) -> None:
    profile = row_of(CLUSTER_PROFILES, as_of=DAYS[1])
    profiles = pa.Table.from_pylist([profile], CLUSTER_PROFILES.arrow_schema)
    with installation(url, "live", LIVE) as live:
        for day in (0, 1):
            live.deliver(DAYS[day], own_rows("player", day)[0], "run")
        live.put_report(CLUSTER_PROFILES, DAYS[1], profiles)
        live.withdraw([DAYS[1]])
        assert live.current_day() == DAYS[0]
        assert [latest_row["as_of"] for latest_row in live.latest(["player"])] == [DAYS[0]]
        assert read_report(live, CLUSTER_PROFILES).num_rows == 0
        assert execute(url, "SELECT count(*) FROM player_prediction_loads") == [(1,)]
        live.deliver(DAYS[1], own_rows("player", 1)[0], "run")
        assert live.current_day() == DAYS[1]


def test_another_lake_with_the_same_name_is_refused_until_it_takes_over(url: str) -> None:
    with installation(url, "live", LIVE) as live:
        live.deliver(DAYS[0], own_rows("player", 0)[0], "run")
        with ResultsDatabase(url, installation="live") as rebuilt:
            with pytest.raises(InputError, match="belongs to an installation 'live'") as caught:
                rebuilt.claim("rebuilt lake")
            assert "DS_ASSETS_INSTALLATION" in str(caught.value)
            assert "`ds-assets claim`" in str(caught.value)
            rebuilt.claim("rebuilt lake", is_taking_over=True)
            assert rebuilt.current_day() == DAYS[0]
        with pytest.raises(InputError, match="belongs to an installation 'live'"):
            live.claim(LIVE)


def test_a_game_that_was_renamed_is_refused_until_it_starts_again(url: str) -> None:
    with installation(url, "live", LIVE) as live:
        live.deliver(DAYS[0], own_rows("player", 0)[0], "run")
    with ResultsDatabase(url, installation="renamed") as renamed:
        with pytest.raises(InputError, match="DS_ASSETS_INSTALLATION=live"):
            renamed.claim(LIVE)
        with pytest.raises(InputError, match="has no rows in"):
            renamed.deliver(DAYS[1], own_rows("player", 1)[0], "run")
        assert renamed.current_day() is None
        renamed.claim(LIVE, is_taking_over=True)
        renamed.claim(LIVE)
        assert renamed.current_day() is None


def test_a_reader_finds_out_that_rows_are_another_lakes_and_changes_nothing(url: str) -> None:
    with ResultsDatabase(url, installation="live") as reader:
        reader.refuse_foreign(LIVE)  # without a schema there is nothing
        assert reader.schema_version() is None
        with installation(url, "live", LIVE):
            reader.refuse_foreign(LIVE)
            with pytest.raises(InputError, match="belongs to an installation 'live'"):
                reader.refuse_foreign(STAGING)
        with (
            ResultsDatabase(url, installation="renamed") as renamed,
            pytest.raises(InputError, match="DS_ASSETS_INSTALLATION=live"),
        ):
            renamed.refuse_foreign(LIVE)
    assert execute(url, "SELECT name, lake FROM installations") == [("live", LIVE)]


def test_rows_from_before_there_were_ids_belong_to_the_first_that_claims(url: str) -> None:
    make_with_reports(url)
    with ResultsDatabase(url, installation="live") as live:
        assert live.current_day() == DAYS[1]  # for a reader, before anything is delivered
    with installation(url, "live", LIVE) as live, installation(url, "staging", STAGING) as staging:
        assert live.current_day() == DAYS[1]
        assert [latest_row["user_id"] for latest_row in live.latest(["old"])] == ["old"]
        assert staging.current_day() is None
        assert staging.latest(["old"]) == []


def test_installations_that_claim_at_the_same_time_get_different_ids(url: str) -> None:
    names = [f"game {number}" for number in range(4)]
    with ExitStack() as stack:
        databases = [stack.enter_context(ResultsDatabase(url, installation=name)) for name in names]
        databases[0].ensure_schema()
        threads = [
            threading.Thread(target=database.claim, args=[name])
            for database, name in zip(databases, names, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert execute(url, "SELECT id FROM installations ORDER BY id") == [(1,), (2,), (3,), (4,)]
    assert {name for (name,) in execute(url, "SELECT name FROM installations")} == set(names)
