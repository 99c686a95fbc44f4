"""What a user will spend, given a purchase: boosted trees on the spend of users who paid.

Scope: amounts, and limiting the influence of a few very large ones.
"""

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats, Matrix
from ds_assets.core.models.data.training_rows import Rows
from ds_assets.core.models.evaluation.metrics import Measure, mean_of
from ds_assets.core.models.learning.learner import FittedRegressor, fit_regressor

LARGEST = 0.99
"""Quantile of the payers' spend at which amounts are capped."""
MIN_PAYERS = 50
"""Least number of rows with spend: fewer cannot fill two leaves of 20 rows."""
TOP = 0.10


class SpendCard(BaseModel):
    """Description of the model of amounts.

    Attributes:
        payers: Training rows with a purchase.
        cap: Amount at which spend is capped, in the unit of the reports.
        above_cap: Share of the training rows' spend above the cap, which is not predicted.
        factor: Factor on the trees' amounts that makes their sum equal the capped spend of the
            payers of the validation snapshot.
        predicted: Mean expected spend of the users of the validation snapshot.
        happened: Their mean spend, including the part above the cap.
        top_share: Share of that spend by the tenth of users with the highest expected spend.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    payers: int
    cap: float
    above_cap: float
    factor: float
    predicted: float
    happened: Measure
    top_share: float


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


def validate_amounts(
    fitted: FittedAmounts, validation: Rows, probabilities: Floats, seed: int
) -> SpendCard:
    """Measure amounts on a later snapshot than they were learnt from.

    Args:
        fitted: The model of amounts.
        validation: Rows with spend of a validation snapshot.
        probabilities: Probability that each of them pays, shape (rows,).
        seed: Makes the interval repeatable.
    """
    spend = np.zeros(len(probabilities)) if validation.spend is None else validation.spend
    amounts, paid = validation.predict(fitted.amounts), validation.labels
    foreseen = float(amounts[paid].sum())
    capped = np.clip(spend[paid], 0.0, fitted.cap)
    factor = float(capped.sum()) / foreseen if foreseen else 1.0
    expected = probabilities * amounts * factor
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
    )
