"""How good predictions of when users leave are, on users of one snapshot.

All of them are followed over the same number of steps, so that no weights for censoring are needed.

Scope: measures of given survival and scores against given outcomes.
"""

import datetime as dt

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats, Labels


class SurvivalPoint(BaseModel):
    """Predictions and outcomes a number of days after a snapshot.

    Attributes:
        days: Open days after the snapshot.
        predicted: Mean probability of not having left by then.
        observed: Share of the users who had not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: float
    predicted: float
    observed: float


class SurvivalCheck(BaseModel):
    """How good the curve of a validation model was, made from what was known on its day.

    Attributes:
        snapshot: The validation snapshot.
        users: Its users.
        points: By step, from the snapshot itself to the last one over which users were followed.
        brier: Integrated Brier score: mean over the steps of the squared difference of the
            probability of not having left and the outcome (Graf et al., Assessment and comparison
            of prognostic classification schemes for survival data, 1999).
        concordance: Harrell's C of the probability of leaving.
        recency_concordance: Harrell's C of recency alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    snapshot: dt.date
    users: int
    points: tuple[SurvivalPoint, ...]
    brier: float
    concordance: float
    recency_concordance: float


def concordance(times: NDArray[np.generic], has_left: Labels, scores: Floats) -> float:
    """Compute Harrell's C: how often the user who leaves first has the higher score.

    Pairs whose order is known count, those with equal scores one half (Harrell, Lee and Mark,
    Multivariable prognostic models, 1996). It is the mean of the areas under the ROC curve of those
    who leave at a time against those who are left after it, weighted by their pairs.

    Args:
        times: When users left, or how long they were followed, shape (users,).
        has_left: Whether they left at that time; they come before others with it, shape (users,).
        scores: Larger for users who leave sooner, shape (users,).

    Returns:
        A number from 0 to 1; not a number if no pair has a known order.
    """
    distinct, ranks = np.unique(scores, return_inverse=True)
    concordant = pairs = 0.0
    for time in np.unique(times[has_left]):
        leaves = has_left & (times == time)
        stays = (times >= time) & ~leaves
        with_rank = np.bincount(ranks[stays], minlength=len(distinct))
        wins = np.cumsum(with_rank) - with_rank / 2
        concordant += float(wins[ranks[leaves]].sum())
        pairs += float(leaves.sum()) * float(stays.sum())
    return concordant / pairs if pairs else float("nan")
