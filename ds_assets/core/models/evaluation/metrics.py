"""How good predictions are: measures with their uncertainty, of contenders on the same users.

Scope: measures of given scores against given labels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats, Labels

RESAMPLES = 200
"""Enough for the ends of a 95 % interval to be stable to about a tenth of its length."""
INTERVAL = (0.025, 0.975)
BINS = 10
"""Bins of the calibration error, with equally many users."""
TOP_SHARES = (0.01, 0.05, 0.10)
MAX_GROUPS = 1_000
"""Distinct scores that resamples distinguish."""
_BLOCK = 1 << 20
"""Weights held at once: some 50 MB with the arrays computed from them."""


class Measure(BaseModel):
    """A measure and its 95 % bootstrap interval over users."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float
    low: float
    high: float

    def overlaps(self, other: "Measure") -> bool:
        """Whether the intervals have a point in common."""
        return self.low <= other.high and other.low <= self.high


class Measures(BaseModel):
    """How good scores are; measures of probabilities are None for a rule that only ranks.

    Attributes:
        auc: Area under the ROC curve: probability that a positive user has the higher score.
        pr_auc: Average precision.
        lift_1: Share of positives in the top 1 % by score, over that among all.
        lift_5: The same in the top 5 %.
        lift_10: The same in the top 10 %.
        log_loss: Mean negative log-likelihood, natural logarithm.
        brier: Mean squared error of the probability.
        ece: Expected calibration error: mean distance of probability and share, in bins of equally
            many users (Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities
            Using Bayesian Binning, 2015).
        bias: Mean probability less the share of positives.
        total_ratio: Sum of the probabilities over the number of positives; None in cards of version
            0.1.0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    auc: Measure
    pr_auc: Measure
    lift_1: Measure
    lift_5: Measure
    lift_10: Measure
    log_loss: Measure | None = None
    brier: Measure | None = None
    ece: Measure | None = None
    bias: Measure | None = None
    total_ratio: Measure | None = None


@dataclass(frozen=True)
class Scores:
    """A contender's score for each user, shape (users,); higher is more likely."""

    values: Floats
    are_probabilities: bool = True


def measure(labels: Labels, contenders: Mapping[str, Scores], seed: int) -> dict[str, Measures]:
    """Measure contenders on the same users and the same resamples.

    Intervals are percentiles of the bootstrap over rows (Efron and Tibshirani, An Introduction to
    the Bootstrap, 1993, chapter 13). A resample is a weight for each row, so that rows are sorted
    once and not once per resample. A resample without both classes has no area and is left out.

    Args:
        labels: Outcomes, shape (users,).
        contenders: Scores by the contender's name.
        seed: Makes the resamples repeatable.

    Raises:
        ValueError: the labels are all the same.
    """
    if labels.all() or not labels.any():
        raise ValueError("measures need users of both outcomes")
    one_of_each = np.ones((1, len(labels)))
    prepared = {name: _prepare(labels, scores) for name, scores in contenders.items()}
    values = {
        name: _compute_measures(contender, one_of_each) for name, contender in prepared.items()
    }
    coarser = {name: contender.coarser() for name, contender in prepared.items()}
    parts: dict[str, list[dict[str, Floats]]] = {name: [] for name in contenders}
    for weights in resamples(len(labels), seed):
        for name, contender in coarser.items():
            parts[name].append(_compute_measures(contender, weights))
    return {name: Measures(**intervals_of(values[name], parts[name])) for name in contenders}


def mean_difference(labels: Labels, first: Floats, second: Floats, seed: int) -> Measure:
    """Log loss of the first probabilities minus that of the second, on the same users.

    Args:
        labels: Outcomes, shape (users,).
        first: Probabilities, shape (users,).
        second: Probabilities, shape (users,).
        seed: Makes the resamples repeatable.

    Returns:
        The mean with its interval: below 0 if the first are better, and significantly so if the
        whole interval is.
    """
    return mean_of(log_losses(labels, first) - log_losses(labels, second), seed)


def mean_of(values: Floats, seed: int) -> Measure:
    """Mean of one number per user, shape (users,) with at least one, and its interval."""
    means = [weights @ values / weights.sum(axis=1) for weights in resamples(len(values), seed)]
    return _interval(float(values.mean()), np.concatenate(means))


def log_losses(labels: Labels, probabilities: Floats) -> Floats:
    """Negative log-likelihood of each user, shape (users,)."""
    smallest = np.finfo(np.float64).eps
    clipped = np.clip(probabilities, smallest, 1 - smallest)
    return -np.log(np.where(labels, clipped, 1 - clipped))


