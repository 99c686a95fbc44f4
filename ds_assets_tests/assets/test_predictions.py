"""The stored predictions of a day: numbers, groups, reasons, or words for what is missing."""

import datetime as dt
import json

import dagster as dg
import pandas as pd
import pytest

from ds_assets.assets import predictions
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.prediction_json import OPTIONAL
from ds_assets.core.tables import PREDICTIONS
from ds_assets.core.targets import BUILT_IN, EARLY_VERSION
from ds_assets.infra.lake.models import stored_card
from ds_assets.infra.lake.tables import read_predictions
from ds_assets_tests.assets.factories import LAST, START, day, finished

pytestmark = pytest.mark.slow


def rows(of: dt.date) -> pd.DataFrame:
    predictions: pd.DataFrame = read_predictions(of, finished().lake).to_pandas()
    return predictions


def test_a_day_with_models_says_everything_of_every_user() -> None:
    predictions = rows(LAST)
    assert list(predictions.columns) == PREDICTIONS.names
    assert predictions["user_id"].is_unique
    before = ["churn_missing", "payment_missing", *OPTIONAL]
    columns = [name for name in PREDICTIONS.names if name not in {*before, "days_left"}]
    assert predictions[columns].notna().all(axis=None)
    assert predictions[before].isna().all(axis=None)
    for target in BUILT_IN:
        assert predictions[target.probability_column].between(0, 1).all()
        assert predictions[target.probability_column].nunique() > 20


def test_users_who_have_more_likely_left_have_no_days_left_and_others_some_as_far_as_is_known() -> (
    None
):
    predictions = rows(LAST)
    has_left = predictions["churn_probability"] >= 0.5
    assert (predictions["days_left"][has_left] == 0).all()
    assert (predictions["days_left"][~has_left].dropna() > 0).all()
    assert predictions["days_left"][~has_left].nunique() > 10
    assert rows(day(9))["days_left"].isna().all()


def test_before_the_first_model_every_user_has_early_predictions() -> None:
    predictions = rows(day(9))
    for target in BUILT_IN:
        assert predictions[target.probability_column].between(0, 1).all()
        low, high = predictions[target.low_column], predictions[target.high_column]
        assert (low <= predictions[target.probability_column]).all()
        assert (predictions[target.probability_column] <= high).all()
        assert predictions[target.missing_column].str.startswith("not enough data").all()
        assert predictions[target.model_column].str.startswith(EARLY_VERSION).all()
        assert predictions[target.reasons_column].isna().all()
    assert (predictions["expected_spend"] > 0).all()


def test_a_group_is_the_users_cluster() -> None:
    predictions = rows(LAST)
    assert set(predictions["user_group"]) == {
        f"cluster={cluster}" for cluster in predictions["cluster"]
    }
    assert (predictions["user_group"] == "cluster=" + predictions["cluster"].astype(str)).all()


def test_each_chance_has_its_reasons_in_words_the_strongest_first() -> None:
    predictions = rows(LAST)
    for target in BUILT_IN:
        parsed_reasons = [json.loads(text) for text in predictions[target.reasons_column]]
        assert {len(reasons) for reasons in parsed_reasons} <= {1, 2, 3}
        for reasons in parsed_reasons:
            assert all(set(reason) == {"code", "effect", "values", "words"} for reason in reasons)
            effects = [abs(reason["effect"]) for reason in reasons]
            assert effects == sorted(effects, reverse=True)
        assert predictions[target.reasons_column].nunique() > 20


def test_expected_spend_is_never_negative_and_grows_with_the_chance_to_pay() -> None:
    predictions = rows(LAST)
    assert (predictions["expected_spend"] >= 0).all()
    likely = predictions["payment_probability"] > predictions["payment_probability"].median()
    spend = predictions.groupby(likely)["expected_spend"].mean()
    assert spend[True] > spend[False]


def test_a_day_without_models_has_no_numbers_and_says_what_is_missing_and_until_when() -> None:
    predictions = rows(START)
    for target in BUILT_IN:
        card = stored_card(target.name, START, ModelCard, finished().lake)
        assert card is not None
        assert predictions[target.missing_column].unique().tolist() == [card.missing]
        assert card.missing.startswith("not enough data: 0 matured snapshots")
        assert f"expected on {card.enough_on}" in card.missing
        for column in ("probability", "reasons", "model"):
            assert predictions[f"{target.name}_{column}"].isna().all()
    assert predictions["expected_spend"].isna().all()


def test_too_few_payers_for_amounts_give_no_expected_spend_and_leave_the_rest() -> None:
    predictions = rows(day(24))
    card = stored_card("payment", day(24), ModelCard, finished().lake)
    assert card is not None
    assert card.spend is None
    assert predictions["expected_spend"].isna().all()
    assert predictions["payment_probability"].notna().all()


def test_the_page_shows_rows_and_the_payers_at_risk() -> None:
    installation = finished()
    page = predictions._metadata(LAST, installation.lake, installation.game, previewed=True)
    at_risk, first = page["payers_at_risk"], page["first_rows"]
    assert isinstance(at_risk, dg.TableMetadataValue)
    assert isinstance(first, dg.TableMetadataValue)
    assert len(at_risk.records) == len(first.records) == predictions.ROWS_SHOWN
    by_user = rows(LAST).set_index("user_id")["churn_probability"]
    risks = [by_user[str(record.data["user"])] for record in at_risk.records]
    assert risks == sorted(risks, reverse=True)
    for target in BUILT_IN:
        mean = page[f"mean_{target.probability_column}"]
        assert mean == pytest.approx(rows(LAST)[target.probability_column].mean(), abs=1e-4)
    later = predictions._metadata(LAST, installation.lake, installation.game, previewed=False)
    assert set(page) - set(later) == {"payers_at_risk", "first_rows"}
