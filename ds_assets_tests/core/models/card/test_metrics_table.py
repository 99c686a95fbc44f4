import datetime as dt

import pandas as pd
import pytest

from ds_assets.core.contracts import conform
from ds_assets.core.models.card.metrics_table import metrics_of
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.models.evaluation.metrics import Measures
from ds_assets.core.models.evaluation.spend_measures import SpendMeasures
from ds_assets.core.tables import MODEL_METRICS
from ds_assets_tests.core.models.card_factories import (
    DAY,
    make_card,
    make_full_card,
    make_lacking_card,
)

RANKING = {"auc", "pr_auc", "lift_1", "lift_5", "lift_10"}
ALL_MEASURES = set(Measures.model_fields)
SPEND_MEASURES = {f"spend_{name}" for name in SpendMeasures.model_fields}


def measures(rows: pd.DataFrame, contender: str, segment: str) -> set[str]:
    chosen = (rows["contender"] == contender) & (rows["segment"] == segment)
    return set(rows["measure"][chosen])


def one_row(
    rows: pd.DataFrame, contender: str, segment: str, snapshot: dt.date, measure: str
) -> pd.Series:
    (row,) = (
        row
        for _, row in rows.iterrows()
        if (row["contender"], row["segment"], row["snapshot"], row["measure"])
        == (contender, segment, snapshot, measure)
    )
    return row


def test_each_contender_of_each_fold_has_a_row_for_each_measure() -> None:
    rows = metrics_of([make_full_card()])
    assert measures(rows, "delivered", "all") == ALL_MEASURES | SPEND_MEASURES
    for contender in ("global", "champion", "logistic_regression"):
        assert measures(rows, contender, "all") == ALL_MEASURES
    assert measures(rows, "recency", "all") == RANKING
    of_all = rows[rows["segment"] == "all"]
    assert set(of_all["snapshot"]) == {DAY - dt.timedelta(days=14), DAY - dt.timedelta(days=21)}
    assert len(of_all) == 2 * (4 * len(ALL_MEASURES) + len(RANKING)) + len(SPEND_MEASURES)


def test_users_apart_have_rows_of_the_delivered_model() -> None:
    rows = metrics_of([make_full_card()])
    for segment in ("first_week", "country=KR"):
        assert measures(rows, "delivered", segment) == ALL_MEASURES
        assert set(rows["contender"][rows["segment"] == segment]) == {"delivered"}
    assert "country=US" not in set(rows["segment"])  # too few to validate


def test_numbers_are_those_of_the_card() -> None:
    card = make_full_card()
    rows = metrics_of([card])
    fold = card.folds[1]
    row = one_row(rows, "recency", "all", fold.snapshot, "auc")
    recency = fold.contenders["recency"].auc
    assert (row["value"], row["low"], row["high"]) == (recency.value, recency.low, recency.high)
    assert (row["users"], row["positives"]) == (fold.users, fold.positives)
    assert (row["as_of"], row["target"]) == (DAY, "payment")
    week = card.first_week
    assert week is not None
    new = one_row(rows, "delivered", "first_week", week.snapshot, "brier")
    assert (new["users"], new["positives"]) == (week.users, week.positives)
    own = one_row(rows, "delivered", "country=KR", card.groups[0].snapshot, "auc")
    assert (own["users"], own["value"]) == (410, 0.81)


def test_measures_of_spend_are_of_the_snapshot_that_they_were_measured_on() -> None:
    card = make_full_card()
    rows = metrics_of([card])
    own = rows[rows["measure"].isin(SPEND_MEASURES)]
    assert card.spend is not None
    assert set(own["snapshot"]) == {card.spend.snapshot}
    gini = one_row(rows, "delivered", "all", card.folds[0].snapshot, "spend_gini")
    assert (gini["value"], gini["users"]) == (0.66, card.folds[0].users)
    for missing in ({"measures": None}, {"snapshot": DAY}):
        other = card.model_copy(update={"spend": card.spend.model_copy(update=missing)})
        assert not set(metrics_of([other])["measure"]) & SPEND_MEASURES


@pytest.mark.parametrize(
    "cards",
    [
        [make_full_card()],
        [make_full_card(), make_card(), make_lacking_card(target="payment")],
        [make_lacking_card()],
        [],
    ],
)
def test_rows_keep_the_contract_and_its_key(cards: list[ModelCard]) -> None:
    rows = metrics_of(cards)
    assert list(rows) == MODEL_METRICS.names
    table = conform(MODEL_METRICS, rows)
    assert table.num_rows == len(rows)
    assert not rows.duplicated(list(MODEL_METRICS.key)).any()


def test_a_card_without_a_model_has_no_rows() -> None:
    assert metrics_of([make_lacking_card()]).empty
    assert len(metrics_of([make_lacking_card(), make_card()])) == len(ALL_MEASURES)


def test_cards_of_both_targets_lie_side_by_side() -> None:
    rows = metrics_of([make_card(), make_full_card()])
    assert set(rows["target"]) == {"churn", "payment"}