@dataclass(frozen=True)
class _Prepared:
    """The part of a contender's scores that is the same in every resample.

    Attributes:
        groups: Rank of each row's score among the different ones, shape (users,).
        labels: Labels as numbers, shape (users,).
        losses: Log loss, squared error and error of each row, shape (users, 3); None for scores
            that are not probabilities.
        bins: Bin of each row's probability for the calibration error, shape (users,).
    """

    groups: NDArray[np.intp]
    labels: Floats
    losses: Floats | None
    bins: NDArray[np.intp]

    def coarser(self) -> "_Prepared":
        """Merge neighbouring scores, which does not move the ends of an interval noticeably."""
        if self.groups.max() < MAX_GROUPS:
            return self
        order = np.argsort(self.groups, kind="stable")
        place = np.searchsorted(self.groups[order], self.groups)  # of the first of the same score
        _, groups = np.unique(place * MAX_GROUPS // len(place), return_inverse=True)
        return replace(self, groups=groups)


def _prepare(labels: Labels, scores: Scores) -> _Prepared:
    _, groups = np.unique(scores.values, return_inverse=True)
    rank = np.empty(len(labels), dtype=np.intp)
    rank[np.argsort(scores.values, kind="stable")] = np.arange(len(labels))
    losses = None
    if scores.are_probabilities:
        error = scores.values - labels
        losses = np.column_stack([log_losses(labels, scores.values), error**2, error])
    return _Prepared(groups, labels.astype(np.float64), losses, rank * BINS // len(labels))


def resamples(rows: int, seed: int) -> Iterator[Floats]:
    """Yield the weights of all resamples in blocks of shape (resamples, rows)."""
    generator = np.random.default_rng(seed)
    at_once = max(1, min(RESAMPLES, _BLOCK // max(rows, 1)))
    for start in range(0, RESAMPLES, at_once):
        count = min(at_once, RESAMPLES - start)
        drawn = generator.integers(0, rows, (count, rows))
        drawn += np.arange(count)[:, None] * rows
        weights = np.bincount(drawn.ravel(), minlength=count * rows)
        yield weights.reshape(count, rows).astype(np.float64)


def _compute_measures(contender: _Prepared, weights: Floats) -> dict[str, Floats]:
    """Every measure under weights of shape (resamples, rows): arrays of shape (resamples,)."""
    positives = _sums(contender.groups, contender.labels, weights)
    measures = _ranking(positives, _sums(contender.groups, np.ones_like(contender.labels), weights))
    if contender.losses is not None:
        total = weights.sum(axis=1, keepdims=True)
        means = weights @ contender.losses / total
        measures |= dict(zip(("log_loss", "brier", "bias"), means.T, strict=True))
        errors = _sums(contender.bins, contender.losses[:, 2], weights)
        measures["ece"] = np.abs(errors).sum(axis=1) / total[:, 0]
        with np.errstate(invalid="ignore", divide="ignore"):  # NaN for a resample without both
            share = np.where(np.isnan(measures["auc"]), np.nan, positives.sum(axis=1) / total[:, 0])
        measures["total_ratio"] = 1.0 + measures["bias"] / share
    return measures


def _sums(groups: NDArray[np.intp], values: Floats, weights: Floats) -> Floats:
    """Weighted sums of a value by group, shape (resamples, groups)."""
    from scipy.sparse import csr_array  # noqa: PLC0415  # slow to import

    rows = np.arange(len(groups))
    by_group = csr_array((values, (groups, rows)), shape=(groups.max() + 1, len(groups)))
    return np.asarray((by_group @ weights.T).T)


def _ranking(positives: Floats, all_rows: Floats) -> dict[str, Floats]:
    """Areas and lifts, from the weight of positives and of all rows of each score, ascending.

    Ties count half for the area under the ROC curve, and proportionally at the edge of the top.
    """
    negatives = all_rows - positives
    total = positives.sum(axis=1)
    below = np.cumsum(negatives, axis=1) - negatives / 2
    with np.errstate(invalid="ignore", divide="ignore"):  # NaN for a resample without both
        auc = (positives * below).sum(axis=1) / (total * negatives.sum(axis=1))
        true_positives = np.cumsum(positives[:, ::-1], axis=1)
        called = np.cumsum(all_rows[:, ::-1], axis=1)
        precision = np.where(called > 0, true_positives / called, 0.0)
        average = (positives[:, ::-1] * precision).sum(axis=1) / total
        names = {share: f"lift_{share * 100:.0f}" for share in TOP_SHARES}
        lifts = {name: _lift(true_positives, called, share) for share, name in names.items()}
    undefined = np.isnan(auc)
    return {"auc": auc, "pr_auc": np.where(undefined, np.nan, average)} | lifts


def _lift(true_positives: Floats, called: Floats, share: float) -> Floats:
    top = share * called[:, -1:]
    # the score at the edge of the top, a part of which is inside
    edge = np.argmax(called >= top, axis=1)[:, None]
    weight, positives = (np.diff(counts, axis=1, prepend=0) for counts in (called, true_positives))
    at_edge = [
        np.take_along_axis(counts, edge, axis=1)
        for counts in (called, true_positives, weight, positives)
    ]
    called_to, found_to, weight_at, positives_at = at_edge
    inside = found_to - positives_at * (called_to - top) / weight_at
    return np.asarray((inside / top / (true_positives[:, -1:] / called[:, -1:]))[:, 0])


def intervals_of(
    values: Mapping[str, Floats], parts: Sequence[Mapping[str, Floats]]
) -> dict[str, Measure]:
    """Measures with the intervals of their resamples, of which those that are NaN are left out.

    Args:
        values: Value of each measure, shape (1,), by its name.
        parts: Their values in blocks of resamples, each of shape (resamples,).
    """
    return {
        name: _interval(float(value[0]), np.concatenate([part[name] for part in parts]))
        for name, value in values.items()
    }


def _interval(value: float, resampled: Floats) -> Measure:
    # A resampled mean of absolute values is biased upwards, so include the value itself.
    low, high = np.nanquantile(resampled, INTERVAL)
    return Measure(value=value, low=min(float(low), value), high=max(float(high), value))


ALL = "all"
