"""Drift: the distance of a day's features from those that a model was trained on.

Scope: binned distributions of features, and their distance.
"""

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ds_assets.core.encoding import Encoding, encode
from ds_assets.core.models.arrays import Matrix

BINS = 10
DRIFTED = 0.25
"""Distance that is conventionally read as a changed population."""
DAYS_KEPT, FEATURES_KEPT = 28, 5
"""Days whose drift a card keeps, and features of each day, those that drifted most."""
_LEAST_SHARE = 1e-4
"""Share assumed for an empty bin, so that the distance stays finite."""


class Distribution(BaseModel):
    """Distribution of a feature over the training rows.

    Attributes:
        edges: Upper ends of all bins except the last, ascending.
        shares: Share of the rows in each bin; the last is that of missing values.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    edges: tuple[float, ...]
    shares: tuple[float, ...]


def distributions(
    matrix: Matrix, encoding: Encoding, complete: Mapping[str, NDArray[np.bool_]]
) -> dict[str, Distribution]:
    """Distribution of each feature, in bins of about equally many training rows.

    Args:
        matrix: Encoded features, shape (rows, features), at least one row.
        encoding: Names of the features.
        complete: By feature, which rows had a complete window, shape (rows,); without a feature
            whose windows all were. Other values say how old the game was, and are left out.

    Returns:
        By feature; without those that have no row with a complete window.
    """
    values = {name: matrix[:, place] for place, name in enumerate(encoding.names)}
    values |= {name: values[name][rows] for name, rows in complete.items() if name in values}
    return {name: _distribution(column) for name, column in values.items() if len(column)}


def stability(
    distributions: Mapping[str, Distribution], features: pd.DataFrame, encoding: Encoding
) -> dict[str, float]:
    """Population stability index of each feature that has a distribution, the largest first.

    The sum over bins of (share now - share then) log(share now / share then); see Yurdakul,
    Statistical Properties of Population Stability Index, 2018.

    Args:
        distributions: The result of `distributions`.
        features: Features frame of a day; without rows there is no drift.
        encoding: The encoding of the same training rows.

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
    """
    matrix = encode(features, encoding)
    if not len(matrix):
        return {}
    indexes = {
        name: _distance(distributions[name], matrix[:, place])
        for place, name in enumerate(encoding.names)
        if name in distributions
    }
    return dict(sorted(indexes.items(), key=lambda item: (-item[1], item[0])))


def continue_drifts(
    before: Mapping[dt.date, Mapping[str, float]], day: dt.date, drift: Mapping[str, float]
) -> dict[dt.date, dict[str, float]]:
    """Append a day to what drifted most on the days before, of which the latest are kept.

    Args:
        before: Stability index of the features that drifted most, by day.
        day: The day.
        drift: What `stability` returned for it.
    """
    most = dict(list(drift.items())[:FEATURES_KEPT])
    days = sorted({**before, day: most}.items())
    return {at: dict(features) for at, features in days[-DAYS_KEPT:]}


def _distribution(values: Matrix) -> Distribution:
    present = values[~np.isnan(values)]
    quantiles = (
        np.quantile(present, np.arange(1, BINS) / BINS, method="lower")
        if len(present)
        else np.empty(0)
    )
    edges = np.unique(quantiles.astype(np.float64))
    return Distribution(
        edges=tuple(edges.tolist()), shares=tuple(_shares(values, edges.tolist()).tolist())
    )


def _shares(values: Matrix, edges: Sequence[float]) -> np.ndarray:
    """Share of the values up to each edge, above the last, and missing."""
    bins = np.searchsorted(np.asarray(edges), values.astype(np.float64), side="left")
    bins[np.isnan(values)] = len(edges) + 1
    return np.bincount(bins, minlength=len(edges) + 2) / len(values)


def _distance(distribution: Distribution, values: Matrix) -> float:
    now = np.maximum(_shares(values, distribution.edges), _LEAST_SHARE)
    then = np.maximum(np.array(distribution.shares), _LEAST_SHARE)
    return float(((now - then) * np.log(now / then)).sum())
