"""Small features frames whose labels can be learnt from them."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.game_tables import user_features_table
from ds_assets.core.models.data.snapshots import LabelledSnapshot
from ds_assets.core.targets import BUILT_IN, Target
from ds_assets.core.user_groups import with_user_groups
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


FEATURES = declare_features(make_game())
"""Declared by the game that factories make."""


def make_features(users: int = 300, seed: int = 0, game: Game | None = None) -> pd.DataFrame:
    """Users who differ in how often they play, how long they have, and what they spend.

    A feature that this function does not know says how often they play.
    """
    game = game or make_game()
    chance = np.random.default_rng(seed)
    tenure = np.floor(chance.uniform(0, game.lookback_days, users))
    rate = chance.beta(0.8, 1.2, users).clip(0.02, 0.98)
    pays = chance.random(users) < 0.3
    purchase_rate = np.where(pays, chance.gamma(1.0, 0.2, users), 0.0)
    recency = np.minimum(chance.geometric(rate) - 1, np.minimum(tenure, game.active_days - 1))
    columns: dict[str, Any] = {"user_id": [f"user {number:07d}" for number in range(users)]}
    for feature in declare_features(game):
        if len(feature.windows) == 1:
            (days,) = feature.windows
            intensity = purchase_rate if feature.family == "spend" else rate
            size = {"active_days": 1, "spend": 9.99}.get(feature.measure, 5)
            seen_days = np.maximum(np.minimum(days, tenure + 1) - recency, 0)
            columns[feature.name] = np.round(seen_days * intensity * size, 2)
        elif feature.windows:
            short, long = feature.windows
            usual = columns[f"active_days_{long}d"] / long
            with np.errstate(invalid="ignore", divide="ignore"):
                trend = columns[f"active_days_{short}d"] / short / usual
            columns[feature.name] = np.where(usual > 0, trend, np.nan)
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
    names = user_features_table(game).names
    columns["lifetime_days_since_purchase"] = columns["days_since_purchase"]
    others = dict.fromkeys(set(names) - columns.keys(), np.round(10 * rate, 2))
    return pd.DataFrame(columns | others)[names]


def leavers(features: pd.DataFrame, seed: int = 0) -> pd.Series:
    """Labels by user id: the longer away and the rarer there, the likelier to leave."""
    chance = np.random.default_rng([seed, 1])  # not the draws that made the features
    score = features["recency_in_gaps"].fillna(3.0) - features["active_days_28d"] / 6
    labels = chance.random(len(features)) < 1 / (1 + np.exp(-score.to_numpy()))
    return pd.Series(labels, index=pd.Index(features["user_id"]))


def buyers(features: pd.DataFrame, seed: int = 0) -> tuple[pd.Series, pd.Series]:
    """Who pays and how much, by user id: who bought before, and the more, the more."""
    chance = np.random.default_rng([seed, 2])
    bought = features["purchases_28d"].to_numpy()
    paid = chance.random(len(features)) < np.where(bought > 0, 0.8, 0.1)
    spend = np.where(paid, (5 + 3 * bought) * chance.lognormal(0, 0.5, len(features)), 0.0)
    users = pd.Index(features["user_id"])
    return pd.Series(paid, index=users), pd.Series(spend, index=users)


def make_target(name: str = "churn", **changes: Any) -> Target:
    """A built-in target of a game that began on `FIRST_DAY`."""
    (target,) = (target for target in BUILT_IN if target.name == name)
    return replace(target, **{"first_day": FIRST_DAY, **changes})


def make_snapshot(
    day: dt.date,
    users: int = 300,
    horizon: int = 14,
    seed: int | None = None,
    *,
    groups: str = "none",
    pays: bool = False,
) -> LabelledSnapshot:
    """A matured snapshot: of users who leave or stay, or of users who pay or do not."""
    drawn = day.toordinal() if seed is None else seed
    features = with_user_groups(make_features(users, drawn), groups)
    labels, spend = buyers(features, drawn) if pays else (leavers(features, drawn), None)
    return LabelledSnapshot(day, features, labels, day + dt.timedelta(days=horizon), spend)


def make_snapshots(
    weeks: int, users: int = 300, horizon: int = 14, *, groups: str = "none", pays: bool = False
) -> list[LabelledSnapshot]:
    """Snapshots a week apart from the first day on."""
    days = (FIRST_DAY + dt.timedelta(weeks=week) for week in range(weeks))
    return [make_snapshot(day, users, horizon, groups=groups, pays=pays) for day in days]


Rule = Callable[[pd.DataFrame], Any]
"""Log-odds of the label of each row of a features frame."""


def make_small_snapshot(
    day: dt.date,
    rule: Rule,
    users: int = 400,
    *,
    horizon: int = 14,
    groups: str = "none",
    columns: Sequence[str] = ("x", "z"),
) -> LabelledSnapshot:
    """A snapshot of few features, of which some are known, and labels that follow a rule."""
    chance = np.random.default_rng(day.toordinal())
    features = pd.DataFrame(
        {
            "user_id": [f"u{number:05d}" for number in range(users)],
            "x": chance.normal(size=users),
            "z": chance.normal(size=users),
            "side": chance.choice([-1.0, 1.0], users),
            "days_since_active": chance.integers(0, 14, users).astype(float),
            "days_since_purchase": chance.integers(0, 14, users).astype(float),
            "tenure_days": chance.integers(0, 60, users).astype(float),
        }
    )
    features["last_side"] = np.where(features["side"] > 0, "right", "left")
    features["cluster"] = pd.array(np.where(features["side"] > 0, 1, 2), dtype="Int64")
    labels = chance.random(users) < 1 / (1 + np.exp(-np.asarray(rule(features))))
    shown = ["user_id", *columns, "days_since_active", "days_since_purchase", "tenure_days"]
    return LabelledSnapshot(
        day,
        with_user_groups(features, groups)[[*shown, "user_group"]],
        pd.Series(labels, index=pd.Index(features["user_id"])),
        day + dt.timedelta(days=horizon),
    )


def make_small_snapshots(
    weeks: int, rule: Callable[[int], Rule], users: int = 400, **facts: Any
) -> list[LabelledSnapshot]:
    """Small snapshots a week apart from the first day on, each with the rule of its week."""
    return [
        make_small_snapshot(FIRST_DAY + dt.timedelta(weeks=n), rule(n), users, **facts)
        for n in range(weeks)
    ]
