"""What a user will spend, if there is a purchase: boosted trees on the spend of those who paid.

Belongs here: amounts, and what keeps a few very large ones from deciding for everybody.
"""

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats, Matrix
from ds_assets.core.models.data.training_rows import Rows
from ds_assets.core.models.evaluation.metrics import Measure, mean_of
from ds_assets.core.models.learning.learner import FittedRegressor, fit_regressor

LARGEST = 0.99
"""Quantile of the payers' spend above which an amount counts as that quantile."""
MIN_PAYERS = 50
"""Rows with spend; fewer cannot fill two leaves of trees that ask for 20 rows a leaf."""
TOP = 0.10


class SpendCard(BaseModel):
    """What the model of amounts says about itself.

    Attributes:
        payers: Training rows with a purchase.
        cap: What an amount counts for at most, in the unit of the reports.
        above_cap: Share of the training rows' spend that lies above the cap, and is not foreseen.
        factor: What the trees' amounts are multiplied with, so that they add up to what the payers
            of the judging snapshot spent up to the cap each.
        predicted: Mean expected spend of the users of the judging snapshot.
        happened: What they spent on average, with the part above the cap.
        top_share: Share of that which came from the tenth with the highest expected spend.
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
    """Trees for the logarithm of 1 + spend of those who paid, and the cap that it was held to."""

    trees: FittedRegressor
    payers: int
    cap: float
    above_cap: float

    def amounts(self, matrix: Matrix) -> Floats:
        """Likely spend of each row, if it pays, before the factor, shape (rows,)."""
        return amounts_of(self.trees.values(matrix), 1.0)


def amounts_of(logarithms: Floats, factor: float) -> Floats:
    """Amounts of what the trees say, shape (rows,)."""
    return factor * np.maximum(np.expm1(logarithms), 0.0)


def fit_amounts(rows: Rows, seed: int) -> FittedAmounts | None:
    """Learn amounts from rows with spend; None where they are too few.

    The mean of logarithms is little moved by a few large amounts; what it lacks to the mean of the
    amounts themselves, a factor adds (Duan, Smearing Estimate, 1983).

    Args:
        rows: Rows with labels of a purchase, and spend.
        seed: Makes training repeatable.
    """
    if rows.spend is None or np.count_nonzero(rows.spend > 0) < MIN_PAYERS:
        return None
    paid = rows.labels  # a purchase may have no amount, and its chance is what is multiplied
    spend = np.maximum(rows.spend[paid], 0.0)  # refunds can be more than what was paid
    cap = float(np.quantile(spend, LARGEST))
    capped = np.minimum(spend, cap)
    trees = fit_regressor(rows.matrix[paid], np.log1p(capped), seed)
    above = 1.0 - float(capped.sum() / spend.sum())
    return FittedAmounts(trees, len(spend), cap, above)


def judge_amounts(
    fitted: FittedAmounts, judging: Rows, probabilities: Floats, seed: int
) -> SpendCard:
    """Judge amounts on a later snapshot than they were learnt from.

    Args:
        fitted: Amounts learnt before.
        judging: Rows with spend of users of a later day.
        probabilities: Chance that each of them pays, shape (rows,).
        seed: Makes the interval repeatable.
    """
    spend = np.zeros(len(probabilities)) if judging.spend is None else judging.spend
    amounts, paid = fitted.amounts(judging.matrix), judging.labels
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
