"""How good effects and rankings are, measured on users that no model has seen.

Scope: uplift of the top tenth, Qini, calibration and effects by tenth, with intervals.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.evaluation.metrics import (
    MAX_GROUPS,
    Measure,
    intervals_of,
    resamples,
)
from ds_assets.core.promotions.uplift.effects import NORMAL_95, EffectLine, fit_line
from ds_assets.core.promotions.uplift.trial import Trial

TOP_SHARE = 0.1
SHARES = tuple(share / 20 for share in range(21))
"""Shares of the users, those with the highest scores first, of a Qini curve."""
TENTHS = 10


class RankingMeasures(BaseModel):
    """How well a ranking finds the users on whom the effect is largest.

    Attributes:
        top_uplift: Effect on the tenth of the users with the highest scores.
        qini: Area between the curve of the gain and that of a random order, per user: the mean over
            all shares of what treating that share of users in this order brings more than treating
            as many at random (Radcliffe, Using Control Groups to Target on Predicted Lift, 2007).
            0 for a random order.
        gains: Gain per user, of all users, by `SHARES` of them that are treated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    top_uplift: Measure
    qini: Measure
    gains: tuple[float, ...]


class EffectTenth(BaseModel):
    """A tenth of the users, by predicted effect.

    Attributes:
        users: Number of rows.
        predicted: Mean predicted effect.
        measured: Mean effect that was measured, with its 95 % interval.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    users: int
    predicted: float
    measured: Measure


def measure_rankings(
    trial: Trial, outcomes: Floats, rankings: Mapping[str, Floats], seed: int
) -> dict[str, RankingMeasures]:
    """Measure rankings on the same users and the same resamples.

    Effects are differences of the arms' means. Intervals are percentiles of the bootstrap over
    rows.

    Args:
        trial: Rows with both arms.
        outcomes: What is to be gained, shape (rows,).
        rankings: Scores by name, each of shape (rows,); higher is treated first.
        seed: Makes the resamples repeatable.
    """
    sums = {name: _GainSums(trial, outcomes, scores) for name, scores in rankings.items()}
    curves: dict[str, list[Floats]] = {name: [] for name in rankings}
    for weights in resamples(len(trial), seed):
        for name, prepared in sums.items():
            curves[name].append(prepared.gains(weights))
    once = np.ones((1, len(trial)))
    return {name: _summarize(prepared.gains(once), curves[name]) for name, prepared in sums.items()}


class _GainSums:
    """Sums over users with equal scores, from which gains follow under any weights of the rows."""

    def __init__(self, trial: Trial, outcomes: Floats, scores: Floats) -> None:
        groups = _group_ranks(scores)
        weights = trial.row_weights
        on_treated = weights * trial.treated / trial.propensity
        on_control = weights * ~trial.treated / (1 - trial.propensity)
        columns = (weights, on_treated, on_treated * outcomes, on_control, on_control * outcomes)
        self._sums = _sums_by_group(groups, columns)
        self._groups = int(groups.max()) + 1

    def gains(self, resampled: Floats) -> Floats:
        """Gain per user by `_GRID`, shape (resamples, shares); see `RankingMeasures`.

        Args:
            resampled: Weights of the rows, shape (resamples, rows).
        """
        sums = np.asarray(self._sums @ resampled.T).T.reshape(len(resampled), -1, self._groups)
        return np.stack([_gain_curve(*parts) for parts in np.cumsum(sums, axis=2)])


def _sums_by_group(groups: NDArray[np.intp], columns: Sequence[Floats]) -> Any:
    """A sparse matrix that sums each column by group, shape (columns * groups, rows)."""
    from scipy.sparse import csr_array, vstack  # noqa: PLC0415  # slow to import

    rows, shape = np.arange(len(groups)), (int(groups.max()) + 1, len(groups))
    return vstack([csr_array((column, (groups, rows)), shape=shape) for column in columns])


_GRID = np.linspace(0.0, 1.0, 101)


def _gain_curve(
    users: Floats, treated: Floats, on_treated: Floats, control: Floats, on_control: Floats
) -> Floats:
    """Gain by `_GRID` from sums down to each group of scores; linear within users of equal scores.

    An arm without users has no mean: the gain is that of the next group where both have some.
    """
    both = (treated > 0) & (control > 0)
    if not both.any():
        return np.full(len(_GRID), np.nan)
    shares = users[both] / users[-1]
    effects = on_treated[both] / treated[both] - on_control[both] / control[both]
    return np.asarray(np.interp(_GRID, [0.0, *shares], [0.0, *shares * effects]))


def _group_ranks(scores: Floats) -> NDArray[np.intp]:
    """Groups of equal scores, the highest first; neighbours are merged beyond `MAX_GROUPS`."""
    _, groups = np.unique(-scores, return_inverse=True)
    if groups.max() < MAX_GROUPS:
        return np.asarray(groups, dtype=np.intp)
    places = np.cumsum(np.bincount(groups)) - 1
    _, merged = np.unique(places[groups] * MAX_GROUPS // len(scores), return_inverse=True)
    return np.asarray(merged, dtype=np.intp)


def _summarize(gains: Floats, resampled: Iterable[Floats]) -> RankingMeasures:
    measures = intervals_of(_measures(gains), [_measures(block) for block in resampled])
    return RankingMeasures(**measures, gains=tuple(np.interp(SHARES, _GRID, gains[0]).tolist()))


def _measures(gains: Floats) -> dict[str, Floats]:
    """Measures of curves of shape (resamples, shares), each of shape (resamples,)."""
    top = gains[:, int(TOP_SHARE * (len(_GRID) - 1))] / TOP_SHARE
    above = gains - gains[:, -1:] * _GRID
    return {"top_uplift": top, "qini": np.asarray(np.trapezoid(above, _GRID, axis=1))}


def measure_slope(
    predicted: Floats, scores: Floats, weights: Floats, line: EffectLine
) -> Measure | None:
    """Slope of measured over predicted effects: 1 if differences come true as predicted.

    Both were estimated, so that the interval is that of a ratio (delta method): it has the noise of
    these rows, and that of the slope by which effects were predicted. The latter is how far a model
    is from its calibration: cross-fitting measures models of such rows on average, rather than the
    one that is used (Bates, Hastie and Tibshirani, Cross-Validation: What Does It Estimate and How
    Well Does It Do It?, 2024).

    Args:
        predicted: Calibrated effects by a model that has not seen the rows, shape (rows,).
        scores: What `effect_scores` returned, shape (rows,).
        weights: Users whom each row stands for, shape (rows,).
        line: The calibration by which effects were predicted.

    Returns:
        The slope with its 95 % interval; None where all predictions are the same.
    """
    later = fit_line(predicted, scores, weights)
    if not later.slope_deviation:
        return None
    slope = later.measured_slope
    distance = NORMAL_95 * float(np.hypot(later.slope_deviation, slope * line.relative_deviation))
    return Measure(value=slope, low=slope - distance, high=slope + distance)


def measure_mean(scores: Floats, weights: Floats) -> Measure:
    """Weighted mean of scores with its 95 % interval, shape (rows,) with at least one."""
    mean = float(weights @ scores / weights.sum())
    deviation = float(np.sqrt(((weights * (scores - mean)) ** 2).sum()) / weights.sum())
    distance = NORMAL_95 * deviation
    return Measure(value=mean, low=mean - distance, high=mean + distance)


def measure_tenths(predicted: Floats, scores: Floats, weights: Floats) -> tuple[EffectTenth, ...]:
    """Predicted and measured effects of tenths of the users, the largest predicted first.

    Sorted group average treatment effects (Chernozhukov et al., 2025; see `fit_line`).

    Args:
        predicted: Calibrated effects by a model that has not seen the rows, shape (rows,).
        scores: What `effect_scores` returned, shape (rows,).
        weights: Users whom each row stands for, shape (rows,).
    """
    return tuple(_list_tenths(predicted, scores, weights))


def _list_tenths(predicted: Floats, scores: Floats, weights: Floats) -> Iterator[EffectTenth]:
    order = np.argsort(-predicted, kind="stable")
    for rows in np.array_split(order, TENTHS):
        if len(rows):
            yield EffectTenth(
                users=len(rows),
                predicted=float(np.average(predicted[rows], weights=weights[rows])),
                measured=measure_mean(scores[rows], weights[rows]),
            )
