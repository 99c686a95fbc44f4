import datetime as dt
from typing import Any

import dagster as dg
import pytest

from ds_assets.partitions import daily_partitions, days_back
from ds_assets_tests.core.factories import make_game

BERLIN = "Europe/Berlin"


def keys(now: dt.datetime, **changes: Any) -> list[str]:
    partitions = daily_partitions(make_game(**changes))
    with dg.partition_loading_context(now):
        return list(partitions.get_partition_keys())


def test_a_day_gets_its_partition_when_it_is_over_in_the_games_zone() -> None:
    first = dt.date(2026, 3, 1)
    # In Seoul the 3rd of March begins at 15:00 UTC on the 2nd.
    before = dt.datetime(2026, 3, 2, 14, 59, tzinfo=dt.UTC)
    after = dt.datetime(2026, 3, 2, 15, 1, tzinfo=dt.UTC)
    assert keys(before, first_day=first, time_zone="Asia/Seoul") == ["2026-03-01"]
    assert keys(after, first_day=first, time_zone="Asia/Seoul") == ["2026-03-01", "2026-03-02"]


def test_a_game_that_has_ended_has_its_days_and_no_more() -> None:
    first, last = dt.date(2026, 3, 1), dt.date(2026, 3, 3)
    later = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    assert keys(later, first_day=first, last_day=last) == ["2026-03-01", "2026-03-02", "2026-03-03"]


@pytest.mark.parametrize("around", [dt.date(2026, 3, 28), dt.date(2026, 10, 24)])
def test_days_on_which_the_clock_changes_are_days_like_others(around: dt.date) -> None:
    days = [around + dt.timedelta(days=n) for n in range(4)]
    later = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    partition_keys = keys(later, first_day=days[0], last_day=days[-1], time_zone=BERLIN)
    assert partition_keys == [str(day) for day in days]


# Beta in Dagster 1.13, as `definitions` explains.
@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_earlier_days_are_those_asked_for_and_none_before_the_game() -> None:
    partitions = daily_partitions(
        make_game(first_day=dt.date(2026, 3, 1), last_day=dt.date(2026, 3, 31))
    )

    def upstream(key: str) -> list[str]:
        wanted = partitions.subset_with_partition_keys([key])
        mapped = days_back(3, 1).get_upstream_mapped_partitions_result_for_partitions(
            wanted, partitions, partitions
        )
        return sorted(mapped.partitions_subset.get_partition_keys())

    assert upstream("2026-03-10") == ["2026-03-07", "2026-03-08", "2026-03-09"]
    assert upstream("2026-03-02") == ["2026-03-01"]
    assert upstream("2026-03-01") == []
