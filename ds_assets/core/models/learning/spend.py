"""What a user will spend, given a purchase: boosted trees on the logarithm of payers' spend.

Scope: expected amounts and their level, their validation, and comparing totals. How single payers
differ from what is expected of them is in `spread.py`.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats, Matrix
from ds_assets.core.models.data.training_rows import Rows
from ds_assets.core.models.evaluation.metrics import Measure, mean_of
from ds_assets.core.models.evaluation.spend_measures import SpendMeasures, measure_spend
from ds_assets.core.models.learning.calibration import recency_weights
from ds_assets.core.models.learning.learner import FittedRegressor, fit_regressor
from ds_assets.core.models.learning.spread import Spread, fit_spread

LARGEST = 0.99
"""Quantile of the payers' spend up to which the trees are fitted to every amount as it is."""
FENCE = 6.0
"""They are so, too, up to this many interquartile ranges above the third quartile of logarithms:
twice as far as the outer fence (Tukey, Exploratory Data Analysis, 1977), where single payers would
decide what is expected of their neighbours."""
TAIL_PAYERS = 100
"""For how many observed payers in the tail the Pareto distribution counts in its mean."""
MIN_PAYERS = 50
"""Least number of rows with spend: fewer cannot fill two leaves of 20 rows."""
MAX_BEYOND = 1.0
"""Most that is spent beyond the threshold of the tail, in multiples of what is spent up to it: with
more, a handful of purchases would decide the total."""
SpendVerdict = Literal["as_predicted", "more_than_predicted", "less_than_predicted"]


class SpendComparison(BaseModel):
    """The total spend of users beside the predicted one.

    Attributes:
        ratio: Observed total divided by the predicted one, with its interval.
        verdict: Whether they differ beyond noise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ratio: Measure
    verdict: SpendVerdict


class SpendCard(BaseModel):
    """Description of the model of amounts.

    Attributes:
        payers: Training rows with a purchase.
        cap: Amount beyond which the trees are not fitted to the exact amount, in the unit of the
            reports. In cards of earlier versions it was the 99 % quantile.
        above_cap: Share of the training rows' spend above the cap in cards of earlier versions,
            whose factor was divided by the rest; None since then.
        factor: Factor on the trees' amounts, with which they add up to the spend of the payers of
            the latest snapshots; in cards of version 0.1.0, of the validation snapshots.
        spread: How single payers differ from the amounts; None in cards of earlier versions.
        snapshot: The validation snapshot; None in cards of earlier versions.
        predicted: Mean expected spend of the users of the validation snapshot, by the model that is
            validated there.
        happened: Their mean spend.
        top_share: Share of that spend by the tenth of users with the highest expected spend.
        comparison: Their total spend beside the predicted one; None in cards of version 0.1.0,
            whose factor left the spend above the cap out and was taken from the same snapshot, and
            where nothing was predicted.
        measures: How well expected spend and intervals agree with that spend; None in cards of
            earlier versions, and where nothing was spent or predicted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    payers: int
    cap: float
    above_cap: float | None = None
    factor: float
    spread: Spread | None = None
    snapshot: dt.date | None = None
    predicted: float
    happened: Measure
    top_share: float
    comparison: SpendComparison | None = None
    measures: SpendMeasures | None = None


@dataclass(frozen=True)
class FittedAmounts:
    """Trees for the logarithm of 1 + spend of users who paid.

    Attributes:
        trees: The trees.
        payers: Rows that they were fitted to.
        cap: Amount beyond which the exact amount did not count.
        factor: Factor on the trees' amounts, with which they follow the latest snapshots.
        spread: How payers differ from the amounts with the factor.
    """

    trees: FittedRegressor
    payers: int
    cap: float
    factor: float
    spread: Spread

    def amounts(self, matrix: Matrix) -> Floats:
        """Expected spend of each row, if it pays, shape (rows,)."""
        return amounts_of(self.trees.values(matrix), self.factor)

    @property
    def facts(self) -> dict[str, Any]:
        """What a card says of them."""
        return {name: getattr(self, name) for name in ("payers", "cap", "factor", "spread")}


def amounts_of(logarithms: Floats, factor: float) -> Floats:
    """Turn the trees' logarithms into amounts, shape (rows,)."""
    return factor * np.maximum(np.expm1(logarithms), 0.0)


