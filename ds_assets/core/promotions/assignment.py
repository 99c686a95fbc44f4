"""Who gets which arm of which promotion on a day.

Scope: pure rules, given the users that qualify and what was assigned before. How users qualify is
in `candidates`, which promotions run in `states`.

The arm of a user is a keyed hash of promotion and user, compared with the shares of the arms. It
knows neither the day nor the version of the promotion: whatever is run again, in any order, on any
engine, who is control stays control, and a larger share only adds users.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from ds_assets.core.open_days import add_open_days
from ds_assets.core.promotion_days import cool_down_of
from ds_assets.core.promotions.choice import OUTSIDE, choose_users, weights_of
from ds_assets.core.promotions.decisions import Withdrawal
from ds_assets.core.tables import PREDICTED_NUMBERS, PROMOTIONS
from ds_assets.game import Game
from ds_assets.game_promotions import Promotion

Arm = Literal["treated", "control", "as_before", "holdout"]
TREATED, CONTROL, AS_BEFORE, HOLDOUT = "treated", "control", "as_before", "holdout"
ARMS = (TREATED, CONTROL, AS_BEFORE, HOLDOUT)
COVARIATES = (
    *PREDICTED_NUMBERS,
    *("target_probability", "cluster", "cluster_name", "user_group"),
)
"""Columns of `PROMOTIONS` that describe a user as of the day, for the analysis."""
_SCALE = 2.0**64
_EXPLORE = "explore"
"""Says that a share is that by which users are explored, which does not depend on their arm."""


@dataclass(frozen=True)
class Candidates:
    """The users of a day who qualify for a promotion.

    Attributes:
        users: Column `user_id`, and those of `COVARIATES`.
        arms: Arm of each user that comes from outside; None where the rules choose it.
        treats: Whether the policy treats each user, None for those without an effect; None
            where the rule chooses all of them.
    """

    users: pd.DataFrame
    arms: Sequence[str] | None = None
    treats: Sequence[bool | None] | None = None


@dataclass(frozen=True)
class PromotionCounts:
    """How many users a promotion has on a day.

    Attributes:
        qualified: Users that qualify.
        cooling_down: Of these, users that had it not long ago.
        in_group: Of these, users that have another promotion of its group.
        left_out: Of these, users whom the policy leaves out.
        waiting: Of these, users beyond the limit of treated users per day.
        arms: Users that were assigned, by arm.
    """

    qualified: int = 0
    cooling_down: int = 0
    in_group: int = 0
    left_out: int = 0
    waiting: int = 0
    arms: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class DayAssignments:
    """The assignments of a day.

    Attributes:
        rows: Columns of `PROMOTIONS`, in the order of its key.
        counts: Of each promotion that runs.
    """

    rows: pd.DataFrame
    counts: Mapping[str, PromotionCounts]


def shares_of(user_ids: Sequence[str], game: Game, name: str) -> np.ndarray:
    """Share of each user in a promotion, or in the holdout: uniform from 0 to 1, of shape (users,).

    Args:
        user_ids: The users.
        game: The game, whose name is part of the key.
        name: Name of the promotion, or `HOLDOUT`.
    """
    return _hash_users(user_ids, f"{game.name}\0{name}")


def arms_of(user_ids: Sequence[str], game: Game, name: str) -> np.ndarray:
    """Arm of each user in a promotion by its shares, as texts of shape (users,)."""
    promotion = game.promotions[name]
    as_before = promotion.as_before.share if promotion.as_before else 0.0
    shares = shares_of(user_ids, game, name)
    ends = [promotion.control, promotion.control + as_before]
    arms = np.array([CONTROL, AS_BEFORE, TREATED], object)[np.digitize(shares, ends)]
    return _with_holdout(arms, user_ids, game)


def version_of(game: Game, name: str) -> str:
    """Hash of what defines the users that a promotion compares: a change begins a new version."""
    promotion = game.promotions[name]
    as_before = promotion.as_before.model_dump() if promotion.as_before else None
    who = " ".join(promotion.who.split()) if promotion.who else None
    target = (promotion.target, game.horizon_of(promotion.target))
    content = [who, promotion.assigned_by, promotion.control, as_before, target, name]
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=6).hexdigest()


def runs_on(promotion: Promotion, day: dt.date) -> bool:
    """Whether a day is within the dates of a promotion."""
    first, last = promotion.first_day, promotion.until
    return (first is None or first <= day) and (last is None or day <= last)


def select_in_effect(assignments: pd.DataFrame, day: dt.date) -> pd.DataFrame:
    """The assignments that are in effect from the end of a day on.

    One is so from the end of the day on which it was made to the end of its last day.

    Args:
        assignments: At least the columns as_of and until of `PROMOTIONS`, as dates.
        day: The day.
    """
    return assignments[(assignments["as_of"] <= day) & (assignments["until"] > day)]


def is_withdrawn(assignments: pd.DataFrame, withdrawals: Iterable[Withdrawal]) -> pd.Series:
    """Whether each assignment is withdrawn.

    Args:
        assignments: At least the columns promotion and as_of of `PROMOTIONS`, as dates.
        withdrawals: The withdrawals.
    """
    result = pd.Series(data=False, index=assignments.index)
    days = assignments["as_of"]
    for promotion, first, end, _ in withdrawals:
        result |= (assignments["promotion"] == promotion) & (days >= first) & (days < end)
    return result


def assign(
    day: dt.date, candidates: Mapping[str, Candidates], earlier: pd.DataFrame, game: Game
) -> DayAssignments:
    """Assign the promotions that run to the users that qualify.

    Args:
        day: The day.
        candidates: By name of each promotion that runs.
        earlier: What was assigned before: user_id, promotion, as_of and until of `PROMOTIONS`, for
            all days within the longest cool-down.
        game: The game.
    """
    in_effect = select_in_effect(earlier, day)[["user_id", "promotion"]]
    chosen: list[pd.DataFrame] = []
    counts: dict[str, PromotionCounts] = {}
    for name in game.promotion_names:
        if name in candidates:
            busy = pd.concat([in_effect, *(it[["user_id", "promotion"]] for it in chosen)])
            rows, counts[name] = _assign_one(day, name, candidates[name], earlier, busy, game)
            chosen.append(rows)
    whole = pd.concat(chosen) if chosen else pd.DataFrame(columns=PROMOTIONS.names)
    return DayAssignments(whole.sort_values([*PROMOTIONS.key], ignore_index=True), counts)


def _assign_one(
    day: dt.date,
    name: str,
    candidates: Candidates,
    earlier: pd.DataFrame,
    busy: pd.DataFrame,
    game: Game,
) -> tuple[pd.DataFrame, PromotionCounts]:
    users = _draw(name, candidates, game)
    is_cooling = users["user_id"].isin(_find_cooling_down(day, name, earlier, game))
    rivals = _find_rivals(name, game)
    is_in_group = users["user_id"].isin(busy["user_id"][busy["promotion"].isin(rivals)])
    is_left_out = users["chosen_by"].isna()
    free = users[~is_cooling & ~is_in_group & ~is_left_out]
    taken = _take(free, day, name, game)
    by_arm = taken["arm"].value_counts()
    counts = PromotionCounts(
        len(users),
        int(is_cooling.sum()),
        int((is_in_group & ~is_cooling).sum()),
        int((is_left_out & ~is_in_group & ~is_cooling).sum()),
        len(free) - len(taken),
        {arm: int(by_arm[arm]) for arm in ARMS if arm in by_arm},
    )
    return _describe(taken, day, name, game), counts


def _draw(name: str, candidates: Candidates, game: Game) -> pd.DataFrame:
    """The users with their arm, what chose them, and how many each of them stands for."""
    user_ids, explore = candidates.users["user_id"].tolist(), game.promotions[name].explore
    if candidates.arms is None:
        arms = arms_of(user_ids, game, name)
        treats = candidates.treats or [None] * len(user_ids)
        draws = shares_of(user_ids, game, f"{name}\0{_EXPLORE}")
        chosen_by = choose_users(treats, draws, explore)
    else:
        arms = _with_holdout(np.array(candidates.arms, object), user_ids, game)
        chosen_by = np.full(len(user_ids), OUTSIDE, object)
    return candidates.users.assign(
        arm=arms, chosen_by=chosen_by, weight=weights_of(chosen_by, explore)
    )


def _with_holdout(arms: np.ndarray, user_ids: Sequence[str], game: Game) -> np.ndarray:
    """The arms, but for users of the global holdout, who never get a promotion."""
    if not game.holdout:
        return arms
    return np.where(shares_of(user_ids, game, HOLDOUT) < game.holdout, HOLDOUT, arms)


def _find_cooling_down(day: dt.date, name: str, earlier: pd.DataFrame, game: Game) -> pd.Series:
    """Users that had a promotion too short a time ago."""
    own = earlier[earlier["promotion"] == name]
    days = cool_down_of(game, name)
    is_recent = {
        assigned: add_open_days(assigned, days, game.closed_days) > day
        for assigned in own["as_of"].unique()
    }
    return own["user_id"][own["as_of"].map(is_recent).astype(bool)]


def _find_rivals(name: str, game: Game) -> list[str]:
    """The other promotions of the group of a promotion."""
    group = game.promotions[name].group
    return [
        other
        for other, promotion in game.promotions.items()
        if group is not None and promotion.group == group and other != name
    ]


def _take(users: pd.DataFrame, day: dt.date, name: str, game: Game) -> pd.DataFrame:
    """The users up to the last one who may be treated, in an order that is another each day.

    Those of other arms come along up to there, so that the shares of the arms stay as they are.
    """
    per_day = game.promotions[name].per_day
    if per_day is None or (users["arm"] == TREATED).sum() <= per_day:
        return users
    turns = _hash_users(users["user_id"].tolist(), f"{game.name}\0{name}\0{day}")
    ordered = users.iloc[np.argsort(turns, kind="stable")]
    treated_so_far = (ordered["arm"] == TREATED).cumsum()
    return ordered[: int(np.searchsorted(treated_so_far, per_day)) + 1]


def _describe(users: pd.DataFrame, day: dt.date, name: str, game: Game) -> pd.DataFrame:
    """Rows of `PROMOTIONS`."""
    promotion = game.promotions[name]
    offers = {TREATED: name, AS_BEFORE: promotion.as_before and promotion.as_before.offer}
    horizon = game.horizon_of(promotion.target)
    is_treated = users["arm"] == TREATED
    return users.assign(
        as_of=day,
        promotion=name,
        version=version_of(game, name),
        offer=pd.Series([offers.get(arm) for arm in users["arm"]], users.index, object),
        assignment_id=[_assignment_id(game, name, it, day) for it in users["user_id"]],
        until=add_open_days(day, horizon, game.closed_days),
        cost=np.where(is_treated, cost_of(promotion, game), 0.0),
    )[PROMOTIONS.names]


def cost_of(promotion: Promotion, game: Game) -> float:
    """Cost of one treated user in the currency of the reports."""
    return promotion.value.cost * _rate_of(promotion, game)


def worth_of(promotion: Promotion, game: Game) -> float:
    """What one more user with the wanted outcome is worth, in the currency of the reports."""
    return promotion.value.worth * _rate_of(promotion, game)


def _rate_of(promotion: Promotion, game: Game) -> float:
    currency = promotion.value.currency
    return 1.0 if currency is None else game.currencies[currency]


def _assignment_id(game: Game, name: str, user_id: str, day: dt.date) -> str:
    text = "\0".join([game.name, name, user_id, str(day)])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _hash_users(user_ids: Sequence[str], key: str) -> np.ndarray:
    """Keyed hash of each user as a number from 0 to 1, of shape (users,)."""
    digest_of_key = hashlib.blake2b(key.encode()).digest()
    keyed = hashlib.blake2b(key=digest_of_key)
    hashes = bytearray()
    for user_id in user_ids:
        own = keyed.copy()
        own.update(user_id.encode())
        hashes += own.digest()[:8]
    return np.frombuffer(bytes(hashes), ">u8").astype(np.float64) / _SCALE
