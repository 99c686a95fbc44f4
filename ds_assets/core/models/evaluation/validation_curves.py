"""How the probabilities of a validation snapshot compare with its outcomes, as a few bins.

Scope: what pictures of a model show, small enough for its card.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats, Labels
from ds_assets.core.models.evaluation.metrics import BINS, INTERVAL

SCORE_BINS = 20
"""Bins of the histogram of probabilities, of equal width."""
TOP_SHARES = (0.0, 0.01, 0.02, 0.05, *(tenth / 20 for tenth in range(2, 21)))
"""Shares of the users, those with the highest scores, for which gains are counted."""
TREATED_SHARE = 0.1
"""Share of the users, those with the highest scores, that a campaign typically treats."""


class ReliabilityBin(BaseModel):
    """A tenth of the users, by probability.

    Attributes:
        users: Number of users.
        predicted: Their mean probability.
        observed: Share of positives among them.
        low: Lower end of the 95 % interval of that share.
        high: Its upper end.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    users: int
    predicted: float
    observed: float
    low: float
    high: float


class ValidationCurves(BaseModel):
    """Probabilities of the delivered model beside the outcomes of a validation snapshot.

    Attributes:
        reliability: Tenths of the users, by ascending probability.
        top_shares: Shares of the users, ascending, those with the highest scores first.
        gains: By contender, the share of all positives that are among each of `top_shares`.
        score_users: Users by probability, in bins of equal width from 0 to 1.
        score_positives: Positive users in each of these bins.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reliability: tuple[ReliabilityBin, ...]
    top_shares: tuple[float, ...]
    gains: dict[str, tuple[float, ...]]
    score_users: tuple[int, ...]
    score_positives: tuple[int, ...]

    def gain(self, contender: str, share: float) -> float:
        """Share of all positives among a share of the users, those with the highest scores."""
        return float(np.interp(share, self.top_shares, self.gains[contender]))


def compute_curves(
    labels: Labels, probabilities: Floats, rankings: Mapping[str, Floats]
) -> ValidationCurves:
    """Compare probabilities with outcomes.

    Args:
        labels: Outcomes, shape (users,), at least one of them positive.
        probabilities: Of the delivered model, shape (users,).
        rankings: Scores of the contenders whose gains are compared, each of shape (users,).
    """
    edges = np.linspace(0.0, 1.0, SCORE_BINS + 1)
    counts = [np.histogram(scores, edges)[0] for scores in (probabilities, probabilities[labels])]
    users, positives = (tuple(count.tolist()) for count in counts)
    return ValidationCurves(
        reliability=tuple(_list_bins(labels, probabilities)),
        top_shares=TOP_SHARES,
        gains={name: _gains(labels, scores) for name, scores in rankings.items()},
        score_users=users,
        score_positives=positives,
    )


def _list_bins(labels: Labels, probabilities: Floats) -> Iterator[ReliabilityBin]:
    order = np.argsort(probabilities, kind="stable")
    for rows in np.array_split(order, BINS):
        if len(rows):
            positives = int(labels[rows].sum())
            low, high = _share_interval(positives, len(rows))
            yield ReliabilityBin(
                users=len(rows),
                predicted=float(probabilities[rows].mean()),
                observed=positives / len(rows),
                low=low,
                high=high,
            )


def _share_interval(positives: int, users: int) -> tuple[float, float]:
    """Jeffreys interval of a share (Brown, Cai and DasGupta, Interval Estimation, 2001)."""
    from scipy.special import betaincinv  # noqa: PLC0415  # slow to import

    low, high = betaincinv(positives + 0.5, users - positives + 0.5, INTERVAL)
    return float(low) if positives else 0.0, float(high) if positives < users else 1.0


def _gains(labels: Labels, scores: Floats) -> tuple[float, ...]:
    """Share of all positives among the users with the highest scores; ties count in proportion."""
    _, groups = np.unique(-scores, return_inverse=True)
    called, hit = (_cumulate(np.bincount(groups, weights)) for weights in (None, labels))
    return tuple(np.interp(TOP_SHARES, called, hit).tolist())


def _cumulate(counts: NDArray[np.number]) -> Floats:
    """Running share of the total, from 0 to 1."""
    return np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
