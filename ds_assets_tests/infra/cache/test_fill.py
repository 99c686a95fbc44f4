"""Filling a cache from the lake, also one that lost its data, on a real Redis."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from ds_assets.core.provenance import Provenance
from ds_assets.core.user_offers import select_offers
from ds_assets.errors import InputError
from ds_assets.infra.cache.fill import fill_cache, rebuild_cache
from ds_assets.infra.cache.prediction_cache import CachePut, PredictionCache
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.provenance import Records, store_record
from ds_assets.infra.lake.tables import store_rows
from ds_assets_tests.infra.factories import (
    DAYS,
    assignment,
    assignments,
    control,
    fetch_values,
    fresh,
    get_rows,
    offer,
    row,
    table,
)

pytestmark = pytest.mark.server

STORED = {
    DAYS[0]: ["gone long ago"],
    DAYS[1]: ["gone", "came back"],
    DAYS[3]: ["came back", "always", "new"],
    DAYS[4]: ["came back", "always"],
}


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    lake = FolderLake(tmp_path / "lake")
    for day, users in STORED.items():
        rows = table(*(row(user, day, cluster_name=f"{user} {day}") for user in users))
        store_rows(rows, "predictions", day, lake)
        store_record(Provenance(asset="predictions", day=day, inputs={}), lake)
    # A run that is not over: its checks may refuse what it has stored.
    store_rows(table(row("unchecked", DAYS[2])), "predictions", DAYS[2], lake)
    return lake


def read_days(cache: PredictionCache) -> dict[str, dt.date | None]:
    """The day of each user's prediction in the cache."""
    users = sorted({user for users in STORED.values() for user in users})
    values = get_rows(cache, users)
    for value in filter(None, values):
        assert value["cluster_name"] == f"{value['user_id']} {value['as_of']}"
    return {
        user: value["as_of"] if value else None for user, value in zip(users, values, strict=True)
    }


def lose_everything(cache: PredictionCache) -> None:
    client: Any = cache._client
    for key in client.scan_iter(cache._prefix + b"*"):
        client.delete(key)


def test_a_lost_cache_is_rebuilt_with_each_users_newest_prediction_of_the_last_days(
    lake: FolderLake, redis_url: str
) -> None:
    with fresh(redis_url) as cache:
        fill_cache(list(STORED)[1:], lake, cache)
        before = read_days(cache)
        assert before == {
            "always": DAYS[4],
            "came back": DAYS[4],
            "gone": DAYS[1],
            "gone long ago": None,
            "new": DAYS[3],
        }
        lose_everything(cache)
        assert set(read_days(cache).values()) == {None}
        for lost in (True, False):
            assert rebuild_cache(Records({}, lake), lake, cache, days_to_live=4) == {
                DAYS[4]: CachePut(2, 0),
                DAYS[3]: CachePut(1, 2),
                DAYS[1]: CachePut(1, 1),
            }, lost
            assert read_days(cache) == before


def test_offers_are_cached_with_the_predictions_of_their_day(
    lake: FolderLake, redis_url: str
) -> None:
    in_effect = {
        DAYS[3]: [assignment("new"), assignment("always", offer="old")],
        DAYS[4]: [assignment("always"), control("came back"), assignment("gone")],
    }
    users = ["always", "came back", "gone", "new"]
    with fresh(redis_url) as cache:
        fill_cache(
            list(STORED)[1:],
            lake,
            cache,
            lambda day: select_offers(assignments(*in_effect.get(day, [])), ["bundle"]),
        )
        before, values = fetch_values(cache, users)
        fill_cache([DAYS[4]], lake, cache)
        after, _ = fetch_values(cache, users)
    offers = [json.loads(b"{" + value.members).get("promotions") for value in values if value]
    shown = [{**offer(user_id=user), "until": str(DAYS[4])} for user in ("always", "new")]
    assert offers == [[shown[0]], None, None, [shown[1]]]
    day = DAYS[4].toordinal()
    assert before.deliveries[day] != after.deliveries[day]


def test_without_predictions_there_is_nothing_to_rebuild_from(
    tmp_path: Path, redis_url: str
) -> None:
    lake = FolderLake(tmp_path / "empty")
    with fresh(redis_url) as cache, pytest.raises(InputError, match=r"no predictions in .*/empty"):
        rebuild_cache(Records({}, lake), lake, cache, 7)
