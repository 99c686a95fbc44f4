"""How good probabilities are: measures with their uncertainty, beside the simplest rule.

Belongs here: measures of given probabilities against given labels.
Does not belong here: which rows to judge on; that is decided by time, in `training.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

Target = Literal["churn", "payment"]

RESAMPLES = 200
"""Enough for a 95 % interval whose ends are themselves stable to about a tenth of its length."""
INTERVAL = (0.025, 0.975)


class Measure(BaseModel):
    """A measure and its 95 % bootstrap interval over users."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float
    low: float
    high: float


class Measures(BaseModel):
    """How good probabilities are.

    Attributes:
        auc: Area under the ROC curve: chance that a positive user has the higher probability.
        pr_auc: Average precision.
        log_loss: Mean negative log-likelihood, natural logarithm.
        brier: Mean squared error of the probability.
        recency_auc: Area under the ROC curve of `recency_scores` on the same users.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    auc: Measure
    pr_auc: Measure
    log_loss: Measure
    brier: Measure
    recency_auc: Measure


def recency_scores(target: Target, features: pd.DataFrame) -> NDArray[np.float64]:
    """The rule that every model has to beat: who was here last stays, who bought last buys again.

    Args:
        target: What is predicted.
        features: Holds days_since_active and days_since_purchase.

    Returns:
        One score a row, higher for the more likely; the lowest of all where nothing is known.
    """
    churn = target == "churn"
    column = features["days_since_active" if churn else "days_since_purchase"]
    days = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isnan(days), -np.inf, days if churn else -days)


def measure(
    labels: NDArray[np.bool_],
    probabilities: NDArray[np.float64],
    recency: NDArray[np.float64],
    seed: int,
) -> Measures:
    """Measure probabilities and the recency rule on the same users and the same resamples.

    Intervals are percentiles of the bootstrap over rows (Efron and Tibshirani, An Introduction to
    the Bootstrap, 1993, chapter 13). A resample is a weight for each row, so that rows are sorted
    once and not once a resample. A resample without both classes has no area and is left out.

    Args:
        labels: What happened, shape (users,).
        probabilities: What was predicted, shape (users,).
        recency: What `recency_scores` returned, shape (users,).
        seed: Makes the resamples repeatable.

    Raises:
        ValueError: the labels are all the same.
    """
    if labels.all() or not labels.any():
        raise ValueError("measures need users of both outcomes")
    model, rule = _ranked(probabilities, labels), _ranked(recency, labels)
    losses = np.column_stack([_log_losses(labels, probabilities), (probabilities - labels) ** 2])

    def measured(weights: NDArray[np.float64]) -> list[float]:
        log_loss, brier = weights @ losses / weights.sum()
        return [*_areas(model, weights), log_loss, brier, _areas(rule, weights)[0]]

    values = measured(np.ones(len(labels)))
    resampled = np.array([measured(weights) for weights in _resamples(len(labels), seed)])
    lows, highs = np.nanquantile(resampled, INTERVAL, axis=0)
    names = ("auc", "pr_auc", "log_loss", "brier", "recency_auc")
    rows = zip(names, values, lows, highs, strict=True)
    return Measures(
        **{name: Measure(value=value, low=low, high=high) for name, value, low, high in rows}
    )


@dataclass(frozen=True)
class _Ranked:
    """Rows by ascending score: their order, their labels, and where each new score begins."""

    order: NDArray[np.intp]
    labels: NDArray[np.float64]
    starts: NDArray[np.intp]


def _ranked(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> _Ranked:
    order = np.argsort(scores, kind="stable")
    ascending = scores[order]
    starts = np.flatnonzero(np.append(True, ascending[1:] != ascending[:-1]))
    return _Ranked(order, labels[order].astype(np.float64), starts)


def _resamples(rows: int, seed: int) -> Iterator[NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    for _ in range(RESAMPLES):
        drawn = generator.integers(0, rows, rows)
        yield np.bincount(drawn, minlength=rows).astype(np.float64)


def _areas(ranked: _Ranked, weights: NDArray[np.float64]) -> tuple[float, float]:
    """Area under the ROC curve (ties count half), and average precision, of weighted rows."""
    weights = weights[ranked.order]
    positives = np.add.reduceat(weights * ranked.labels, ranked.starts)
    negatives = np.add.reduceat(weights, ranked.starts) - positives
    all_positives, all_negatives = positives.sum(), negatives.sum()
    if not all_positives or not all_negatives:
        return np.nan, np.nan
    below = np.cumsum(negatives) - negatives / 2
    auc = (positives @ below) / (all_positives * all_negatives)
    found = np.cumsum(positives[::-1])
    called = found + np.cumsum(negatives[::-1])
    precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
    return float(auc), float(positives[::-1] @ precision / all_positives)


def _log_losses(
    labels: NDArray[np.bool_], probabilities: NDArray[np.float64]
) -> NDArray[np.float64]:
    smallest = np.finfo(np.float64).eps
    clipped = np.clip(probabilities, smallest, 1 - smallest)
    return -np.log(np.where(labels, clipped, 1 - clipped))
