import base64
import datetime as dt
import io
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from PIL import Image

from ds_assets.assets import cluster_profiles
from ds_assets.core.tables import CLUSTER_PROFILES
from ds_assets.daily_assets import PICTURED_DAYS
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.tables import read_columns, stored_days
from ds_assets_tests.assets.factories import (
    LAST,
    START,
    Installation,
    day,
    event,
    finished,
    make_installation,
)

pytestmark = pytest.mark.slow

PNG = "(data:image/png;base64,"


def stored(lake: FolderLake, of: dt.date, table: str = "cluster_profiles") -> pd.DataFrame:
    names = CLUSTER_PROFILES.names if table == "cluster_profiles" else ["user_id", "cluster"]
    return read_columns(table, of, names, lake)


def shown(installation: Installation, of: dt.date) -> dict[str, Any]:
    with dg.DagsterInstance.ephemeral() as instance:
        installation.run(of, assets=("cluster_profiles",), instance=instance)
        materialization = instance.get_latest_materialization_event(dg.AssetKey("cluster_profiles"))
        assert materialization is not None
        assert materialization.asset_materialization is not None
        return {
            name: value if isinstance(value, dg.TableMetadataValue) else value.value
            for name, value in materialization.asset_materialization.metadata.items()
        }


def test_every_day_with_clusters_has_a_row_for_each(tmp_path: Path) -> None:
    lake = finished().copy(tmp_path).lake
    days = list(stored_days("cluster_profiles", lake))
    assert days == list(stored_days("predictions", lake))
    for as_of in days:
        clusters = stored(lake, as_of, "clusters")
        profiles = stored(lake, as_of)
        sizes = clusters.groupby("cluster").size().to_dict()
        assert dict(zip(profiles["cluster"], profiles["users"], strict=True)) == sizes
    assert stored(lake, LAST)["churn_probability"].between(0, 1).all()


def test_flows_are_those_since_the_same_weekday(tmp_path: Path) -> None:
    lake = finished().copy(tmp_path).lake
    profiles = stored(lake, LAST)
    before = stored(lake, LAST - dt.timedelta(days=7), "clusters").groupby("cluster").size()
    went_or_stayed = (profiles["stayed"] + profiles["went"]).set_axis(profiles["cluster"])
    assert went_or_stayed.to_dict() == before.reindex(profiles["cluster"]).fillna(0).to_dict()


def test_the_ui_shows_a_table_and_two_pictures(tmp_path: Path) -> None:
    metadata = shown(finished().copy(tmp_path), LAST)
    for name in ("profiles", "flows"):
        head, _, content = metadata[name].removesuffix(")").partition(PNG)
        assert head == f"![{name}]"
        assert Image.open(io.BytesIO(base64.b64decode(content))).format == "PNG"
    names = {column.name for column in metadata["table"].schema.columns}
    assert names == set(CLUSTER_PROFILES.names) - {"as_of", "typical_values"}
    assert len(metadata["table"].records) == metadata["dagster/partition_row_count"] == 3
    assert 0 < metadata["share_changed_in_a_week"] < 1
    assert "missing" not in metadata


def test_a_day_without_clusters_a_week_before_says_so(tmp_path: Path) -> None:
    installation = finished().copy(tmp_path)
    days = list(stored_days("clusters", installation.lake))
    first = next(as_of for as_of in days if len(stored(installation.lake, as_of, "clusters")))
    metadata = shown(installation, first)
    assert (
        metadata["missing"] == f"no flows: there are no clusters of {first - dt.timedelta(days=7)}"
    )
    assert "flows" not in metadata
    assert "profiles" in metadata
    assert stored(installation.lake, first)["stayed"].isna().all()


def test_a_day_with_too_few_users_stores_no_rows_and_says_why(tmp_path: Path) -> None:
    installation = make_installation(tmp_path, last_day=str(day(1)))
    installation.write_logs(START, event(1, f"{START}T10:00:00Z"))
    installation.run(START)
    assert len(stored(installation.lake, START)) == 0
    metadata = shown(installation, START)
    assert metadata["missing"].startswith("no clusters: 1 users")
    assert metadata["dagster/partition_row_count"] == 0
    assert "profiles" not in metadata


def test_a_run_of_many_days_has_pictures_of_the_latest_and_rows_of_all(tmp_path: Path) -> None:
    installation = finished().copy(tmp_path)
    days = [LAST - dt.timedelta(days=n) for n in range(PICTURED_DAYS + 2)]
    updates = cluster_profiles.update(days, installation.lake, installation.game)
    assert [as_of for as_of in days if updates[as_of].pictures] == days[:PICTURED_DAYS]
    for as_of in days[PICTURED_DAYS:]:
        assert "no pictures: only the latest 7 days of a run have some" in updates[as_of].missing
        assert len(updates[as_of].rows) == 3
        alone = cluster_profiles.update([as_of], installation.lake, installation.game)[as_of]
        assert set(alone.pictures) == {"profiles", "flows"}
        assert alone.rows.equals(updates[as_of].rows)


def test_a_second_run_gives_the_same_bytes(tmp_path: Path) -> None:
    installation = finished().copy(tmp_path)
    name = f"cluster_profiles/dt={LAST}/cluster_profiles.parquet"
    before = installation.lake.read(name)
    first = cluster_profiles.update([LAST], installation.lake, installation.game)[LAST]
    again = cluster_profiles.update([LAST], installation.lake, installation.game)[LAST]
    assert first.pictures == again.pictures
    assert installation.lake.read(name) == before
