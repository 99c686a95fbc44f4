"""Profiles of clusters: their size, typical values and predictions.

Scope: one row per cluster, from the features, clusters and predictions of a day. Users who move
between clusters are counted in `flows`; pictures are drawn in `pictures`.
"""

import datetime as dt
import json
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from ds_assets.core.clusters.clustering import distance_features, four_week_window
from ds_assets.core.clusters.flows import flows
from ds_assets.core.encoding import USER_ID, Encoding, Feature, require_features
from ds_assets.core.feature_columns import FeatureColumn
from ds_assets.core.tables import CLUSTER_PROFILES, PREDICTED_NUMBERS

_LARGEST = float(np.finfo(np.float32).max)


def profile_features(declared: Iterable[FeatureColumn]) -> list[FeatureColumn]:
    """The features whose typical values a profile shows, in order.

    Of sums it is the window of four weeks, of trends the first one that distances are made of.
    """
    features = [own for own in distance_features(declared) if own.profile is not None]
    trends = [own for own in features if len(own.windows) > 1]
    sums = [own for own in features if own.windows == (four_week_window(features),)]
    others = [own for own in features if not own.windows]
    return sorted([*others, *sums, *trends[:1]], key=lambda own: own.profile or 0)


def cluster_profiles(
    as_of: dt.date,
    features: pd.DataFrame,
    declared: Sequence[FeatureColumn],
    clusters: pd.DataFrame,
    predictions: pd.DataFrame,
    week_before: pd.DataFrame | None,
) -> pd.DataFrame:
    """Describe each cluster of a day.

    Args:
        as_of: The day.
        features: Features frame of the day, at least `user_id` and `profile_features`.
        declared: The game's features.
        clusters: The table `clusters` of the day; without rows there are no profiles.
        predictions: The table `predictions` of the day.
        week_before: The table `clusters` of the day a week before; None where it is missing.

    Returns:
        The columns of `CLUSTER_PROFILES`, one row per cluster, by id.

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
    """
    shown = profile_features(declared)
    names = [feature.name for feature in shown]
    sums = {feature.measure: feature.name for feature in shown if feature.windows}
    users = _users(features, clusters, predictions, names)
    typical_of_all = users[names].median()
    counted = None if week_before is None else flows(week_before, clusters)
    rows = [
        {
            "as_of": as_of,
            "cluster": key,
            "cluster_name": own["cluster_name"].iloc[0],
            "users": len(own),
            "share": len(own) / len(users),
            **_compute_moved(int(str(key)), counted),
            **{name: own[name].mean() for name in PREDICTED_NUMBERS},
            "active_days": own[sums["active_days"]].mean(),
            "payers": (own[sums["purchases"]] > 0).mean(),
            "spend": own[sums["spend"]].mean(),
            "typical_values": _as_json(own[names].median(), typical_of_all),
        }
        for key, own in users.groupby("cluster")
    ]
    return pd.DataFrame(rows, columns=CLUSTER_PROFILES.names)


def target_probabilities(
    clusters: pd.DataFrame, predictions: Iterable[pd.DataFrame]
) -> dict[int, str]:
    """Mean probability of each target in each cluster.

    Args:
        clusters: The table `clusters` of a day.
        predictions: Pieces of the table `target_predictions` of the day, at least the user's id,
            the target and the probability.

    Returns:
        By cluster, a JSON object with the mean by the target's name; nothing for a cluster of which
        no user has a probability.
    """
    cluster_of = clusters.set_index(USER_ID)["cluster"]
    by = ["cluster", "target"]
    sums = [
        rows.assign(cluster=rows[USER_ID].map(cluster_of).astype("Int64"))
        .groupby(by)["probability"]
        .agg(["sum", "count"])
        for rows in predictions
    ]
    if not sums:
        return {}
    totals = pd.concat(sums).groupby(level=by).sum()
    means = (totals["sum"] / totals["count"])[totals["count"] > 0].round(6)
    return {
        int(str(cluster)): json.dumps(own.droplevel("cluster").to_dict())
        for cluster, own in means.groupby(level="cluster")
    }


def _users(
    features: pd.DataFrame, clusters: pd.DataFrame, predictions: pd.DataFrame, names: list[str]
) -> pd.DataFrame:
    """One row per clustered user: features, clipped so that sums stay finite, and predictions."""
    numbers = tuple(Feature(name=name, type="number") for name in names)
    require_features(features, Encoding(features=numbers), "the features for profiles of clusters")
    bounded = features[[USER_ID, *names]].astype(dict.fromkeys(names, "float64"))
    bounded[names] = bounded[names].clip(-_LARGEST, _LARGEST)
    predicted = predictions.reindex(columns=[USER_ID, *PREDICTED_NUMBERS])
    predicted = predicted.astype(dict.fromkeys(PREDICTED_NUMBERS, "float64"))
    placed = clusters[[USER_ID, "cluster", "cluster_name"]]
    joined = placed.merge(bounded, on=USER_ID).merge(predicted, on=USER_ID, how="left")
    return joined.sort_values(USER_ID, ignore_index=True)  # sums depend on the order of rows


def _compute_moved(cluster: int, counted: pd.DataFrame | None) -> dict[str, int | None]:
    """Numbers of users who stayed, joined and left since a week before."""
    if counted is None:
        return {"stayed": None, "came": None, "went": None}
    was = counted["before"].eq(cluster).fillna(value=False)
    is_now = counted["after"].eq(cluster).fillna(value=False)
    of = counted["users"]
    return {
        "stayed": int(of[was & is_now].sum()),
        "came": int(of[~was & is_now].sum()),
        "went": int(of[was & ~is_now].sum()),
    }


def _as_json(own: pd.Series, of_all: pd.Series) -> str:
    """Typical value of each feature in the cluster and of all users; null where unknown."""
    pairs = zip(own.index, own.tolist(), of_all.tolist(), strict=True)
    return json.dumps(
        {name: [_round_values(mine), _round_values(every)] for name, mine, every in pairs}
    )


def _round_values(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 6)
