"""What the users did that promotions were assigned to, read through the engine.

Scope: from stored assignments and activity to the rows of `PROMOTION_OUTCOMES`. What they say of a
promotion is in `core.promotions`.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from ds_assets.core.game_settings import ACTIVITY
from ds_assets.core.labels import is_matured, matures_on
from ds_assets.core.lineage import promotion_horizons
from ds_assets.core.models.evaluation.metrics import ALL
from ds_assets.core.open_days import add_open_days
from ds_assets.core.promotions.first_assignments import find_first_assignments
from ds_assets.core.promotions.moments import summarize
from ds_assets.core.promotions.results import COST, SHOWN
from ds_assets.core.promotions.terms import (
    PROFIT,
    SPEND,
    covariates_of,
    holdout_version,
    measured_targets,
)
from ds_assets.core.promotions.versions import VersionName
from ds_assets.core.promotions.waves import Terms
from ds_assets.core.tables import PROMOTION_OUTCOMES, PROMOTION_SHOWN, PROMOTIONS
from ds_assets.core.targets import CHURN, PAYMENT, Target
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.labels import find_uncounted_days, labels_of, outcomes_at_maturity
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import between, read_columns

Spend = pd.Series
"""Spend by user id of the users who reached a target in a label window."""


@dataclass(frozen=True)
class MeasuredDay:
    """The outcomes of a day's assignments.

    Attributes:
        rows: The columns of `PROMOTION_OUTCOMES`.
        missing: Why a promotion has no rows, in words.
    """

    rows: pd.DataFrame
    missing: dict[str, str] = field(default_factory=dict)


def measure_days(
    days: Sequence[dt.date],
    terms: Mapping[VersionName, Terms],
    records: Records,
    lake: Lake,
    engine: LakeEngine,
    game: Game,
) -> dict[dt.date, MeasuredDay]:
    """Measure the outcomes of the users that were first assigned on days.

    Args:
        days: Days of assignments.
        terms: The terms of each version.
        records: Says which stored days count.
        lake: Where they are stored.
        engine: Engine that runs it.
        game: The game.
    """
    if not days:
        return {}
    activity = list(records.usable_files(ACTIVITY))
    spend = {
        name: find_outcomes(target, days, activity, lake, engine, game)
        for name, target in measured_targets(game).items()
    }
    stored = list(records.usable_files(PROMOTIONS.name))
    users = read_first_assignments(days, stored, lake, engine, game)
    return {
        day: _measure_day(
            day,
            users[users["as_of"] == day],
            {name: by_day[day] for name, by_day in spend.items() if day in by_day},
            _find_shown(day, records, lake, game),
            terms,
            game,
        )
        for day in days
    }


def _find_shown(day: dt.date, records: Records, lake: Lake, game: Game) -> set[str]:
    """Ids of assignments whose offer was shown, as known when the last horizon is over."""
    last = matures_on(day, max(promotion_horizons(game)), game)
    stored = between(records.usable_files(PROMOTION_SHOWN.name), day, last)
    frames = (read_columns(PROMOTION_SHOWN.name, it, ["assignment_id"], lake) for it in stored)
    return {it for frame in frames for it in frame["assignment_id"]}


def find_outcomes(
    target: Target,
    days: Sequence[dt.date],
    activity: Sequence[dt.date],
    lake: Lake,
    engine: LakeEngine,
    game: Game,
) -> dict[dt.date, Spend]:
    """The users who reached a target, of each day whose horizon is over.

    Args:
        target: The target.
        days: Days of assignments; at least one.
        activity: Days of stored activity.
        lake: Where it lies.
        engine: Engine that runs it.
        game: The game.
    """
    uncounted = find_uncounted_days(target, days, activity, lake, game)
    counted = [day for day in activity if day not in uncounted]
    over = [day for day in days if is_matured(day, target.horizon, counted, game)]
    return outcomes_at_maturity(target, over, counted, lake, engine, game)


def read_first_assignments(
    days: Sequence[dt.date], stored: Sequence[dt.date], lake: Lake, engine: LakeEngine, game: Game
) -> pd.DataFrame:
    """The users that promotions were first assigned to on days, with dates as `datetime.date`.

    Args:
        days: Days of assignments; at least one.
        stored: All days of assignments that count.
        lake: Where they lie.
        engine: Engine that runs it.
        game: The game.
    """
    horizon = game.horizon_of(PAYMENT)
    windows = [(day, add_open_days(day, horizon, game.closed_days)) for day in days]
    last = max(until for _, until in windows)
    with (
        engine.read(between(stored, min(stored), last), PROMOTIONS, lake) as assignments,
        engine.values(windows, "day date, until date") as frame,
    ):
        users = engine.to_pandas(find_first_assignments(assignments, frame, engine))
    # Sums must not depend on the order in which an engine returns rows.
    ordered = users.sort_values(["promotion", "user_id"], ignore_index=True)
    return ordered.assign(as_of=pd.to_datetime(ordered["as_of"]).dt.date)


def _measure_day(
    day: dt.date,
    users: pd.DataFrame,
    spend: Mapping[str, Spend],
    shown: Collection[str],
    terms: Mapping[VersionName, Terms],
    game: Game,
) -> MeasuredDay:
    parts: list[pd.DataFrame] = []
    missing: dict[str, str] = {}
    is_of_all = users["promotion"] == ALL
    named = users.assign(
        version=users["version"].mask(is_of_all, holdout_version(game)),
        # Of all promotions together, it would be the offers of the first day only.
        **{SHOWN: users["assignment_id"].isin(shown) & ~is_of_all},
    )
    for (promotion, version), of_version in named.groupby(["promotion", "version"]):
        name = (str(promotion), str(version))
        if name not in terms:
            if name[0] != ALL:  # without a holdout there is nothing to compare all with
                missing[name[0]] = f"version {version} ended before its first outcomes were known"
        elif waiting := {CHURN, PAYMENT, terms[name].target} - spend.keys():
            missing[name[0]] = f"the outcomes of {', '.join(sorted(waiting))} are not known yet"
        else:
            parts.append(_summarize_version(day, name, of_version, spend, terms[name], game))
    # Without a type: a missing number is no date.
    nothing = pd.DataFrame(columns=PROMOTION_OUTCOMES.names, dtype=object)
    rows = pd.concat(parts, ignore_index=True) if parts else nothing
    return MeasuredDay(rows.reindex(columns=PROMOTION_OUTCOMES.names), missing)


def _summarize_version(
    day: dt.date,
    name: VersionName,
    users: pd.DataFrame,
    spend: Mapping[str, Spend],
    terms: Terms,
    game: Game,
) -> pd.DataFrame:
    observed = users.set_index("user_id", drop=False)
    targets = measured_targets(game)
    for target in {CHURN, PAYMENT, terms.target}:
        labels, spent = labels_of(targets[target], observed["user_id"], spend[target])
        observed[target] = labels
        if target == PAYMENT and spent is not None:
            observed[SPEND] = spent
    observed[PROFIT] = observed[SPEND] - observed[COST]
    rows = summarize(observed.reset_index(drop=True), covariates_of(terms.target))
    promotion, version = name
    return rows.assign(
        as_of=day,
        promotion=promotion,
        version=version,
        target=terms.target,
        detects=terms.detects,
        share=rows["arm"].map(dict(terms.shares)).astype(float),
        ends=terms.ends,
    )
