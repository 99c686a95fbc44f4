"""Outcomes: the predictions of a day compared with what happened within their horizon.

Scope: the comparison, the range that a card promised, and the verdict.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ds_assets.core.models.arrays import Floats, Labels
from ds_assets.core.models.card.model_card import DELIVERED, ModelCard
from ds_assets.core.models.data.sufficiency import MIN_VALIDATION_USERS
from ds_assets.core.models.evaluation.metrics import (
    ALL,
    Measure,
    Measures,
    Scores,
    mean_difference,
    mean_of,
    measure,
)
from ds_assets.core.models.learning.spend import compare_spend
from ds_assets.core.tables import PREDICTION_OUTCOMES
from ds_assets.core.targets import Target
from ds_assets.core.user_groups import largest_groups

Verdict = Literal["as_promised", "outside", "useless", "too_few_users"]
_HARDLY_BETTER_THAN_CHANCE = 0.55
"""AUC below which a ranking is useless. A model without any skill has 0.5 and can never be shown to
lie below that, so the limit lies a little above."""


@dataclass(frozen=True)
class ObservedOutcomes:
    """Predictions of a day and the outcomes of the same users, each array of shape (users,).

    Attributes:
        probabilities: Delivered probabilities.
        labels: Outcomes.
        groups: Group of each user, an empty string for none.
        expected_spend: Delivered expected spend; None if none was delivered.
        spend: Observed spend; None if the target has no amount.
    """

    probabilities: Floats
    labels: Labels
    groups: np.ndarray
    expected_spend: Floats | None = None
    spend: Floats | None = None

    def of(self, chosen: np.ndarray) -> "ObservedOutcomes":
        """Select users."""
        expected, spend = self.expected_spend, self.spend
        return ObservedOutcomes(
            self.probabilities[chosen],
            self.labels[chosen],
            self.groups[chosen],
            None if expected is None else expected[chosen],
            None if spend is None else spend[chosen],
        )


@dataclass(frozen=True)
class Promise:
    """Ranges that a card promises for measures: from the lowest to the highest of its folds."""

    auc: Measure
    bias: Measure


def promise(card: ModelCard) -> Promise | None:
    """The ranges that a card promises; None if the model was never validated."""
    measured = [fold.measures for fold in card.folds]
    biases = [measures.bias for measures in measured if measures.bias is not None]
    if not measured or not biases:
        return None
    return Promise(_hull(measures.auc for measures in measured), _hull(biases))


def compare(
    target: Target,
    as_of: dt.date,
    happened: ObservedOutcomes,
    card: ModelCard,
    drift: Mapping[str, float],
    seed: int = 0,
) -> pd.DataFrame:
    """Compare a day's predictions with what happened, for all users and for the largest groups.

    Args:
        target: What was predicted.
        as_of: Day of the predictions.
        happened: Users whose horizon is over, at least one.
        card: Card of the model that predicted.
        drift: Stability index of each feature of the day, the largest first.
        seed: Makes intervals repeatable.

    Returns:
        The columns of `PREDICTION_OUTCOMES`.
    """
    named = sorted(largest_groups(happened.groups))
    chosen = {ALL: happened} | {group: happened.of(happened.groups == group) for group in named}
    promised = promise(card)
    rows = [
        {
            "as_of": as_of,
            "target": target.name,
            "segment": segment,
            # only for all users: the card promises no range for a group
            **_compare_group(part, card, promised if segment == ALL else None, seed),
            "drift": next(iter(drift.values()), None),
        }
        for segment, part in chosen.items()
    ]
    return pd.DataFrame(rows).reindex(columns=PREDICTION_OUTCOMES.names)


def _compare_group(
    part: ObservedOutcomes, card: ModelCard, promised: Promise | None, seed: int
) -> dict[str, object]:
    positives = int(part.labels.sum())
    predicted, share = float(part.probabilities.mean()), float(part.labels.mean())
    row: dict[str, object] = {
        "users": len(part.labels),
        "predicted": predicted,
        "happened": share,
        "predicted_spend": _mean(part.expected_spend),
        "spend": None if part.expected_spend is None else _mean(part.spend),
        "verdict": "too_few_users",
        "spend_verdict": None if part.expected_spend is None else "too_few_users",
    }
    if promised is not None:
        row |= {
            "promised_auc_low": promised.auc.low,
            "promised_auc_high": promised.auc.high,
            "promised_happened_low": float(np.clip(predicted - promised.bias.high, 0, 1)),
            "promised_happened_high": float(np.clip(predicted - promised.bias.low, 0, 1)),
        }
    if min(positives, len(part.labels) - positives) < MIN_VALIDATION_USERS:
        return row
    measures = measure(part.labels, {DELIVERED: Scores(part.probabilities)}, seed)[DELIVERED]
    verdict = _verdict(part, measures, card, promised, seed)
    return row | _values(measures) | _compare_spend(part, seed) | {"verdict": verdict}


def _compare_spend(part: ObservedOutcomes, seed: int) -> dict[str, object]:
    """Columns of the total spend beside the predicted one; none where none was predicted."""
    if part.expected_spend is None or part.spend is None:
        return {}
    comparison = compare_spend(part.expected_spend, part.spend, seed)
    if comparison is None:
        return {"spend_verdict": None}
    ratio = comparison.ratio
    return {
        "spend_ratio": ratio.value,
        "spend_ratio_low": ratio.low,
        "spend_ratio_high": ratio.high,
        "spend_verdict": comparison.verdict,
    }


def _values(measures: Measures) -> dict[str, object]:
    auc, others = measures.auc, ("brier", "log_loss", "ece")
    by_name = {name: getattr(measures, name) for name in others}
    return {"auc": auc.value, "auc_low": auc.low, "auc_high": auc.high} | {
        name: None if measure is None else measure.value for name, measure in by_name.items()
    }


def _verdict(
    part: ObservedOutcomes, measures: Measures, card: ModelCard, promised: Promise | None, seed: int
) -> Verdict:
    """Decide the verdict.

    Useless: it is beyond noise that the ranking is hardly better than chance, or that the
    probabilities are worse than the average share. A few users prove neither. Outside: the interval
    of a measure is worse than the promised range and does not overlap with it.
    """
    usual = np.full(len(part.labels), card.base_rate)
    loss = mean_difference(part.labels, part.probabilities, usual, seed)
    if measures.auc.high < _HARDLY_BETTER_THAN_CHANCE or loss.low > 0:
        return "useless"
    if promised is None:
        return "as_promised"
    bias = mean_of(part.probabilities - part.labels, seed)
    is_unbiased = bias.low <= 0 <= bias.high
    is_worse = measures.auc.high < promised.auc.low or not (
        is_unbiased or promised.bias.overlaps(bias)
    )
    return "outside" if is_worse else "as_promised"


def _hull(measures: Iterable[Measure]) -> Measure:
    listed = list(measures)
    return Measure(
        value=listed[0].value,
        low=min(measure.low for measure in listed),
        high=max(measure.high for measure in listed),
    )


def _mean(values: Floats | None) -> float | None:
    return None if values is None else float(values.mean())
