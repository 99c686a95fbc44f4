"""Small features frames whose labels can be learnt from them."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from ds_assets.core.tables import user_features_table, window_pairs, windowed_measures
from ds_assets.core.training import LabelledSnapshot
from ds_assets.game import Attribute, Fields, Game

FIRST_DAY = dt.date(2024, 1, 1)


def make_game(**changes: Any) -> Game:
    return Game(
        **{
            "name": "Test game",
            "first_day": FIRST_DAY,
            "fields": Fields(user_id="user", event_time="time", event_type="type"),
            "attributes": {
                "country": Attribute(field="country"),
                "level": Attribute(field="level", type="number"),
            },
            **changes,
        }
    )


def make_features(users: int = 300, seed: int = 0, game: Game | None = None) -> pd.DataFrame:
    """Users who differ in how often they play, how long they have, and what they spend."""
    game = game or make_game()
    chance = np.random.default_rng(seed)
    tenure = np.floor(chance.uniform(0, game.lookback_days, users))
    rate = chance.beta(0.8, 1.2, users).clip(0.02, 0.98)
    pays = chance.random(users) < 0.3
    purchase_rate = np.where(pays, chance.gamma(1.0, 0.2, users), 0.0)
    recency = np.minimum(chance.geometric(rate) - 1, np.minimum(tenure, game.active_days - 1))
    columns: dict[str, Any] = {"user_id": [f"user {number:07d}" for number in range(users)]}
    for measure, _ in windowed_measures(game):
        intensity = purchase_rate if measure in {"purchases", "spend"} else rate
        size = {"active_days": 1, "spend": 9.99}.get(measure, 5)
        for days in game.windows:
            seen = np.maximum(np.minimum(days, tenure + 1) - recency, 0)
            columns[f"{measure}_{days}d"] = np.round(seen * intensity * size, 2)
    for short, long in window_pairs(game):
        usual = columns[f"active_days_{long}d"] / long
        with np.errstate(invalid="ignore", divide="ignore"):
            trend = columns[f"active_days_{short}d"] / short / usual
        columns[f"trend_{short}d_{long}d"] = np.where(usual > 0, trend, np.nan)
    gap = np.where(tenure > recency, 1 / rate, np.nan)
    columns |= {
        "days_since_active": recency,
        "days_since_purchase": np.where(
            purchase_rate > 0.05, recency + chance.geometric(0.2, users), np.nan
        ),
        "tenure_days": tenure,
        "typical_gap": gap,
        "longest_gap": np.ceil(gap * 2),
        "recency_in_gaps": recency / gap,
        "last_country": np.array(["KR", "US", "DE", None])[
            chance.choice(4, users, p=[0.5, 0.3, 0.1, 0.1])
        ],
        "last_level": np.floor(tenure * rate),
    }
    return pd.DataFrame(columns)[user_features_table(game).names]


def leavers(features: pd.DataFrame, seed: int = 0) -> pd.Series:
    """Labels by user id: the longer away and the rarer there, the likelier to leave."""
    chance = np.random.default_rng([seed, 1])  # not the draws that made the features
    score = features["recency_in_gaps"].fillna(3.0) - features["active_days_28d"] / 6
    labels = chance.random(len(features)) < 1 / (1 + np.exp(-score.to_numpy()))
    return pd.Series(labels, index=pd.Index(features["user_id"]))


def make_snapshot(
    day: dt.date, users: int = 300, horizon: int = 14, seed: int | None = None
) -> LabelledSnapshot:
    drawn = day.toordinal() if seed is None else seed
    features = make_features(users, drawn)
    return LabelledSnapshot(
        day, features, leavers(features, drawn), day + dt.timedelta(days=horizon)
    )


def make_snapshots(weeks: int, users: int = 300, horizon: int = 14) -> list[LabelledSnapshot]:
    """Snapshots a week apart from the first day on."""
    days = (FIRST_DAY + dt.timedelta(weeks=week) for week in range(weeks))
    return [make_snapshot(day, users, horizon) for day in days]
