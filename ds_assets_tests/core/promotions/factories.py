"""Candidates of promotions, and days of assignments one after the other."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ds_assets.core.promotions.assignment import (
    COVARIATES,
    Candidates,
    DayAssignments,
    assign,
    runs_on,
)
from ds_assets.core.tables import PROMOTIONS
from ds_assets.game import Game
from ds_assets.game_promotions import Promotion
from ds_assets_tests.core.factories import make_game

START = dt.date(2026, 3, 1)
NO_EFFECTS = pd.DataFrame(columns=["user_id", "promotion", "treats"])


def make_promotion(**keys: Any) -> Promotion:
    return Promotion.model_validate({"who": "churn_probability > 0.4", **keys})


def make_promoted_game(promotions: Mapping[str, Any] | None = None, **changes: Any) -> Game:
    """A game with promotions, by default one with the name bundle."""
    listed: Mapping[str, Any] = {"bundle": {}} if promotions is None else promotions
    made_of = {name: make_promotion(**keys) for name, keys in listed.items()}
    return make_game(promotions=made_of, **changes)


def user_ids(count: int, start: int = 0) -> list[str]:
    return [f"user {number}" for number in range(start, start + count)]


def make_candidates(
    users: Sequence[str],
    arms: Sequence[str] | None = None,
    treats: Sequence[bool | None] | None = None,
) -> Candidates:
    columns: dict[str, Any] = dict.fromkeys(COVARIATES, None)
    columns |= {"churn_probability": 0.5, "target_probability": 0.5, "cluster": 1}
    return Candidates(pd.DataFrame({"user_id": list(users)}).assign(**columns), arms, treats)


def day_of(number: int) -> dt.date:
    return START + dt.timedelta(days=number)


def assign_days(
    game: Game, users: Iterable[str], days: Iterable[dt.date]
) -> dict[dt.date, DayAssignments]:
    """Assign the promotions that run on days, one after the other, to the same users."""
    results: dict[dt.date, DayAssignments] = {}
    earlier = pd.DataFrame(columns=PROMOTIONS.names)
    candidates = make_candidates(list(users))
    for day in days:
        running = {name: candidates for name, it in game.promotions.items() if runs_on(it, day)}
        results[day] = assign(day, running, earlier, game)
        earlier = pd.concat([it.rows for it in results.values()])
    return results


def arms_by_user(rows: pd.DataFrame, promotion: str = "bundle") -> dict[str, str]:
    own = rows[rows["promotion"] == promotion]
    return dict(zip(own["user_id"], own["arm"], strict=True))
