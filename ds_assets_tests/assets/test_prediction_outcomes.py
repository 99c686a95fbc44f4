"""A day's predictions beside what happened: once it is known, and only then."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from ds_assets.assets import prediction_outcomes
from ds_assets.assets.prediction_outcomes import DayOutcomes
from ds_assets.core.contracts import conform
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.tables import PREDICTION_OUTCOMES
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.models import stored_card
from ds_assets.infra.lake.tables import (
    read_predictions,
    read_rows,
    store_rows,
    stored_days,
    table_file,
)
from ds_assets_tests.assets.factories import (
    LAST,
    Installation,
    change_game,
    day,
    event,
    finished,
)
from ds_assets_tests.infra.results.databases import read_report

pytestmark = pytest.mark.slow

JUDGED = day(24)
"""Both horizons, of 5 and of 7 days, are over on the last day."""
EARLY = day(9)
HALF = day(25)
"""Only the shorter one is over."""
WITHOUT_MODEL = day(5)
NEW_LOGS = ("raw_logs", "user_activity")


@pytest.fixture
def copy(tmp_path: Path) -> Installation:
    return finished().copy(tmp_path)


def judge(installation: Installation, *days: dt.date) -> dict[dt.date, DayOutcomes]:
    return prediction_outcomes.update(
        days, installation.lake, installation.engine, installation.game
    )


def stored(lake: FolderLake, of: dt.date) -> pd.DataFrame:
    rows: pd.DataFrame = read_rows(PREDICTION_OUTCOMES, of, lake).to_pandas()
    return rows


def of_all(outcomes: pd.DataFrame, target: str) -> dict[str, Any]:
    (row,) = outcomes[(outcomes["target"] == target) & (outcomes["segment"] == "all")].to_dict(
        "records"
    )
    return {str(name): value for name, value in row.items()}


def shown(installation: Installation, of: dt.date) -> dict[str, Any]:
    with dg.DagsterInstance.ephemeral() as instance:
        installation.run(of, assets=("prediction_outcomes",), instance=instance)
        materialization = instance.get_latest_materialization_event(
            dg.AssetKey("prediction_outcomes")
        )
        assert materialization is not None
        assert materialization.asset_materialization is not None
        metadata = materialization.asset_materialization.metadata
        return {name: value.value for name, value in metadata.items()}


def activity_of_horizon(lake: FolderLake, of: dt.date, horizon: int) -> Iterator[pd.DataFrame]:
    """What was stored of the days of a horizon, as it arrived."""
    for number in range(1, horizon + 1):
        arrived = of + dt.timedelta(days=number)
        rows = pd.read_parquet(lake.local(table_file("user_activity", arrived)))
        dates = pd.to_datetime(rows["event_date"]).dt.date
        yield rows[(dates > of) & (dates <= of + dt.timedelta(days=horizon))]


def test_a_day_whose_horizon_is_over_says_what_happened_to_its_users() -> None:
    lake = finished().lake
    predicted = read_predictions(JUDGED, lake).to_pandas()
    churn, payment = (of_all(stored(lake, JUDGED), target) for target in ("churn", "payment"))
    active = pd.concat(activity_of_horizon(lake, JUDGED, 5)).query("activities > 0")["user_id"]
    paid = pd.concat(activity_of_horizon(lake, JUDGED, 7)).query("purchases > 0")["user_id"]
    assert churn["users"] == payment["users"] == len(predicted) > 100
    assert churn["happened"] == pytest.approx(1 - predicted["user_id"].isin(active).mean())
    assert payment["happened"] == pytest.approx(predicted["user_id"].isin(paid).mean())
    for row in (churn, payment):
        target = row["target"]
        assert row["predicted"] == pytest.approx(predicted[f"{target}_probability"].mean())
        assert 0.5 < row["auc_low"] <= row["auc"] <= row["auc_high"] < 1
        assert row["promised_auc_low"] < row["promised_auc_high"]
        assert row["verdict"] == "as_promised"


def test_every_group_is_judged_apart() -> None:
    lake = finished().lake
    groups = read_predictions(JUDGED, lake).to_pandas()["user_group"].value_counts()
    assert len(groups) == 3
    for _, rows in stored(lake, JUDGED).groupby("target"):
        apart = rows[rows["segment"] != "all"].set_index("segment")
        assert apart["users"].to_dict() == groups.to_dict()
        assert apart["promised_auc_low"].isna().all()


def test_what_is_not_over_has_no_rows_and_says_when_it_is_known(copy: Installation) -> None:
    for as_of in (HALF, LAST):
        assert "payment" not in set(stored(copy.lake, as_of)["target"])
    assert set(stored(copy.lake, HALF)["target"]) == {"churn"}
    metadata = shown(copy, HALF)
    assert metadata["churn_verdict"] == "as_promised"
    assert "churn_missing" not in metadata
    assert metadata["payment_missing"] == (
        f"known at the end of {day(32)}; there is no activity yet of {day(32)}"
    )
    nothing = shown(copy, LAST)
    assert nothing["dagster/partition_row_count"] == 0
    assert nothing["churn_missing"].startswith(f"known at the end of {day(36)}; there is no")


def test_a_day_without_a_model_has_no_rows_and_says_so(copy: Installation) -> None:
    metadata = shown(copy, WITHOUT_MODEL)
    assert stored(copy.lake, WITHOUT_MODEL).empty
    for target in ("churn", "payment"):
        assert metadata[f"{target}_missing"] == "there was not enough data for predictions"


def test_early_predictions_have_no_rows_as_no_card_promised_anything(copy: Installation) -> None:
    metadata = shown(copy, EARLY)
    assert stored(copy.lake, EARLY).empty
    for target in ("churn", "payment"):
        assert metadata[f"{target}_missing"].startswith("the predictions were early ones: ")


def test_the_ui_plots_the_numbers_of_everybody_and_names_what_drifted_most(
    copy: Installation,
) -> None:
    metadata, row = shown(copy, JUDGED), of_all(stored(copy.lake, JUDGED), "churn")
    for name in ("predicted", "happened", "auc", "log_loss", "drift"):
        assert metadata[f"churn_{name}"] == pytest.approx(row[name])
    assert metadata["churn_users"] == row["users"]
    assert "churn_spend" not in metadata  # no amounts are predicted
    named = dict(
        name_and_drift.split(" ") for name_and_drift in metadata["churn_drifted_most"].split(", ")
    )
    card = stored_card("churn", JUDGED, ModelCard, copy.lake)
    assert card is not None
    assert len(named) == 5
    assert set(named) <= set(card.distributions)
    distances = [float(distance) for distance in named.values()]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] == pytest.approx(row["drift"], abs=0.005)


def test_a_second_run_gives_the_same_bytes(copy: Installation) -> None:
    files = [
        table_file("prediction_outcomes", as_of) for as_of in (WITHOUT_MODEL, JUDGED, HALF, LAST)
    ]
    before = [copy.lake.read(file) for file in files]
    assert judge(copy, WITHOUT_MODEL, JUDGED, HALF, LAST).keys() == {
        *(WITHOUT_MODEL, JUDGED, HALF, LAST)
    }
    assert [copy.lake.read(file) for file in files] == before


def test_a_day_alone_gives_what_a_run_of_all_days_gave(copy: Installation) -> None:
    copy.lake.delete([item.name for item in copy.lake.objects("prediction_outcomes")])
    copy.run(JUDGED, assets=("prediction_outcomes",))
    assert list(stored_days("prediction_outcomes", copy.lake)) == [JUDGED]
    expected = finished().lake.read(table_file("prediction_outcomes", JUDGED))
    assert copy.lake.read(table_file("prediction_outcomes", JUDGED)) == expected


def test_logs_that_come_late_but_in_time_change_what_happened(copy: Installation) -> None:
    before = of_all(stored(copy.lake, JUDGED), "churn")
    users = read_predictions(JUDGED, copy.lake)["user_id"].to_pylist()
    active = set(
        pd.concat(activity_of_horizon(copy.lake, JUDGED, 5)).query("activities > 0")["user_id"]
    )
    back = [user for user in users if user not in active][:2]
    arrived = JUDGED + dt.timedelta(days=3)
    lines = [event(n, f"{arrived}T10:00:00Z", user) for n, user in enumerate(back)]
    copy.write_logs(arrived, *lines, name="late.jsonl")
    copy.run(arrived, assets=NEW_LOGS)
    copy.run(JUDGED, assets=("prediction_outcomes",))
    after = of_all(stored(copy.lake, JUDGED), "churn")
    assert len(back) == 2
    assert round((before["happened"] - after["happened"]) * before["users"]) == 2
    assert after["predicted"] == before["predicted"]


def test_what_arrives_after_the_horizon_changes_nothing(copy: Installation) -> None:
    before = copy.lake.read(table_file("prediction_outcomes", JUDGED))
    users = read_predictions(JUDGED, copy.lake)["user_id"].to_pylist()
    dated = JUDGED + dt.timedelta(days=2)
    lines = [event(n, f"{dated}T10:00:00Z", user) for n, user in enumerate(users)]
    copy.write_logs(LAST, *lines, name="too late.jsonl")
    copy.run(LAST, assets=NEW_LOGS)
    judge(copy, JUDGED)
    row = of_all(stored(copy.lake, JUDGED), "churn")
    assert copy.lake.read(table_file("prediction_outcomes", JUDGED)) == before
    assert row["happened"] > 0


@pytest.mark.parametrize("lost", [1, 5])
def test_a_day_of_the_horizon_that_is_gone_does_not_read_as_users_who_left(
    copy: Installation, lost: int
) -> None:
    gone = JUDGED + dt.timedelta(days=lost)
    copy.lake.delete([table_file("user_activity", gone)])
    metadata = shown(copy, JUDGED)
    assert metadata["dagster/partition_row_count"] == 0
    assert stored(copy.lake, JUDGED).empty
    for target in ("churn", "payment"):
        assert metadata[f"{target}_missing"].endswith(f"there is no activity yet of {gone}")


def test_outcomes_are_in_the_results_database_and_replace_those_before(
    copy: Installation,
) -> None:
    with copy.results() as database:
        for as_of in stored_days("prediction_outcomes", copy.lake):
            rows = read_rows(PREDICTION_OUTCOMES, as_of, copy.lake)
            assert read_report(database, PREDICTION_OUTCOMES, as_of).to_pylist() == rows.to_pylist()
        assert read_report(database, PREDICTION_OUTCOMES, JUDGED).num_rows > 2
    copy.lake.delete([table_file("user_activity", LAST)])
    copy.run(JUDGED, assets=("prediction_outcomes",))
    with copy.results() as database:
        report = read_report(database, PREDICTION_OUTCOMES, JUDGED)
        assert set(report["target"].to_pylist()) == {"churn"}


def test_a_range_with_days_that_were_never_predicted_judges_the_others(
    copy: Installation,
) -> None:
    copy.lake.delete([table_file("predictions", HALF)])
    messages = copy.run(JUDGED, HALF, assets=("prediction_outcomes",))
    assert messages == [f"{HALF}: no predictions; materialize predictions first"]
    assert of_all(stored(copy.lake, JUDGED), "churn")["users"] > 100


def with_horizon(installation: Installation, horizon: int) -> Installation:
    """The installation with another horizon of churn."""
    change_game(installation, {"horizons": {"churn": horizon, "payment": 7}})
    return Installation(installation.home)


def test_outcomes_of_a_former_horizon_stay_beside_those_of_other_targets(
    copy: Installation,
) -> None:
    before = stored(copy.lake, JUDGED)
    changed = with_horizon(copy, 3)
    metadata = shown(changed, JUDGED)
    after = stored(copy.lake, JUDGED)
    for target in ("churn", "payment"):
        pd.testing.assert_frame_equal(
            after[after["target"] == target].reset_index(drop=True),
            before[before["target"] == target].reset_index(drop=True),
        )
    assert metadata["churn_missing"] == "the horizon was 5 days when the predictions were made"
    assert metadata["churn_verdict"] == "as_promised"
    with copy.results() as database:
        report = read_report(database, PREDICTION_OUTCOMES, JUDGED)
        assert {*report["target"].to_pylist()} == {"churn", "payment"}
    judge(changed, JUDGED)
    pd.testing.assert_frame_equal(stored(copy.lake, JUDGED), after)


def test_outcomes_that_a_former_horizon_never_had_are_not_made_up(copy: Installation) -> None:
    copy.lake.delete([table_file("prediction_outcomes", JUDGED)])
    outcomes = judge(with_horizon(copy, 3), JUDGED)[JUDGED]
    assert {*outcomes.rows["target"]} == {"payment"}
    assert "churn" in outcomes.missing


def test_outcomes_of_a_target_that_the_game_no_longer_has_stay(copy: Installation) -> None:
    before = stored(copy.lake, JUDGED)
    former = before[before["target"] == "churn"].assign(target="former")
    rows = conform(PREDICTION_OUTCOMES, pd.concat([before, former]))
    store_rows(rows, "prediction_outcomes", JUDGED, copy.lake)
    assert len(judge(copy, JUDGED)[JUDGED].rows) == len(rows)
    assert {*stored(copy.lake, JUDGED)["target"]} == {"churn", "payment", "former"}


def test_outcomes_stay_when_the_card_of_their_model_is_damaged(copy: Installation) -> None:
    before = stored(copy.lake, JUDGED)
    copy.lake.write(f"models/churn/dt={JUDGED}/card.json", b"damaged")
    outcomes = judge(copy, JUDGED)[JUDGED]
    assert f"models/churn/dt={JUDGED}/card.json" in outcomes.missing["churn"]
    assert len(outcomes.rows) == len(before)
