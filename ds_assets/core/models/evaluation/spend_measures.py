"""How good expected spend is: order, totals and intervals, each with its uncertainty.

Scope: measures of given expectations against given spend.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.evaluation.metrics import BINS, Measure, intervals_of, resamples

TOP = 0.10
"""Share of the users that are the top."""
_TINY = 1e-12


class SpendMeasures(BaseModel):
    """How well expected spend agrees with spend.

    Attributes:
        gini: Normalised Gini: 1 if users are in the order of their spend, 0 for a random order.
        decile_error: Mean distance of expected and observed spend, in tenths of the users by
            expected spend, over the mean spend.
        top_share: Share of the spend by the tenth of users with the highest expected spend.
        best_top_share: Share of the spend by the tenth of users who spent most.
        total_ratio: Sum of expected spend over the sum of spend.
        coverage: Share of users whose spend lies in their interval, of those with an interval that
            is not 0 alone; None without any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gini: Measure
    decile_error: Measure
    top_share: Measure
    best_top_share: Measure
    total_ratio: Measure
    coverage: Measure | None = None


def measure_spend(
    expected: Floats, spend: Floats, intervals: tuple[Floats, Floats], seed: int
) -> SpendMeasures | None:
    """Measure expected spend; None where all users spent the same, or nothing was expected.

    Args:
        expected: Expected spend of each user, shape (users,).
        spend: Their spend, shape (users,); what refunds took back beyond it counts as nothing.
        intervals: Lower and upper ends of the intervals, each of shape (users,).
        seed: Makes the resamples repeatable.
    """
    positive = np.maximum(spend, 0.0)
    if positive.min() == positive.max() or not expected.any():
        return None
    prepared = _prepare(expected, positive, intervals)
    values = _compute(prepared, np.ones((1, len(spend))))
    parts = [_compute(prepared, weights) for weights in resamples(len(spend), seed)]
    return SpendMeasures(**intervals_of(values, parts))


@dataclass(frozen=True)
class _Prepared:
    """What is the same in every resample.

    Attributes:
        expected: Expected spend, shape (users,).
        spend: Spend, shape (users,).
        by_expected: Places of the users, the highest expected spend first.
        by_spend: Places of the users, the highest spend first.
        is_covered: Whether the interval contains the spend, shape (users,).
        is_wide: Whether the interval is not 0 alone, shape (users,).
    """

    expected: Floats
    spend: Floats
    by_expected: NDArray[np.intp]
    by_spend: NDArray[np.intp]
    is_covered: NDArray[np.bool_]
    is_wide: NDArray[np.bool_]


def _prepare(expected: Floats, spend: Floats, intervals: tuple[Floats, Floats]) -> _Prepared:
    low, high = intervals
    return _Prepared(
        expected,
        spend,
        np.argsort(-expected, kind="stable"),
        np.argsort(-spend, kind="stable"),
        (low <= spend) & (spend <= high),
        high > 0.0,
    )


def _compute(users: _Prepared, weights: Floats) -> Mapping[str, Floats]:
    """Every measure under weights of shape (resamples, users): arrays of shape (resamples,)."""
    return dict(_list_measures(users, weights))


def _list_measures(users: _Prepared, weights: Floats) -> Iterator[tuple[str, Floats]]:
    total = weights @ users.spend
    total = np.where(total > 0.0, total, np.nan)  # of a resample without spend
    gini, top = _concentration(users.spend, users.by_expected, weights)
    best_gini, best_top = _concentration(users.spend, users.by_spend, weights)
    differs = best_gini > _TINY  # no order is better than another where all spend the same
    yield "gini", gini / np.where(differs, best_gini, np.nan)
    yield "total_ratio", weights @ users.expected / total
    yield "decile_error", _decile_distance(users, weights) / total
    yield "top_share", top
    yield "best_top_share", best_top
    if users.is_wide.any():
        wide = weights[:, users.is_wide]
        with np.errstate(invalid="ignore", divide="ignore"):
            yield "coverage", wide @ users.is_covered[users.is_wide] / wide.sum(axis=1)


def _concentration(
    spend: Floats, order: NDArray[np.intp], weights: Floats
) -> tuple[Floats, Floats]:
    """Gini of spend in an order of the users, and the share of the top; (resamples,) each."""
    ordered = weights[:, order]
    users = np.cumsum(ordered, axis=1) / ordered.sum(axis=1, keepdims=True)
    amounts = ordered * spend[order]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.cumsum(amounts, axis=1) / amounts.sum(axis=1, keepdims=True)
    steps = np.diff(users, axis=1, prepend=0.0)
    middles = shares - np.diff(shares, axis=1, prepend=0.0) / 2.0
    gini = (steps * middles).sum(axis=1) - 0.5
    edge = np.argmax(users >= TOP, axis=1)[:, None]
    return gini, np.take_along_axis(shares, edge, axis=1)[:, 0]


def _decile_distance(users: _Prepared, weights: Floats) -> Floats:
    """Sum over tenths of the users of the distance of expected and observed spend."""
    excess = (users.expected - users.spend) * weights
    tenths = np.array_split(users.by_expected, BINS)
    distances = [np.abs(excess[:, tenth].sum(axis=1)) for tenth in tenths]
    return np.asarray(np.sum(distances, axis=0))
