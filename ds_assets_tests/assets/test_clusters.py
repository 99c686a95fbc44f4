import datetime as dt
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from ds_assets.assets import clusters
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
