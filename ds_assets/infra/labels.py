"""Label windows of stored activity, read through the engine."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from ds_assets.core import labels
from ds_assets.core.engine import DataFrame, plan_once
from ds_assets.core.game_tables import REFUNDS, stored_activity_table
from ds_assets.core.labels import is_matured, matures_on
from ds_assets.core.lineage import promotion_horizons
from ds_assets.core.models.monitoring.due_outcomes import find_due_outcomes
from ds_assets.core.schema import Table
from ds_assets.core.tables import PREDICTION_OUTCOMES, PROMOTION_RESULTS, PROMOTIONS
from ds_assets.core.targets import LabelRule, Target
from ds_assets.core.user_samples import sample_condition
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import between, columns_of_days


class StoredActivity(NamedTuple):
    """Stored activity that outcomes are read from.

    Attributes:
        days: Its days, in which a target's events are counted.
        share: Share of all users whose outcomes are read; see `sample_condition`.
    """

    days: Sequence[dt.date]
    share: float = 1.0


def find_stored_due_outcomes(records: Records, game: Game) -> list[dt.date]:
    """Find the stored predictions whose outcomes are due, as in `find_due_outcomes`, ascending.

    The outcomes of a day's promotions are due with them.
    """
    predictions = sorted(records.usable_days("predictions"))
    current = records.current_days(PREDICTION_OUTCOMES.name)
    due = find_due_outcomes(predictions, records.usable_days("user_activity"), current, game)
    return sorted({*due, *_find_due_promotions(records, game)})


def find_matured_promotions(records: Records, game: Game) -> list[dt.date]:
    """Find the days of assignments whose outcomes are known, ascending."""
    activity, horizons = records.usable_days("user_activity"), promotion_horizons(game)
    return [
        day
        for day in sorted(records.usable_days(PROMOTIONS.name))
        if any(is_matured(day, horizon, activity, game) for horizon in horizons)
    ]


def _find_due_promotions(records: Records, game: Game) -> set[dt.date]:
    if not game.promotions:
        return set()
    current = records.current_days(PROMOTION_RESULTS.name)
    return set(find_matured_promotions(records, game)) - current


def days_without_counts(target: Target, days: Iterable[dt.date], lake: Lake) -> list[dt.date]:
    """Stored days of `user_activity` whose events of a target's types were not counted.

    They were made before the game file named these types; until they are made again, a label window
    that they lie in says nothing.

    Args:
        target: What is predicted.
        days: Days that are stored.
        lake: Where they lie.
    """
    needed = set(target.label.count_columns)
    if not needed:
        return []
    columns_by_day = columns_of_days("user_activity", sorted(days), lake)
    return [day for day, columns in columns_by_day.items() if not needed <= columns]


def find_uncounted_days(
    target: Target, days: Sequence[dt.date], activity: Iterable[dt.date], lake: Lake, game: Game
) -> list[dt.date]:
    """Find the stored days without a target's events that outcomes of days are made of.

    Args:
        target: What is predicted.
        days: Days whose outcomes are asked for; at least one.
        activity: Days of stored activity.
        lake: Where they lie.
        game: Its grace for late logs.
    """
    last = matures_on(max(days), target.horizon, game)
    return days_without_counts(target, between(activity, min(days), last), lake)


def outcomes_at_maturity(
    target: Target,
    days: Iterable[dt.date],
    stored: Sequence[dt.date],
    lake: Lake,
    engine: LakeEngine,
    game: Game,
) -> dict[dt.date, pd.Series]:
    """Outcomes of days, each as known when its horizon is over; see `outcomes_of`.

    Args:
        target: What is predicted.
        days: Days whose horizon is over.
        stored: Days of stored activity, in which a target's events are counted.
        lake: Where it lies.
        engine: Engine that runs it.
        game: Its grace for late logs.

    Returns:
        By day, spend in the window by user id.
    """
    looks: dict[dt.date, list[dt.date]] = {}
    for day in days:
        looks.setdefault(matures_on(day, target.horizon, game), []).append(day)
    by_look = outcomes_of(target, looks, StoredActivity(stored), lake, engine, game)
    return {day: spend for of_look in by_look.values() for day, spend in of_look.items()}


def labels_of(
    target: Target, users: pd.Series, spend_by_user: pd.Series
) -> tuple[pd.Series, pd.Series | None]:
    """Label of each user and, for a target with an amount, what each of them spent.

    Args:
        target: What is predicted.
        users: User ids of a snapshot, each once.
        spend_by_user: What `outcomes_of` returned for it.
    """
    index = pd.Index(users)
    # One search for both; `isin` and `reindex` of texts take four times as long.
    places = index.get_indexer(spend_by_user.index)
    is_own = places >= 0
    reached, spend = np.zeros(len(index), dtype=bool), np.zeros(len(index))
    reached[places[is_own]] = True
    spend[places[is_own]] = spend_by_user.to_numpy(np.float64)[is_own]
    positive = pd.Series(~reached if target.label.is_negated else reached, index)
    return positive, None if target.amount_column is None else pd.Series(spend, index)


def outcomes_of(
    target: Target,
    snapshots: Mapping[dt.date, Sequence[dt.date]],
    activity: StoredActivity,
    lake: Lake,
    engine: LakeEngine,
    game: Game,
) -> dict[dt.date, dict[dt.date, pd.Series]]:
    """Spend of the users who reach the target's measure in the label windows of snapshots.

    Args:
        target: What is predicted.
        snapshots: Matured snapshots of each day at whose end one looks.
        activity: What is stored, with the target's events.
        lake: Where it lies.
        engine: Engine that runs it.
        game: Its grace for late logs.

    Returns:
        By day and snapshot, spend in the window by user id.
    """
    spend_by_day = {
        day: {snapshot: pd.Series(dtype=float) for snapshot in of_day}
        for day, of_day in snapshots.items()
    }
    all_snapshots = [snapshot for of_day in snapshots.values() for snapshot in of_day]
    if not all_snapshots:
        return spend_by_day
    arrived = between(activity.days, min(all_snapshots), max(snapshots))
    with (
        engine.read(arrived, _label_table(target, game), lake) as stored,
        labels.frame_of_windows(snapshots, target.horizon, game, engine) as windows,
    ):
        sampled = _sample(stored, activity.share, engine)
        rows = engine.to_pandas(_reaching(target.label, sampled, windows, game, engine))
    for _, users in rows.groupby(["as_of", "snapshot"]):
        day, snapshot = users["as_of"].iloc[0].date(), users["snapshot"].iloc[0].date()
        spend_by_day[day][snapshot] = users.set_index("user_id")["spend"].astype(float)
    return spend_by_day


@plan_once
def _sample(activity: DataFrame, share: float, engine: LakeEngine) -> DataFrame:
    """The rows of the users in the sample of a share."""
    del engine  # plans it
    return activity if share >= 1 else activity.where(sample_condition(share))


@plan_once
def _reaching(
    label: LabelRule, activity: DataFrame, windows: DataFrame, game: Game, engine: LakeEngine
) -> DataFrame:
    """Spend of the users who reach a label's measure; see `labels.outcomes`."""
    outcomes = labels.outcomes(activity, windows, game, tuple(label.count_columns), engine)
    reached = outcomes.where(f"{label.measure} >= {label.at_least}")
    return reached.select("as_of", "snapshot", "user_id", "spend")


def _label_table(target: Target, game: Game) -> Table:
    """The columns of `user_activity` that labels are made from."""
    names = {"user_id", "event_date", "activities", "purchases", "spend", REFUNDS}
    names.update(target.label.count_columns)
    table = stored_activity_table(game)
    return replace(table, columns=tuple(column for column in table.columns if column.name in names))
