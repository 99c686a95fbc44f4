"""Did it come true? A day's predictions beside what happened, once their horizon is over."""

import datetime as dt
import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.contracts import conform
from ds_assets.core.encoding import USER_GROUP, USER_ID
from ds_assets.core.labels import label_days, matures_on
from ds_assets.core.lineage import lineage_of
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.models.evaluation.metrics import ALL
from ds_assets.core.models.monitoring.outcomes import ObservedOutcomes, compare
from ds_assets.core.stored_documents import DamagedDayError
from ds_assets.core.tables import PREDICTION_OUTCOMES, TARGET_PREDICTIONS
from ds_assets.core.targets import Target, targets_of
from ds_assets.core.user_groups import shorten_group
from ds_assets.daily_assets import (
    DATABASE_POOL,
    daily_asset,
    days_of,
    days_with,
    recording,
    report_days,
    table_schema,
    warn,
)
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.installation_ids import lake_id
from ds_assets.infra.labels import find_uncounted_days, labels_of, outcomes_at_maturity
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.models import drift_of, stored_card
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import (
    read_predictions,
    read_rows,
    read_target_batches,
    store_rows,
    table_file,
)
from ds_assets.infra.results.database import ResultsDatabase

TABLE = "prediction_outcomes"
_DRIFTS_SHOWN = 5
_EARLY = (
    "the predictions were early ones: no trained model promised anything, and the cards of the "
    "days after show how good early models were"
)


@dataclass(frozen=True)
class DayOutcomes:
    """The outcomes of a day's predictions.

    Attributes:
        rows: The columns of `PREDICTION_OUTCOMES`; without a row for what is not over yet.
        drift: Stability index of each feature, by target, the largest first.
        missing: Why a target has no rows, or those of before, in words.
    """

    rows: pd.DataFrame
    drift: dict[str, dict[str, float]]
    missing: dict[str, str]


def update(
    days: Sequence[dt.date], lake: Lake, engine: LakeEngine, game: Game
) -> dict[dt.date, DayOutcomes]:
    """Compare predictions of days with what happened; store one row per target and group.

    Rows of a target that has changed since, or that the game no longer has, stay as they are: they
    are the history of what was predicted.
    """
    activity = Records(lineage_of(game), lake).usable_files("user_activity")
    parts_by_day: dict[dt.date, dict[str, _Compared | str]] = {day: {} for day in days}
    changes_by_day: dict[dt.date, dict[str, str]] = {day: {} for day in days}
    for target in targets_of(game).values():
        for day in days:
            if words := _describe_change(target, day, lake):
                changes_by_day[day][target.name] = words
        unchanged = [day for day in days if target.name not in changes_by_day[day]]
        for day, part in _compare_days(target, unchanged, activity, lake, engine, game).items():
            parts_by_day[day][target.name] = part
    return {day: _store_day(day, parts_by_day[day], changes_by_day[day], lake) for day in days}


