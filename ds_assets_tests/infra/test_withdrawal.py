"""Predictions of a day that is refused after its delivery are visible nowhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ds_assets.core.tables import PREDICTIONS
from ds_assets.core.verdicts import Decision
from ds_assets.errors import InputError
from ds_assets.infra.cache.fill import fill_cache
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.provenance import Records, recorded
from ds_assets.infra.lake.tables import read_predictions, store_rows
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.infra.withdrawal import withdraw_from_cache, withdraw_from_results
from ds_assets_tests.infra.factories import embedded_server, fetch, fresh, row, table
from ds_assets_tests.infra.lake.recorded_days import GAME, LINEAGES, day, write

USERS = ("away", "stays", "new")


@dataclass
class Delivered:
    """Two delivered days: `away` is only in the first one, `new` only in the second."""

    lake: FolderLake
    results: ResultsDatabase
    cache: PredictionCache

    def deliver(self, number: int) -> None:
        """Deliver a day as the assets do."""
        with recorded("rds_results", [day(number)], LINEAGES, self.lake, "run"):
            self.results.deliver(day(number), read_predictions(day(number), self.lake), "run")
        with recorded("prediction_cache", [day(number)], LINEAGES, self.lake, "run"):
            fill_cache([day(number)], self.lake, self.cache)

    def decide(self, number: int, decision: Decision) -> None:
        """Decide about a day, and withdraw what is refused."""
        decide_by_operator(day(number), decision, "why", "anna", self.lake, GAME)
        withdraw_from_results(self.records(), self.lake, self.results)
        withdraw_from_cache(self.records(), self.lake, self.cache)

    def records(self) -> Records:
        return Records(LINEAGES, self.lake)

    def cached(self) -> list[int | None]:
        """The day of each user's value in the cache, as its number."""
        return [
            None if cached_row is None else (cached_row["as_of"] - day(0)).days
            for cached_row in fetch(self.cache, USERS)[1]
        ]

    def tabled(self) -> dict[str, int]:
        """The day of each user's newest row in the table, as its number."""
        latest_rows = self.results.latest(USERS)
        return {values["user_id"]: (values["as_of"] - day(0)).days for values in latest_rows}


@pytest.fixture
def delivered(tmp_path: Path) -> Iterator[Delivered]:
    lake = FolderLake(tmp_path / "lake")
    for number, users in enumerate([("away", "stays"), ("stays", "new")]):
        with recorded("user_activity", [day(number)], LINEAGES, lake, "run"):
            write(lake, "user_activity", number)
        with recorded("predictions", [day(number)], LINEAGES, lake, "run"):
            rows = table(*(row(user, day(number)) for user in users))
            store_rows(rows, PREDICTIONS.name, day(number), lake)
    with (
        embedded_server(tmp_path / "cache") as folder,
        fresh(folder) as cache,
        ResultsDatabase(f"sqlite:///{tmp_path / 'results.sqlite'}") as results,
    ):
        world = Delivered(lake, results, cache)
        for number in range(2):
            world.deliver(number)
        yield world


def test_the_newest_day_is_withdrawn_from_the_table_and_from_the_cache(
    delivered: Delivered,
) -> None:
    assert delivered.tabled() == {"away": 0, "stays": 1, "new": 1}
    delivered.decide(1, Decision.REFUSED)
    assert delivered.tabled() == {"away": 0, "stays": 0}
    assert delivered.cached() == [0, None, None]
    assert delivered.results.current_day() == delivered.cache.current_day() == day(0)


def test_the_day_before_is_delivered_to_the_cache_again(delivered: Delivered) -> None:
    delivered.decide(1, Decision.REFUSED)
    assert delivered.records().outdated_days("rds_results") == []
    assert delivered.records().outdated_days("prediction_cache") == [day(0)]
    delivered.deliver(0)
    assert delivered.cached() == [0, 0, None]
    assert fetch(delivered.cache, [])[0].newest.members


def test_an_older_day_is_withdrawn_and_the_newest_one_stays(delivered: Delivered) -> None:
    delivered.decide(0, Decision.REFUSED)
    assert delivered.tabled() == {"stays": 1, "new": 1}
    assert delivered.cached() == [None, 1, 1]
    assert delivered.records().outdated_days("prediction_cache") == []


def test_a_day_that_is_accepted_again_is_delivered_again(delivered: Delivered) -> None:
    delivered.decide(1, Decision.REFUSED)
    delivered.decide(1, Decision.ACCEPTED)
    assert day(1) in delivered.records().outdated_days("rds_results")
    assert day(1) in delivered.records().outdated_days("prediction_cache")
    delivered.deliver(1)
    assert delivered.tabled() == {"away": 0, "stays": 1, "new": 1}
    assert delivered.cached() == [0, 1, 1]


def test_outcomes_of_a_withdrawn_day_are_compared_again_once_it_is_accepted(
    delivered: Delivered,
) -> None:
    outcomes = "prediction_outcomes"
    for number in range(2):
        with recorded(outcomes, [day(number)], LINEAGES, delivered.lake, "run"):
            write(delivered.lake, outcomes, number)
    delivered.decide(1, Decision.REFUSED)
    assert list(delivered.records().recorded_days(outcomes)) == [day(0)]


def test_nothing_is_withdrawn_twice(delivered: Delivered) -> None:
    delivered.decide(1, Decision.REFUSED)
    assert withdraw_from_results(delivered.records(), delivered.lake, delivered.results) == []
    assert withdraw_from_cache(delivered.records(), delivered.lake, delivered.cache) == []


def test_nothing_is_withdrawn_from_stores_that_another_lake_has_taken_over(
    delivered: Delivered,
) -> None:
    delivered.results.claim("another lake", is_taking_over=True)
    delivered.cache.claim("another lake", is_taking_over=True)
    decide_by_operator(day(1), Decision.REFUSED, "why", "anna", delivered.lake, GAME)
    with pytest.raises(InputError, match="with another lake"):
        withdraw_from_results(delivered.records(), delivered.lake, delivered.results)
    with pytest.raises(InputError, match="with another lake"):
        withdraw_from_cache(delivered.records(), delivered.lake, delivered.cache)
    assert delivered.tabled() == {"away": 0, "stays": 1, "new": 1}
    assert delivered.cached() == [0, 1, 1]
