"""Cards as training makes them, without training."""

import datetime as dt
from typing import Any

from ds_assets.core.cards import library_versions
from ds_assets.core.encoding import fit_encoding
from ds_assets.core.models.card.model_card import (
    CalibrationCard,
    Decision,
    Evaluation,
    GroupCard,
    ModelCard,
    Segment,
    TrainingWindow,
)
from ds_assets.core.models.evaluation.metrics import Measure, Measures
from ds_assets.core.models.evaluation.spend_measures import SpendMeasures
from ds_assets.core.models.evaluation.survival_measures import SurvivalCheck, SurvivalPoint
from ds_assets.core.models.evaluation.validation_curves import ReliabilityBin, ValidationCurves
from ds_assets.core.models.learning.calibration import Calibration
from ds_assets.core.models.learning.spend import SpendCard
from ds_assets.core.models.learning.spread import Spread
from ds_assets.core.models.learning.survival import Hazard, SurvivalCard, SurvivalCurve
from ds_assets_tests.core.factories import make_features

DAY = dt.date(2024, 5, 1)


def make_measure(value: float = 0.75, width: float = 0.1) -> Measure:
    return Measure(value=value, low=value - width / 2, high=value + width / 2)


def make_measures(auc: float = 0.75, bias: float | None = 0.01) -> Measures:
    """Of a model, or of a rule that only ranks."""
    ranking = ("pr_auc", "lift_1", "lift_5", "lift_10")
    sigmoid = () if bias is None else ("log_loss", "brier", "ece")
    measures = {name: make_measure(0.3) for name in (*ranking, *sigmoid)}
    if bias is not None:
        measures["bias"] = make_measure(bias, 0.04)
        measures["total_ratio"] = make_measure(1 + 2 * bias, 0.08)
    return Measures(auc=make_measure(auc), **measures)


def make_curves() -> ValidationCurves:
    """Of a model that is better than recency, for 1,100 users of which 330 are positive."""
    bins = [
        ReliabilityBin(users=110, predicted=chance, observed=chance, low=chance / 2, high=1.0)
        for chance in (0.01, 0.1, 0.2, 0.5, 0.7)
    ]
    return ValidationCurves(
        reliability=tuple(bins),
        top_shares=(0.0, 0.1, 0.5, 1.0),
        gains={"delivered": (0.0, 0.29, 0.8, 1.0), "recency": (0.0, 0.2, 0.6, 1.0)},
        score_users=(700, 300, 100),
        score_positives=(50, 200, 80),
    )


def make_evaluation(weeks_before: int = 0, **contenders: Measures) -> Evaluation:
    day = DAY - dt.timedelta(weeks=2 + weeks_before)
    return Evaluation(
        snapshot=day,
        trained_on=(day - dt.timedelta(days=14),),
        users=1_100,
        positives=330,
        contenders={"delivered": make_measures(), **contenders},
        curves=make_curves() if contenders else None,
    )


def make_card(**changes: Any) -> ModelCard:
    facts: dict[str, Any] = {
        "target": "churn",
        "state": "ready",
        "reasons": (),
        "version": "0123456789ab",
        "as_of": DAY,
        "horizon": 14,
        "user_groups": "none",
        "trained": DAY,
        "encoding": fit_encoding([make_features(20)]),
        "snapshots": (DAY - dt.timedelta(days=28), DAY - dt.timedelta(days=14)),
        "missing_snapshots": (DAY - dt.timedelta(days=7),),
        "rows": 2_100,
        "positives": 630,
        "base_rate": 0.3,
        "folds": (make_evaluation(),),
        "libraries": library_versions(),
        "seed": 0,
        "hyper_parameters": {"learning_rate": 0.05, "num_iterations": 120},
        "data_fingerprint": "f" * 64,
        "onnx_sha256": "a" * 64,
    }
    return ModelCard(**facts | changes)


