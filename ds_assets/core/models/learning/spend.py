"""What a user will spend, given a purchase: boosted trees on the spend of users who paid.

Scope: amounts, limiting the influence of a few very large ones, and comparing totals.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats, Matrix
from ds_assets.core.models.data.training_rows import Rows
from ds_assets.core.models.evaluation.metrics import Measure, mean_of
from ds_assets.core.models.learning.calibration import recency_weights
from ds_assets.core.models.learning.learner import FittedRegressor, fit_regressor

LARGEST = 0.99
"""Quantile of the payers' spend at which amounts are capped."""
MIN_PAYERS = 50
"""Least number of rows with spend: fewer cannot fill two leaves of 20 rows."""
MAX_ABOVE_CAP = 0.5
"""Share above the cap that is made up for: beyond it, a handful of purchases decide the total."""
TOP = 0.10
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
        cap: Amount at which spend is capped, in the unit of the reports.
        above_cap: Share of the training rows' spend above the cap, which the trees do not predict.
        factor: Factor on the trees' amounts, with which they add up to the spend of the payers of
            the latest snapshots; in cards of version 0.1.0, of the validation snapshots.
        predicted: Mean expected spend of the users of the validation snapshot, by the model that is
            validated there.
        happened: Their mean spend, including the part above the cap.
        top_share: Share of that spend by the tenth of users with the highest expected spend.
        comparison: Their total spend beside the predicted one; None in cards of version 0.1.0,
            whose factor left the spend above the cap out and was taken from the same snapshot, and
            where nothing was predicted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    payers: int
    cap: float
    above_cap: float
    factor: float
    predicted: float
    happened: Measure
    top_share: float
    comparison: SpendComparison | None = None


@dataclass(frozen=True)
class FittedAmounts:
    """Trees for the logarithm of 1 + spend of users who paid, and the cap on the spend."""

    trees: FittedRegressor
    payers: int
    cap: float
    above_cap: float

    def amounts(self, matrix: Matrix) -> Floats:
        """Likely spend of each row, if it pays, before the factor, shape (rows,)."""
        return amounts_of(self.trees.values(matrix), 1.0)


def amounts_of(logarithms: Floats, factor: float) -> Floats:
    """Turn the trees' logarithms into amounts, shape (rows,)."""
    return factor * np.maximum(np.expm1(logarithms), 0.0)


def fit_amounts(rows: Rows, seed: int) -> FittedAmounts | None:
    """Learn amounts from rows with spend; None if there are too few.

    A few large amounts hardly change a mean of logarithms; a factor corrects its difference from
    the mean of the amounts themselves (Duan, Smearing Estimate, 1983).

    Args:
        rows: Rows with labels of a purchase, and spend.
        seed: Makes training repeatable.
    """
    if rows.spend is None or np.count_nonzero(rows.spend > 0) < MIN_PAYERS:
        return None
    paid = rows.labels  # includes purchases without an amount, which the probability covers too
    spend = np.maximum(rows.spend[paid], 0.0)  # refunds can be more than what was paid
    cap = float(np.quantile(spend, LARGEST))
    capped = np.minimum(spend, cap)
    trees = fit_regressor(rows.matrix[paid], np.log1p(capped), seed)
    above = 1.0 - float(capped.sum() / spend.sum())
    return FittedAmounts(trees, len(spend), cap, above)


def fit_factor(fitted: FittedAmounts, training: Rows) -> float:
    """Factor on the trees' amounts that makes their total the whole spend, not only the capped.

    The trees' means of logarithms lie below the means of amounts. The factor belongs to the very
    trees that are applied and follows the latest snapshots, as the level of probabilities does. How
    much is spent above the cap takes many payers to know, and so comes from all rows equally.

    Args:
        fitted: The model of amounts.
        training: The rows that it was fitted to.
    """
    paid = training.chosen(training.labels)
    spend = np.zeros(len(paid.labels)) if paid.spend is None else paid.spend
    weights = recency_weights(paid.ages)
    foreseen = float(weights @ fitted.amounts(paid.matrix))
    capped = float(weights @ np.clip(spend, 0.0, fitted.cap))
    rise = 1.0 / (1.0 - min(fitted.above_cap, MAX_ABOVE_CAP))
    return rise * capped / foreseen if foreseen else rise


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
    fitted: FittedAmounts, validation: Rows, probabilities: Floats, factor: float, seed: int
) -> SpendCard:
    """Measure amounts on a later snapshot than they and their factor were learnt from.

    Args:
        fitted: The model of amounts.
        validation: Rows with spend of a validation snapshot.
        probabilities: Probability that each of them pays, shape (rows,).
        factor: Factor on the amounts, as `fit_factor` computes it.
        seed: Makes the interval repeatable.
    """
    spend = np.zeros(len(probabilities)) if validation.spend is None else validation.spend
    expected = probabilities * validation.predict(fitted.amounts) * factor
    top = np.argsort(-expected, kind="stable")[: max(1, round(TOP * len(expected)))]
    came = np.maximum(spend, 0.0)
    return SpendCard(
        payers=fitted.payers,
        cap=fitted.cap,
        above_cap=fitted.above_cap,
        factor=factor,
        predicted=float(expected.mean()),
        happened=mean_of(spend, seed),
        top_share=float(came[top].sum() / came.sum()) if came.any() else 0.0,
        comparison=compare_spend(expected, spend, seed),
    )
