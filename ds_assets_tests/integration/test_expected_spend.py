"""Spend at several horizons: in the whole graph, delivered, and from every source of answers."""

import asyncio
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ds_assets.core.checksum import checksum
from ds_assets.core.models.card.metrics_table import SPEND_PREFIX
from ds_assets.core.tables import MODEL_METRICS, PREDICTION_OUTCOMES
from ds_assets.infra.lake.tables import read_predictions, read_rows, stored_target_predictions
from ds_assets_tests.assets.factories import (
    LAST,
    QUICK,
    START,
    Installation,
    change_game,
    day,
    make_played,
)
from ds_assets_tests.conftest import shared_folder
from ds_assets_tests.integration.test_custom_targets import (
    answers_of,
    card_of,
    predict,
    predict_again,
    read_reports,
    target_rows,
)

pytestmark = pytest.mark.slow

HORIZONS = {"spend_5": 5, "spend_60": 60}
"""One that matures within the game, and one that does not."""
BEFORE = day(24)
SPEND = ["expected_spend", "expected_spend_low", "expected_spend_high"]


@cache
def played() -> Installation:
    """A game with expected spend in two horizons, predicted on two days."""
    home = shared_folder() / "expected_spend"
    horizons = QUICK["horizons"] | {"spend": sorted(HORIZONS.values())}
    installation, _ = make_played(home, {"horizons": horizons}, users=600, days=32, seed=5)
    installation.run(START, LAST, ["raw_logs", "user_activity", "user_lifetimes", "user_features"])
    for predicted in (BEFORE, LAST):
        predict(installation, predicted)
    installation.run(BEFORE, assets=["prediction_outcomes"])
    return installation


def spend_rows(installation: Installation, target: str) -> pd.DataFrame:
    rows = target_rows(installation, LAST)
    return rows[rows["target"] == target].set_index("user_id")


def test_each_active_user_has_expected_spend_in_its_interval() -> None:
    rows = spend_rows(played(), "spend_5")
    predictions = read_predictions(LAST, played().lake).to_pandas()
    assert sorted(rows.index) == sorted(predictions["user_id"])
    assert set(rows["model"]) == {card_of(played(), "spend_5", LAST).version}
    assert (rows["expected_spend"] >= 0).all()
    assert (rows["expected_spend_low"] <= rows["expected_spend_high"]).all()
    assert (rows["expected_spend_low"][rows["probability"] < 0.9] == 0).all()
    assert rows["expected_spend"].nunique() > 20


def test_expected_spend_is_like_that_of_the_payment_horizon() -> None:
    rows = spend_rows(played(), "spend_5")
    payment = read_predictions(LAST, played().lake).to_pandas().set_index("user_id")
    both = pd.DataFrame({"own": rows["expected_spend"], "payment": payment["expected_spend"]})
    assert both["own"].corr(both["payment"], method="spearman") > 0.7


def test_a_horizon_without_matured_labels_has_early_predictions_and_says_what_is_missing() -> None:
    rows, sooner = (spend_rows(played(), name) for name in ("spend_60", "spend_5"))
    card = card_of(played(), "spend_60", LAST)
    assert card.early is not None
    assert set(rows["missing"]) == {card.missing}
    assert set(rows["model"]) == {card.early.version}
    assert rows["reasons"].isna().all()
    assert (rows["expected_spend_low"] <= rows["expected_spend_high"]).all()
    assert rows["expected_spend"].sum() > 2 * sooner["expected_spend"].sum()


def test_rows_are_delivered_with_the_predictions_of_the_day() -> None:
    stored = stored_target_predictions(LAST, played().lake).to_table()
    with played().results() as database:
        assert checksum(database.target_predictions(LAST)) == checksum(stored)


def test_answers_say_the_same_from_the_table_the_cache_and_the_live_model(tmp_path: Path) -> None:
    installation = played().copy(tmp_path)
    rows = spend_rows(installation, "spend_5")
    users = sorted(rows.index)[:100]
    answers = asyncio.run(answers_of(installation, users))
    for source, source_answers in answers.items():
        assert source_answers == answers["table"], source
    for user, answer in answers["table"].items():
        assert set(answer["targets"]) == set(HORIZONS)
        for name in SPEND:
            assert answer["targets"]["spend_5"][name] == rows.loc[user, name]
            assert answer["targets"]["spend_60"][name] is not None


def test_unknown_users_get_the_mean(tmp_path: Path) -> None:
    installation = played().copy(tmp_path)
    with installation.installed.results() as database:
        defaults = database.defaults().to_pylist()[0]["targets"]
    by_target = {target["target"]: target for target in defaults}
    mean = spend_rows(installation, "spend_5")["expected_spend"].mean()
    assert by_target["spend_5"]["expected_spend"] == pytest.approx(mean)
    assert by_target["spend_5"]["expected_spend_high"] is None


def test_what_was_spent_is_compared_with_what_was_expected() -> None:
    outcomes = read_rows(PREDICTION_OUTCOMES, BEFORE, played().lake).to_pandas()
    own = outcomes[(outcomes["target"] == "spend_5") & (outcomes["segment"] == "all")]
    expected = target_rows(played(), BEFORE)
    mean = expected[expected["target"] == "spend_5"]["expected_spend"].mean()
    assert own["predicted_spend"].item() == pytest.approx(mean)
    assert own["spend"].sum() > 0


def test_card_and_metrics_measure_spend() -> None:
    card = card_of(played(), "spend_5", LAST)
    assert card.spend is not None
    assert card.spend.measures is not None
    metrics = read_reports(played(), MODEL_METRICS.name)
    own = metrics[(metrics["target"] == "spend_5") & (metrics["as_of"] == str(LAST))]
    values = own.set_index("measure")["value"]
    assert values[f"{SPEND_PREFIX}gini"] == card.spend.measures.gini.value
    assert np.isfinite(values[f"{SPEND_PREFIX}total_ratio"])


def test_another_horizon_changes_no_stored_day_and_no_other_target(tmp_path: Path) -> None:
    before = checksum(stored_target_predictions(BEFORE, played().lake).to_table())
    rows = target_rows(played(), LAST)
    horizons = {"horizons": QUICK["horizons"] | {"spend": [3, 5]}}
    installation = Installation(change_game(played().copy(tmp_path), horizons).home)
    predict_again(installation, LAST)
    assert checksum(stored_target_predictions(BEFORE, installation.lake).to_table()) == before
    again = target_rows(installation, LAST)
    assert set(again["target"]) == {"spend_3", "spend_5"}
    kept, own = (it[it["target"] == "spend_5"].reset_index(drop=True) for it in (again, rows))
    pd.testing.assert_frame_equal(kept, own)
