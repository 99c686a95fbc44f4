import base64
import datetime as dt
import io
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from PIL import Image

from ds_assets.assets import cohorts
from ds_assets.core.tables import COHORTS
from ds_assets.infra.lake.tables import read_columns, stored_days, table_file
from ds_assets.infra.results.schema import COHORT_CURVES
from ds_assets_tests.assets.factories import (
    LAST,
    START,
    Installation,
    change_game,
    day,
    finished,
)
from ds_assets_tests.infra.results.databases import read_report
from ds_assets_tests.infra.results.test_schema import read

pytestmark = pytest.mark.slow

PNG = "(data:image/png;base64,"
KEY = ["cohort", "value", "age_days"]
NUMBERS = ["users", "active_users", "payers", "purchases", "spend"]


def stored(installation: Installation) -> pd.DataFrame:
    """Rows of all days."""
    lake = installation.lake
    days = stored_days("cohorts", lake)
    return pd.concat([read_columns("cohorts", day, COHORTS.names, lake) for day in days])


def show(installation: Installation, of: dt.date) -> dict[str, Any]:
    with dg.DagsterInstance.ephemeral() as instance:
        installation.run(of, assets=("cohorts",), instance=instance)
        event = instance.get_latest_materialization_event(dg.AssetKey("cohorts"))
        assert event is not None
        assert event.asset_materialization is not None
        return {
            name: value if isinstance(value, dg.TableMetadataValue) else value.value
            for name, value in event.asset_materialization.metadata.items()
        }


def test_every_day_has_rows_and_every_user_joins_once(tmp_path: Path) -> None:
    installation = finished().copy(tmp_path)
    rows = stored(installation)
    assert list(stored_days("cohorts", installation.lake)) == [day(number) for number in range(32)]
    first: dict[str, dt.date] = {}
    for at in stored_days("user_activity", installation.lake):
        columns = ["user_id", "event_date", "activities"]
        activity = read_columns("user_activity", at, columns, installation.lake)
        for user, date in activity[activity["activities"] > 0][columns[:2]].itertuples(index=False):
            first[user] = min(first.get(user, date), date)
    assert rows["users"].sum() == len(first)
    assert set(rows["value"]) <= {"ads", "cross_promo", "organic", "referral"}
    assert set(rows[rows["value"] == "ads"]["cost_per_user"]) == {18.0}


def test_a_second_run_gives_the_same_bytes(tmp_path: Path) -> None:
    installation = finished().copy(tmp_path)
    name = table_file("cohorts", LAST)
    before = installation.lake.read(name)
    cohorts.update([LAST], installation.lake, installation.engine, installation.game)
    assert installation.lake.read(name) == before


def test_the_ui_shows_curves_and_a_table(tmp_path: Path) -> None:
    metadata = show(finished().copy(tmp_path), LAST)
    for name in ("spend_by_age", "values"):
        head, _, content = metadata[name].removesuffix(")").partition(PNG)
        assert head == f"![{name}]"
        assert Image.open(io.BytesIO(base64.b64decode(content))).format == "PNG"
    assert metadata["missing_days"] == []
    assert metadata["users_without_activity"] == metadata["too_late_events"] == 0
    assert {row.data["value"] for row in metadata["table"].records} >= {"organic", "ads"}


def test_days_without_cohorts_are_named(tmp_path: Path) -> None:
    installation = finished().copy(tmp_path)
    installation.lake.delete([table_file("cohorts", day(20))])
    assert show(installation, LAST)["missing_days"] == [str(day(20))]


def test_the_first_day_shows_no_curves(tmp_path: Path) -> None:
    metadata = show(finished().copy(tmp_path), START)
    assert "spend_by_age" not in metadata
    assert metadata["dagster/partition_row_count"] > 0


def test_cohorts_are_delivered_with_the_predictions(tmp_path: Path) -> None:
    installation = finished().copy(tmp_path)
    with installation.results() as database:
        delivered = read_report(database, COHORTS).to_pandas()
        curves = pd.DataFrame(read(database, COHORT_CURVES))
    rows = stored(installation)
    pd.testing.assert_frame_equal(
        delivered.groupby(KEY)[NUMBERS].sum(), rows.groupby(KEY)[NUMBERS].sum()
    )
    first = rows["cohort"].min()
    until = rows[(rows["cohort"] == first) & (rows["value"] == "ads")]
    shown = curves[(curves["cohort"] == first) & (curves["value"] == "ads")]
    spend = until[until["age_days"] <= 14]["spend"].sum() / until["users"].sum()
    at_two_weeks = shown[shown["age_days"] <= 14].sort_values("age_days").iloc[-1]
    assert at_two_weeks["spend_per_user"] == pytest.approx(spend)


def test_a_day_of_an_earlier_version_is_delivered_without_cohorts(tmp_path: Path) -> None:
    installation = finished().copy(tmp_path)
    installation.lake.delete([table_file("cohorts", LAST)])
    installation.run(LAST, assets=("rds_results",))
    assert LAST in installation.delivered()


def test_another_attribute_makes_all_days_outdated(tmp_path: Path) -> None:
    installation = finished().copy(tmp_path / "home")
    changed = change_game(installation, {"cohorts": {"by": "country"}})
    changed = Installation(changed.home)
    with pytest.raises(Exception, match=r"another game\.yaml"):
        changed.run(LAST, assets=("rds_results",))
    changed.run(START, LAST, assets=("cohorts", "rds_results"))
    assert "KR" in set(stored(changed)["value"])
