"""How much single payers differ from the amount that is expected of them.

The spend of a payer is the expected amount times a ratio whose distribution all payers share: its
observed quantiles up to a threshold, and a Pareto tail beyond it. So a few very large spenders say
how heavy the tail is, and leave the order of the users as it is.

Scope: the distribution of the ratio, its mean, and intervals for the spend of single users.
"""

from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats

TAIL_SHARE = 0.05
"""Share of the payers that are in the tail."""
LEVELS = np.linspace(0.0, 1.0 - TAIL_SHARE, 20)
"""Levels of the stored quantiles."""
PRIOR_INDEX, PRIOR_PAYERS = 3.0, 10
"""Tail index of a game without payers, and for how many payers in the tail it counts."""
MIN_INDEX = 1.25
"""Least tail index: the mean of a Pareto distribution is infinite at 1, and close to it a handful
of purchases would decide the total."""
MIN_AMOUNT = 0.05
"""Expected amounts below this share of their mean are left out: ratios to them say nothing."""
COVERAGE = 0.8
"""Probability that an interval contains the spend."""


class Spread(BaseModel):
    """Distribution of the spend of payers, in multiples of the expected amount.

    Attributes:
        quantiles: Quantiles at `LEVELS`; the last one is the threshold of the tail.
        tail_index: Index of the Pareto tail: beyond x times the threshold there is a share of
            `TAIL_SHARE` * x ** -tail_index of the payers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    quantiles: tuple[float, ...]
    tail_index: float

    @property
    def threshold(self) -> float:
        """Where the tail begins."""
        return self.quantiles[-1]

    @property
    def mean_excess(self) -> float:
        """Mean of what a payer in the tail spends beyond the threshold."""
        return self.threshold / (self.tail_index - 1.0)

    def divided(self, factor: float) -> Self:
        """The same in multiples of expected amounts that are larger by a factor."""
        quantiles = tuple(quantile / factor for quantile in self.quantiles)
        return self.model_copy(update={"quantiles": quantiles})

    def quantile(self, levels: Floats) -> Floats:
        """Quantiles at levels from 0 to below 1, in the shape of the levels."""
        beyond = np.minimum((1.0 - levels) / TAIL_SHARE, 1.0)
        inside = np.interp(levels, LEVELS, self.quantiles)
        return np.asarray(inside * beyond ** (-1.0 / self.tail_index))

    def interval(self, probabilities: Floats, amounts: Floats) -> tuple[Floats, Floats]:
        """Ends of intervals that contain the spend of a user with a probability of `COVERAGE`.

        What is left out lies half below and half above. Where no purchase at all is likelier than
        that half, the interval begins at 0, and all that is left out lies above.

        Args:
            probabilities: Probability of a purchase, shape (users,).
            amounts: Expected spend given a purchase, shape (users,).
        """
        half = (1.0 - COVERAGE) / 2.0
        begins_at_zero = 1.0 - probabilities > half
        upper_levels = np.where(begins_at_zero, COVERAGE, COVERAGE + half)
        levels = np.stack([np.full(len(amounts), half), upper_levels])
        lower, upper = self._quantile_of_all(levels, probabilities, amounts)
        return np.where(begins_at_zero, 0.0, lower), upper

    def _quantile_of_all(self, levels: Floats, probabilities: Floats, amounts: Floats) -> Floats:
        """Quantiles of spend at levels below 1, for users who may pay nothing.

        Args:
            levels: Levels, whose last dimension is that of the users.
            probabilities: Probability of a purchase, shape (users,).
            amounts: Expected spend given a purchase, shape (users,).
        """
        payers = np.maximum(probabilities - (1.0 - levels), 0.0)
        among_payers = payers / np.maximum(probabilities, np.finfo(np.float64).tiny)
        return np.where(payers > 0.0, amounts * self.quantile(among_payers), 0.0)


def fit_spread(spend: Floats, amounts: Floats) -> Spread:
    """Fit the distribution of ratios of spend to the expected amount.

    The tail index is Hill's estimate (A Simple General Approach to Inference About the Tail of a
    Distribution, 1975), which a gamma distribution as its prior keeps near `PRIOR_INDEX` for few
    payers. With the tail's own mean, the mean of a heavy-tailed distribution is less noisy than the
    mean of its sample (Peng, Estimating the Mean of a Heavy Tailed Distribution, 2001).

    Args:
        spend: Spend of payers, at least 0, shape (payers,), with at least one payer.
        amounts: The expected amounts, at least one of them above 0, shape (payers,).
    """
    is_usable = amounts >= MIN_AMOUNT * amounts.mean()
    ratios = spend[is_usable] / amounts[is_usable]
    quantiles = np.quantile(ratios, LEVELS)
    threshold = max(float(quantiles[-1]), np.finfo(np.float64).tiny)
    logarithms = np.log(ratios[ratios > threshold] / threshold)
    total = PRIOR_PAYERS / PRIOR_INDEX + float(logarithms.sum())
    index = (PRIOR_PAYERS + len(logarithms)) / total
    return Spread(quantiles=tuple(map(float, quantiles)), tail_index=max(index, MIN_INDEX))
