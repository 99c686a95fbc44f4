"""The users of promotions whose horizon is over, as trials that effect models learn from.

Scope: from stored assignments, features and activity to trials. What is learnt from them is in
`core.promotions.uplift`.
"""

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ds_assets.core.encoding import CLUSTER, USER_GROUP, USER_ID, encode, fit_encoding
from ds_assets.core.game_settings import ACTIVITY, FEATURES
from ds_assets.core.game_tables import user_features_table
from ds_assets.core.lineage import days_behind_effects
from ds_assets.core.promotions.assignment import CONTROL, TREATED, is_withdrawn, version_of
from ds_assets.core.promotions.terms import shares_of_arms
from ds_assets.core.promotions.uplift.release import PromotionTrial
from ds_assets.core.promotions.uplift.trial import Trial, folds_of, sample_users
from ds_assets.core.promotions.uplift.user_effects import with_groups
from ds_assets.core.tables import PROMOTIONS
from ds_assets.core.targets import PAYMENT, engagement_of, targets_of
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.labels import labels_of
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.promotion_decisions import list_withdrawals
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import between, read_rows
from ds_assets.infra.promotion_outcomes import Spend, find_outcomes, read_first_assignments

MAX_USERS = 200_000
"""Users of a promotion that effects are learnt from at most, drawn at random."""
_OF_ASSIGNMENT = [USER_ID, CLUSTER, USER_GROUP, "arm", "weight", "as_of"]
Outcomes = Mapping[str, Mapping[dt.date, Spend]]
"""Spend of the users who reached each target, by day of assignment."""


def read_trials(
    day: dt.date, records: Records, lake: Lake, engine: LakeEngine, game: Game
) -> dict[str, PromotionTrial]:
    """Read the users of each promotion with a condition whose horizon is over on a day.

    Users count once, from their first assignment on, as in `promotion_results`, and only those of
    the version that the promotion has now. Of assignments that were withdrawn nothing is learnt: an
    offer that ended early has another effect.

    Args:
        day: The day at whose end the outcomes are read.
        records: Says which stored days count.
        lake: Where they are stored.
        engine: Engine that runs it.
        game: The game.
    """
    names = [name for name, promotion in game.promotions.items() if promotion.who is not None]
    stored = [it for it in records.usable_files(PROMOTIONS.name) if it < day]
    featured = records.usable_files(FEATURES)
    first = day - dt.timedelta(days=days_behind_effects(game))
    days = [it for it in between(stored, first, day) if it in featured]
    if not days:
        return {name: _make_trial(name, *_NOBODY, game) for name in names}
    activity = [it for it in records.usable_files(ACTIVITY) if it <= day]
    targets = targets_of(game)
    outcomes = {
        name: find_outcomes(targets[name], days, activity, lake, engine, game)
        for name in {PAYMENT, *(game.promotions[it].target for it in names)}
    }
    assigned = read_first_assignments(days, stored, lake, engine, game)
    users = assigned[~is_withdrawn(assigned, list_withdrawals(lake))]
    return {name: _read_trial(name, users, outcomes, lake, game) for name in names}


def _read_trial(
    name: str, users: pd.DataFrame, outcomes: Outcomes, lake: Lake, game: Game
) -> PromotionTrial:
    matured = outcomes[game.promotions[name].target].keys() & outcomes[PAYMENT].keys()
    own = users[
        (users["promotion"] == name)
        & (users["version"] == version_of(game, name))
        & users["arm"].isin([TREATED, CONTROL])
        & users["as_of"].isin(matured)
    ]
    chosen = own[sample_users(own[USER_ID], MAX_USERS)][_OF_ASSIGNMENT]
    parts = [
        _read_day(it, chosen[chosen["as_of"] == it], name, outcomes, lake, game)
        for it in sorted(set(chosen["as_of"]))
    ]
    if not parts:
        return _make_trial(name, *_NOBODY, game)
    features, facts = (pd.concat(part, ignore_index=True) for part in zip(*parts, strict=True))
    return _make_trial(name, features, facts, game)


def _read_day(
    day: dt.date, users: pd.DataFrame, name: str, outcomes: Outcomes, lake: Lake, game: Game
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Features of users as of the day of their assignment, and what they did afterwards."""
    table, targets = user_features_table(game), targets_of(game)
    stored: pd.DataFrame = read_rows(table, day, lake, users[USER_ID]).to_pandas()
    rows = stored.merge(users, on=USER_ID).sort_values(USER_ID, ignore_index=True)
    target = targets[game.promotions[name].target]
    reached, _ = labels_of(target, rows[USER_ID], outcomes[target.name][day])
    _, spent = labels_of(targets[PAYMENT], rows[USER_ID], outcomes[PAYMENT][day])
    more_is_wanted = engagement_of(target.name, target.definition) > 0
    facts = rows[[USER_ID, "arm", "weight", "as_of"]].assign(
        wanted=reached.to_numpy() == more_is_wanted, spend=np.asarray(spent)
    )
    return with_groups(rows[table.names], rows), facts


def _make_trial(
    name: str, features: pd.DataFrame, facts: pd.DataFrame, game: Game
) -> PromotionTrial:
    target = targets_of(game)[game.promotions[name].target]
    shares = shares_of_arms(game, name)
    encoding = fit_encoding([features])
    trial = Trial(
        matrix=encode(features, encoding),
        treated=(facts["arm"] == TREATED).to_numpy(),
        wanted=facts["wanted"].to_numpy(bool),
        spend=facts["spend"].to_numpy(np.float64),
        propensity=np.full(len(facts), shares[TREATED] / (shares[TREATED] + shares[CONTROL])),
        folds=folds_of(facts[USER_ID]),
        weights=facts["weight"].to_numpy(np.float64),
        encoding=encoding,
    )
    days = facts["as_of"].to_numpy(object)
    direction = engagement_of(target.name, target.definition)
    return PromotionTrial(name, version_of(game, name), target.name, direction, trial, days)


_NOBODY = (
    pd.DataFrame(columns=[USER_ID]),
    pd.DataFrame(columns=[USER_ID, "arm", "weight", "as_of", "wanted", "spend"]),
)
"""Features and facts of no users."""