def make_group_card(group: str = "country=KR", **changes: Any) -> GroupCard:
    facts: dict[str, Any] = {
        "group": group,
        "snapshot": DAY - dt.timedelta(days=14),
        "users": 410,
        "positives": 120,
        "model": "group",
        "reason": "its own model is better",
        "difference": make_measure(-0.2),
        "measures": make_measures(0.81),
        "file": "group_1.onnx",
    }
    return GroupCard(**facts | changes)


def make_survival(**changes: Any) -> SurvivalCard:
    facts: dict[str, Any] = {
        "curve": SurvivalCurve(
            step_days=7.0,
            steps=5,
            knot=-1.05,
            hazards=(
                Hazard(first_step=1, level=-1.31, slope_below=0.82, slope_above=0.41),
                Hazard(first_step=2, level=-1.64, slope_below=0.73, slope_above=0.36),
            ),
        ),
        "rows": 2_345,
        "leavers": 678,
        "mean": (0.7, 0.63, 0.58, 0.54, 0.51, 0.48, 0.46, 0.44, 0.42, 0.41, 0.4),
        "typical": (0.03, 0.19, 0.66),
        "check": SurvivalCheck(
            snapshot=DAY - dt.timedelta(days=28),
            users=1_098,
            points=(
                SurvivalPoint(days=0, predicted=0.712, observed=0.698),
                SurvivalPoint(days=7, predicted=0.651, observed=0.639),
            ),
            brier=0.143,
            concordance=0.791,
            recency_concordance=0.664,
        ),
    }
    return SurvivalCard(**facts | changes)


def make_full_card(**changes: Any) -> ModelCard:
    """A card of everything that there can be."""
    rule, model = make_measures(0.66, bias=None), make_measures(0.7)
    others = {"global": model, "champion": model, "logistic_regression": model, "recency": rule}
    few = {"model": "global", "difference": None, "measures": None, "file": None}
    week = Segment(
        snapshot=DAY - dt.timedelta(days=14), users=87, positives=40, measures=make_measures(0.62)
    )
    return make_card(
        target="payment",
        user_groups="country",
        twin_trained=DAY - dt.timedelta(days=14),
        folds=(
            make_evaluation(0, **others),
            make_evaluation(1, **others),
        ),
        first_week=week,
        memory=TrainingWindow(snapshots=4, differences={4: make_measure(-0.1, 0.02)}),
        groups=(
            make_group_card(),
            make_group_card("country=US", reason="too few users of each outcome", **few),
        ),
        calibration=CalibrationCard(
            line=Calibration(slope=0.9, intercept=0.2),
            gain=make_measure(-0.1),
            reason="the mean follows the latest snapshots",
        ),
        decision=Decision(
            kept="challenger", champion="ba9876543210", difference=make_measure(-0.3), reason="new"
        ),
        spend=SpendCard(
            payers=731,
            cap=1_234.5,
            factor=1.1,
            spread=Spread(quantiles=(0.2, 3.25), tail_index=2.5),
            snapshot=DAY - dt.timedelta(days=14),
            predicted=4.56,
            happened=make_measure(4.7, 0.5),
            top_share=0.77,
            measures=SpendMeasures(
                gini=make_measure(0.66),
                decile_error=make_measure(0.08),
                top_share=make_measure(0.77),
                best_top_share=make_measure(0.9),
                total_ratio=make_measure(0.97),
                coverage=make_measure(0.81),
            ),
        ),
        survival=make_survival(),
        importance={"last_seen": 0.61, "purchases": 0.25, "country": 0.0},
        drifts={DAY - dt.timedelta(days=1): {"a": 0.2}, DAY: {"spend_7d": 0.412, "a": 0.1}},
        **changes,
    )


def make_lacking_card(**changes: Any) -> ModelCard:
    """A card without a model."""
    facts: dict[str, Any] = {
        "state": "not_enough_data",
        "reasons": ("41 users who left, 50 are needed", "9 users who stayed, 20 are needed"),
        "enough_on": dt.date(2024, 6, 5),
        "folds": (),
        "onnx_sha256": None,
    }
    return make_card(**facts | changes)