def fit_amounts(rows: Rows, seed: int) -> FittedAmounts | None:
    """Learn amounts from rows with spend; None if there are too few.

    Means of logarithms lie below the logarithms of means. A factor, the same for all payers,
    corrects that (Duan, Smearing Estimate, 1983).

    Args:
        rows: Rows with labels of a purchase, and spend.
        seed: Makes training repeatable.
    """
    if rows.spend is None or np.count_nonzero(rows.spend > 0) < MIN_PAYERS:
        return None
    paid = rows.chosen(rows.labels)  # purchases without an amount, too: the probability has them
    spend = _positive_spend(paid)
    logarithms = np.log1p(spend)
    cap = _find_cap(logarithms)
    trees = fit_regressor(paid.matrix, np.minimum(logarithms, cap), seed)
    amounts = amounts_of(trees.values(paid.matrix), 1.0)
    spread = fit_spread(spend, amounts)
    usual = fit_factor(spend, amounts, spread, np.ones(len(spend)))
    factor = fit_factor(spend, amounts, spread, recency_weights(paid.ages))
    return FittedAmounts(trees, len(spend), float(np.expm1(cap)), factor, spread.divided(usual))


def _positive_spend(rows: Rows) -> Floats:
    """Spend, 0 where refunds took back more than was paid, shape (rows,)."""
    return np.zeros(len(rows.labels)) if rows.spend is None else np.maximum(rows.spend, 0.0)


def _find_cap(logarithms: Floats) -> float:
    """Logarithm beyond which single payers would decide what trees learn."""
    lower, upper, largest = np.quantile(logarithms, (0.25, 0.75, LARGEST))
    return float(max(largest, upper + FENCE * (upper - lower)))


def fit_factor(spend: Floats, amounts: Floats, spread: Spread, weights: Floats) -> float:
    """Factor on the trees' amounts that makes their total the whole spend of payers.

    Up to the threshold of the tail the weights count, so that the factor follows the latest
    snapshots as the level of probabilities does. How much is spent beyond it takes many payers to
    know, so it comes from all rows equally: from the Pareto tail where few payers are beyond it,
    and more and more from what they spent where they are many.

    Args:
        spend: Spend of payers, at least 0, shape (payers,).
        amounts: The trees' amounts, shape (payers,).
        spread: How the spend differs from these amounts.
        weights: Weight of each payer, shape (payers,).
    """
    bounds = spread.threshold * amounts
    within = float(weights @ np.minimum(spend, bounds)) / float(weights @ amounts)
    is_in_tail = spend > bounds
    observed = float((spend - bounds)[is_in_tail].sum() / amounts.sum())
    expected = float(amounts[is_in_tail].sum() / amounts.sum()) * spread.mean_excess
    payers = np.count_nonzero(is_in_tail)
    beyond = (payers * observed + TAIL_PAYERS * expected) / (payers + TAIL_PAYERS)
    return within + min(beyond, MAX_BEYOND * within)


def compare_spend(expected: Floats, spend: Floats, seed: int) -> SpendComparison | None:
    """Compare the total spend of users with the predicted one; None if none was predicted.

    Args:
        expected: Expected spend of each user, shape (users,).
        spend: Their spend, shape (users,).
        seed: Makes the interval repeatable.
    """
    predicted = float(expected.mean())
    if predicted <= 0.0:
        return None
    excess = mean_of(spend - expected, seed)
    ratio = Measure(
        value=1.0 + excess.value / predicted,
        low=1.0 + excess.low / predicted,
        high=1.0 + excess.high / predicted,
    )
    if ratio.low > 1.0:
        return SpendComparison(ratio=ratio, verdict="more_than_predicted")
    if ratio.high < 1.0:
        return SpendComparison(ratio=ratio, verdict="less_than_predicted")
    return SpendComparison(ratio=ratio, verdict="as_predicted")


def validate_amounts(
    fitted: FittedAmounts, validation: Rows, probabilities: Floats, seed: int
) -> SpendCard:
    """Measure amounts on a later snapshot than they were learnt from.

    Args:
        fitted: The model of amounts.
        validation: Rows with spend of a validation snapshot.
        probabilities: Probability that each of them pays, shape (rows,).
        seed: Makes the intervals repeatable.
    """
    spend = np.zeros(len(probabilities)) if validation.spend is None else validation.spend
    amounts = validation.predict(fitted.amounts)
    expected = probabilities * amounts
    measures = measure_spend(expected, spend, fitted.spread.interval(probabilities, amounts), seed)
    return SpendCard(
        **fitted.facts,
        predicted=float(expected.mean()),
        happened=mean_of(spend, seed),
        top_share=0.0 if measures is None else measures.top_share.value,
        comparison=compare_spend(expected, spend, seed),
        measures=measures,
    )