def deliver(
    outcomes_by_day: Mapping[dt.date, DayOutcomes], lake: Lake, results: ResultsDatabase
) -> None:
    """Put outcomes into the results database.

    Raises:
        InputError: the database's rows of the installation's name are another lake's.
    """
    results.claim(lake_id(lake))
    for day, outcomes in outcomes_by_day.items():
        results.put_report(PREDICTION_OUTCOMES, day, conform(PREDICTION_OUTCOMES, outcomes.rows))


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `prediction_outcomes`."""

    @daily_asset(
        game,
        TABLE,
        "predictions",
        {"engine", "results"},
        __doc__,
        pool=DATABASE_POOL,
        metadata=table_schema(PREDICTION_OUTCOMES),
    )
    def prediction_outcomes(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[LakeEngine],
        results: dg.ResourceParam[ResultsDatabase],
    ) -> None:
        days = days_with(days_of(context), "predictions", lake, context, game)
        with recording(context, days, lake, game):
            outcomes_by_day = update(days, lake, engine, game)
            deliver(outcomes_by_day, lake, results)
        report_days(
            context, {day: _metadata(outcomes) for day, outcomes in outcomes_by_day.items()}
        )

    return prediction_outcomes


@dataclass(frozen=True)
class _Compared:
    """Rows and drift of a target."""

    rows: pd.DataFrame
    drift: dict[str, float]


def _compare_days(
    target: Target,
    days: Sequence[dt.date],
    activity: Iterable[dt.date],
    lake: Lake,
    engine: LakeEngine,
    game: Game,
) -> dict[dt.date, _Compared | str]:
    """Compare predictions of a target with what happened; words for days without outcomes."""
    if not days:
        return {}
    uncounted = find_uncounted_days(target, days, activity, lake, game)
    counted = [day for day in activity if day not in uncounted]
    waiting = {day: _find_missing_days(day, target, counted, game) for day in days}
    over = [day for day, absent in waiting.items() if not absent]
    spend_by_day = outcomes_at_maturity(target, over, counted, lake, engine, game)
    return {
        day: (
            _explain_missing(day, target, absent, uncounted, game)
            if absent
            else _compare_with_outcomes(target, day, spend_by_day[day], lake, game)
        )
        for day, absent in waiting.items()
    }


def _explain_missing(
    day: dt.date,
    target: Target,
    absent: Sequence[dt.date],
    uncounted: Sequence[dt.date],
    game: Game,
) -> str:
    """Why the outcomes of a day's predictions are unknown, in words."""
    again = [arrival for arrival in absent if arrival in uncounted]
    if again:
        return (
            f"user_activity of {', '.join(map(str, again))} was made before the events of this "
            "target were counted; materialize user_activity of these days again"
        )
    return (
        f"known at the end of {matures_on(day, target.horizon, game)}; "
        f"there is no activity yet of {', '.join(map(str, absent))}"
    )


def _find_missing_days(
    day: dt.date, target: Target, activity: Container[dt.date], game: Game
) -> list[dt.date]:
    """Days without which the outcomes of a day's predictions are unknown."""
    return [arrival for arrival in label_days(day, target.horizon, game) if arrival not in activity]


def _describe_change(target: Target, day: dt.date, lake: Lake) -> str | None:
    """Why a day's predictions are not of the target as it is defined now; None if they are."""
    try:
        card = stored_card(target.name, day, ModelCard, lake)
    except InputError as error:
        warn(str(error))
        return f"the model that made the predictions cannot be read: {error}"
    if card is not None and card.definition != target.definition:
        return "the target was defined otherwise when the predictions were made"
    if card is not None and card.horizon != target.horizon:
        return f"the horizon was {card.horizon} days when the predictions were made"
    return None


def _compare_with_outcomes(
    target: Target, day: dt.date, spend: pd.Series, lake: Lake, game: Game
) -> _Compared | str:
    """Compare a day's predictions with what happened; words where there are none."""
    card = stored_card(target.name, day, ModelCard, lake)
    rows = _read_predicted(target, day, lake)
    if card is None or card.state != "ready" or rows.empty:
        is_early = card is not None and card.early is not None
        return _EARLY if is_early else "there was not enough data for predictions"
    try:
        drift = drift_of(card, day, lake, game)
    except InputError as error:  # of the clusters, which nothing else needs here
        warn(f"no drift of {target.name}: {error}")
        drift = {}
    return _Compared(compare(target, day, _observe(target, rows, spend), card, drift), drift)


def _read_predicted(target: Target, day: dt.date, lake: Lake) -> pd.DataFrame:
    """Columns user_id, user_group, probability and amount of the users with a prediction."""
    amounts = [] if target.amount_column is None else [target.amount_column]
    if target.is_built_in:
        columns = [USER_ID, USER_GROUP, target.probability_column, *amounts]
        rows: pd.DataFrame = read_predictions(day, lake, columns).to_pandas()
        rows["probability"] = rows[target.probability_column]
    else:
        own = _read_own(target, [USER_ID, "probability", *amounts], day, lake)
        rows = read_predictions(day, lake, [USER_ID, USER_GROUP]).to_pandas().merge(own, on=USER_ID)
    rows["amount"] = rows[target.amount_column] if amounts else None
    predicted = rows[[USER_ID, USER_GROUP, "probability", "amount"]]
    return predicted[predicted["probability"].notna()]


