"""What came of a day's assignments, as moments of each outcome by segment and arm.

Scope: from one row per user to the rows of `PROMOTION_OUTCOMES`, and from these to moments that add
up over days.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pandas as pd

from ds_assets.core.models.evaluation.metrics import ALL
from ds_assets.core.promotions.effects import Moments, moments_of

_MOMENTS = [
    *("users", "mean", "variance"),
    *("covariate_mean", "covariate_variance", "covariance"),
]
_PLACE = ["segment", "arm"]


class Cell(NamedTuple):
    """One outcome of the users of a segment in an arm."""

    segment: str
    arm: str
    outcome: str


def summarize(users: pd.DataFrame, covariates: Mapping[str, str | None]) -> pd.DataFrame:
    """Summarize the outcomes of a promotion's users by segment and arm.

    Segments are all users, each cluster and each user group. A covariate that a user lacks counts
    as the mean of the others: it says nothing then, and favours no arm.

    Args:
        users: One row per user: arm, cluster, user_group, the outcomes and their covariates.
        covariates: For each outcome the column that predicted it before, none for none.

    Returns:
        Columns segment, arm, outcome, users and the moments.
    """
    predicted = sorted({covariate for covariate in covariates.values() if covariate is not None})
    values = users[predicted].astype("float64")
    placed = _in_segments(users.assign(**values.fillna(values.mean()).fillna(0.0)))
    parts = [
        _moments_by_cell(placed, outcome, covariate).assign(outcome=outcome)
        for outcome, covariate in covariates.items()
    ]
    return pd.concat(parts, ignore_index=True)[[*_PLACE, "outcome", *_MOMENTS]]


def cells_of(rows: pd.DataFrame) -> dict[Cell, Moments]:
    """The moments in rows of one version and day, as `summarize` returns them."""
    columns = (rows[name].tolist() for name in _MOMENTS)
    places = zip(rows["segment"], rows["arm"], rows["outcome"], strict=True)
    values = zip(*columns, strict=True)
    return {Cell(*place): moments_of(*row) for place, row in zip(places, values, strict=True)}


def add(earlier: Mapping[Cell, Moments], later: Mapping[Cell, Moments]) -> dict[Cell, Moments]:
    """The moments of two days together, which have no user in common."""
    total = dict(earlier)
    for cell, moments in later.items():
        total[cell] = total[cell] + moments if cell in total else moments
    return total


def _in_segments(users: pd.DataFrame) -> pd.DataFrame:
    """Users with each of their segments: those of two segments have two rows."""
    return pd.concat(
        [users.loc[names.index].assign(segment=names) for names in _segments(users)],
        ignore_index=True,
    )


def _segments(users: pd.DataFrame) -> Iterator[pd.Series]:
    yield pd.Series(ALL, users.index, dtype="object")
    clusters = users["cluster"].dropna()
    in_cluster = ("cluster=" + clusters.astype("int64").astype("string")).astype("object")
    yield in_cluster
    groups = users["user_group"].dropna().astype("object")
    # Where user groups are clusters, both have the same name.
    yield groups[groups != in_cluster.reindex(groups.index).fillna("")]


def _moments_by_cell(users: pd.DataFrame, outcome: str, covariate: str | None) -> pd.DataFrame:
    values = pd.DataFrame(
        {
            "y": users[outcome].astype("float64"),
            "x": 0.0 if covariate is None else users[covariate],
        }
    )
    by_cell = [users[name] for name in _PLACE]
    means, number = values.groupby(by_cell).mean(), values.groupby(by_cell).size()
    y, x = (values - values.groupby(by_cell).transform("mean")).T.to_numpy()
    products = pd.DataFrame({"yy": y * y, "xx": x * x, "xy": x * y}, values.index)
    # A single user has no variance.
    sample = products.groupby(by_cell).sum().div((number - 1).clip(lower=1), axis=0)
    return pd.DataFrame(
        {
            "users": number,
            "mean": means["y"],
            "variance": sample["yy"],
            "covariate_mean": means["x"],
            "covariate_variance": sample["xx"],
            "covariance": sample["xy"],
        }
    ).reset_index()
