"""Profiles of clusters: how many users each has, what is typical of them, and what they will do.

Belongs here: one row a cluster from the features, clusters and predictions of a day.
Does not belong here: how users are counted between two days (`flows.py`), and pictures
(`pictures.py`).
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
    """The features whose typical values a profile shows, in their order there.

    Of the windows it is the one of four weeks, and of the trends the first that makes distances.
    """
    features = [one for one in distance_features(declared) if one.profile is not None]
    trends = [one for one in features if len(one.windows) > 1]
    sums = [one for one in features if one.windows == (four_week_window(features),)]
    others = [one for one in features if not one.windows]
    return sorted([*others, *sums, *trends[:1]], key=lambda one: one.profile or 0)


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
        week_before: The table `clusters` of the day a week before; None where there is none.

    Returns:
        The columns of `CLUSTER_PROFILES`, a row a cluster, by id.

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
            **_moved(int(str(key)), counted),
            **{name: own[name].mean() for name in PREDICTED_NUMBERS},
            "active_days": own[sums["active_days"]].mean(),
            "payers": (own[sums["purchases"]] > 0).mean(),
            "spend": own[sums["spend"]].mean(),
            "typical_values": _as_json(own[names].median(), typical_of_all),
        }
        for key, own in users.groupby("cluster")
    ]
    return pd.DataFrame(rows, columns=CLUSTER_PROFILES.names)


def _users(
    features: pd.DataFrame, clusters: pd.DataFrame, predictions: pd.DataFrame, names: list[str]
) -> pd.DataFrame:
    """A row a clustered user: features that a sum can hold, cluster and predictions."""
    numbers = tuple(Feature(name=name, type="number") for name in names)
    require_features(features, Encoding(features=numbers), "the features for profiles of clusters")
    known = features[[USER_ID, *names]].astype(dict.fromkeys(names, "float64"))
    known[names] = known[names].clip(-_LARGEST, _LARGEST)
    predicted = predictions.reindex(columns=[USER_ID, *PREDICTED_NUMBERS])
    predicted = predicted.astype(dict.fromkeys(PREDICTED_NUMBERS, "float64"))
    placed = clusters[[USER_ID, "cluster", "cluster_name"]]
    joined = placed.merge(known, on=USER_ID).merge(predicted, on=USER_ID, how="left")
    return joined.sort_values(USER_ID, ignore_index=True)  # sums end the same in this order only


def _moved(cluster: int, counted: pd.DataFrame | None) -> dict[str, int | None]:
    """Users who stayed, who came and who went, since a week before."""
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
    """Each feature's typical value in the cluster, and of all users; null where none is known."""
    pairs = zip(own.index, own.tolist(), of_all.tolist(), strict=True)
    return json.dumps({name: [_known(mine), _known(every)] for name, mine, every in pairs})


def _known(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 6)