def _read_own(target: Target, columns: Sequence[str], day: dt.date, lake: Lake) -> pd.DataFrame:
    """Columns of the predictions of one of the game's own targets."""
    schema = pa.schema([TARGET_PREDICTIONS.arrow_schema.field(name) for name in columns])
    batches = (
        batch.filter(pc.equal(batch["target"], target.name)).select(columns)
        for batch in read_target_batches(day, lake, ["target", *columns])
    )
    rows: pd.DataFrame = pa.Table.from_batches(batches, schema=schema).to_pandas()
    return rows


def _observe(target: Target, rows: pd.DataFrame, spend: pd.Series) -> ObservedOutcomes:
    labels, spent = labels_of(target, rows["user_id"], spend)
    is_expected = target.amount_column is not None and bool(rows["amount"].notna().all())
    return ObservedOutcomes(
        rows["probability"].to_numpy(dtype=np.float64),
        labels.to_numpy(dtype=bool),
        # Predictions that were stored by version 0.1.0 have groups without a bound.
        rows[USER_GROUP].fillna("").map(shorten_group).to_numpy(dtype=object),
        rows["amount"].to_numpy(dtype=np.float64) if is_expected else None,
        None if spent is None else spent.to_numpy(dtype=np.float64),
    )


def _store_day(
    day: dt.date, parts: Mapping[str, _Compared | str], changes: Mapping[str, str], lake: Lake
) -> DayOutcomes:
    """Store the rows of a day, with the stored ones of targets that are not compared again.

    Args:
        day: The day of the predictions.
        parts: What was compared, by target, or why it was not.
        changes: How other targets of the game have changed since, in words.
        lake: Where to store them.
    """
    compared = {target: part for target, part in parts.items() if isinstance(part, _Compared)}
    before = _read_stored(day, lake)
    kept = before[~before["target"].isin(parts)]
    frames = [part.rows for part in compared.values()]
    rows = pd.concat([*frames, kept], ignore_index=True) if frames else kept
    store_rows(conform(PREDICTION_OUTCOMES, rows), TABLE, day, lake)
    drift = {target: part.drift for target, part in compared.items()}
    missing = {target: part for target, part in parts.items() if isinstance(part, str)}
    return DayOutcomes(rows, drift, missing | dict(changes))


def _read_stored(day: dt.date, lake: Lake) -> pd.DataFrame:
    """The stored outcomes of a day; no rows where there are none, or where they are damaged."""
    no_rows = pd.DataFrame(columns=PREDICTION_OUTCOMES.names)
    if not lake.exists(table_file(TABLE, day)):
        return no_rows
    try:
        rows: pd.DataFrame = read_rows(PREDICTION_OUTCOMES, day, lake).to_pandas()
    except DamagedDayError as error:
        warn(f"{error.what}; outcomes of targets that have changed since {day} are lost with it")
        return no_rows
    return rows


def _metadata(outcomes: DayOutcomes) -> dict[str, object]:
    """Numbers that the UI plots over days, those of all users by target; and why they moved."""
    shown: dict[str, object] = {"dagster/partition_row_count": len(outcomes.rows)}
    shown |= {f"{target}_missing": words for target, words in outcomes.missing.items()}
    for row in outcomes.rows[outcomes.rows["segment"] == ALL].to_dict("records"):
        target = row.pop("target")
        numbers = {name: value for name, value in row.items() if isinstance(value, float)}
        finite = {name: value for name, value in numbers.items() if not math.isnan(value)}
        shown |= {f"{target}_{name}": value for name, value in finite.items()}
        shown[f"{target}_users"] = int(row["users"])
        shown[f"{target}_verdict"] = str(row["verdict"])
        if pd.notna(row["spend_verdict"]):
            shown[f"{target}_spend_verdict"] = str(row["spend_verdict"])
    for about, drift in outcomes.drift.items():
        largest = list(drift.items())[:_DRIFTS_SHOWN]
        shown[f"{about}_drifted_most"] = ", ".join(f"{name} {index:.2f}" for name, index in largest)
    return shown
