"""The early model of a day, and how good that of an earlier day was since then.

Scope: the procedure, from the features of two days to the card. Outcomes of the days between them
come from the features of the later one, so that no label has to mature.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ds_assets.core.encoding import USER_ID
from ds_assets.core.models.arrays import Floats, Labels
from ds_assets.core.models.data.sufficiency import MIN_VALIDATION_USERS
from ds_assets.core.models.evaluation.baselines import recency_scores
from ds_assets.core.models.evaluation.metrics import Scores, measure
from ds_assets.core.models.learning.early_model import (
    EARLY,
    FEATURES,
    MIN_DAYS,
    EarlyCard,
    EarlyCheck,
    find_early_shortfall,
    fit_early,
    is_of_purchases,
    predict_early,
)
from ds_assets.core.targets import Target


@dataclass(frozen=True)
class EarlyData:
    """What an early model is made from.

    Attributes:
        features: Features of the day; None where none are stored.
        logged_days: Days of logs up to and with the day.
        earlier: Features of the day on which its check begins; None where none are stored.
        check_horizon: Open days since then.
    """

    features: pd.DataFrame | None
    logged_days: int
    earlier: pd.DataFrame | None
    check_horizon: int


def choose_check_horizon(target: Target, logged_days: int) -> int:
    """Length of the check: the horizon, or as much of it as early models could predict; 0 for none.

    Users who were active in the time checked are active users of the day.
    """
    return max(0, min(target.horizon, target.active_days, logged_days - MIN_DAYS))


def make_early(target: Target, data: EarlyData, seed: int = 0) -> EarlyCard | str:
    """Fit and check the early model of a day; words that say what is missing if there is none."""
    shortfall = find_early_shortfall(target, data.features, data.logged_days)
    if shortfall is not None or data.features is None:
        return shortfall or ""
    card = fit_early(target, data.features)
    return card.model_copy(update={"check": _check(target, data, seed)})


def early_contender(target: Target, features: pd.DataFrame) -> dict[str, Floats]:
    """Probabilities of the early model of a day for its users, as a contender; none without one."""
    if not target.may_be_early or not set(FEATURES).issubset(features.columns):
        return {}
    if find_early_shortfall(target, features, MIN_DAYS):
        return {}
    card = fit_early(target, features)
    predicted = predict_early(card, target.horizon, features).probabilities
    return {EARLY: predicted} if np.isfinite(predicted).all() else {}


def _check(target: Target, data: EarlyData, seed: int) -> EarlyCheck | None:
    """Measure the early model of the earlier day; None if there was none, or too few outcomes."""
    earlier, horizon = data.earlier, data.check_horizon
    if not horizon or earlier is None or data.features is None:
        return None
    if find_early_shortfall(target, earlier, data.logged_days - horizon):
        return None
    labels = _label(target, earlier, data.features, horizon)
    if min(labels.sum(), (~labels).sum()) < MIN_VALIDATION_USERS:
        return None
    predicted = predict_early(fit_early(target, earlier), horizon, earlier).probabilities
    usable = np.isfinite(predicted)
    scores = {
        EARLY: Scores(predicted[usable]),
        "recency": Scores(recency_scores(target, earlier)[usable], are_probabilities=False),
    }
    return EarlyCheck(
        horizon=horizon,
        users=len(labels),
        positives=int(labels.sum()),
        contenders=measure(labels[usable], scores, seed),
    )


def _label(target: Target, earlier: pd.DataFrame, later: pd.DataFrame, days: int) -> Labels:
    """Outcomes of the earlier day's users within the days up to the later one, shape (users,)."""
    kind = "purchase" if is_of_purchases(target) else "active"
    since = later.set_index(USER_ID)[f"lifetime_days_since_{kind}"]
    ago = since.reindex(earlier[USER_ID]).to_numpy(np.float64, na_value=np.inf)
    happened = ago < days
    return ~happened if target.label.is_negated else happened
