import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from ds_assets.assets import clusters
from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.lineage import LONGEST_PAUSE
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.tables import store_rows
from ds_assets_tests.assets.factories import LAST, finished
from ds_assets_tests.core.factories import FIRST_DAY, make_features, make_game


def test_ids_go_on_after_a_long_time_with_too_few_users(tmp_path: Path) -> None:
    lake, game = FolderLake(tmp_path), make_game(clusters={"min": 3, "max": 3})
    days = [FIRST_DAY + dt.timedelta(days=number) for number in range(12)]
    for place, day in enumerate(days):
        users = make_features(200 if place in {0, 11} else 5)
        store_rows(pa.Table.from_pandas(users), "user_features", day, lake)
    cards = clusters.materialize_days(days, lake, game)
    assert [len(cards[day].clusters) for day in days] == [3, *[0] * 10, 3]
    assert [cluster.id for cluster in cards[days[-1]].clusters] == [4, 5, 6]


def store_users(days: Sequence[dt.date], lake: FolderLake) -> None:
    for day in days:
        store_rows(pa.Table.from_pandas(make_features(200)), "user_features", day, lake)


def ids_of(card: ClusterCard) -> list[int]:
    return [cluster.id for cluster in card.clusters]


def test_ids_are_never_given_to_others_after_a_pause_of_any_length(tmp_path: Path) -> None:
    lake, game = FolderLake(tmp_path), make_game(clusters={"min": 3, "max": 3})
    before, after = FIRST_DAY, FIRST_DAY + dt.timedelta(days=LONGEST_PAUSE + 1)
    store_users([before, after], lake)
    cards = clusters.materialize_days([before, after], lake, game)
    assert ids_of(cards[before]) == [1, 2, 3]
    assert ids_of(cards[after]) == [4, 5, 6]


def test_ids_are_never_given_to_others_when_older_days_are_filled_in(tmp_path: Path) -> None:
    lake, game = FolderLake(tmp_path), make_game(clusters={"min": 3, "max": 3})
    older, old, newest = (FIRST_DAY + dt.timedelta(days=number) for number in (0, 30, 60))
    store_users([older, old, newest], lake)
    stored_clusters = [
        clusters.materialize_days([day], lake, game)[day] for day in (newest, old, older)
    ]
    assert [ids_of(card) for card in stored_clusters] == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_days_made_again_in_any_order_end_as_they_were(tmp_path: Path) -> None:
    lake, game = FolderLake(tmp_path), make_game(clusters={"min": 3, "max": 3})
    days = [FIRST_DAY + dt.timedelta(days=number) for number in (0, 1, 30)]
    store_users(days, lake)
    first = clusters.materialize_days(days, lake, game)
    assert clusters.materialize_days(days[:1], lake, game) == {days[0]: first[days[0]]}
    assert clusters.materialize_days(days[1:], lake, game) == {day: first[day] for day in days[1:]}


def test_ids_that_an_older_version_assigned_are_known_from_its_cards(tmp_path: Path) -> None:
    lake, game = FolderLake(tmp_path), make_game(clusters={"min": 3, "max": 3})
    older, newest = FIRST_DAY, FIRST_DAY + dt.timedelta(days=60)
    store_users([older, newest], lake)
    clusters.materialize_days([newest], lake, game)
    lake.delete(["models/clusters/next_id"])
    assert ids_of(clusters.materialize_days([older], lake, game)[older]) == [4, 5, 6]


@pytest.mark.slow
def test_the_ui_shows_shares_the_criterion_and_who_changed(tmp_path: Path) -> None:
    installation = finished().copy(tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        installation.run(LAST, assets=("clusters",), instance=instance)
        event = instance.get_latest_materialization_event(dg.AssetKey("clusters"))
        assert event is not None
        assert event.asset_materialization is not None
        shown = event.asset_materialization.metadata
    assert 0 < float(str(shown["share_changed_in_a_day"].value)) < 0.5
    assert -1 < float(str(shown["silhouette"].value)) < 1
    assert "silhouette" in str(shown["criterion"].value)
    sizes = shown["sizes"]
    assert isinstance(sizes, dg.TableMetadataValue)
    shares = [float(str(record.data["share"])) for record in sizes.records]
    assert sum(shares) == pytest.approx(1.0)
