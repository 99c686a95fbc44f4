"""What promotions changed: users with them compared with users that were kept without them."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
import pandas as pd

from ds_assets.core.contracts import conform
from ds_assets.core.lineage import lineage_of
from ds_assets.core.promotions.result_picture import effects_picture
from ds_assets.core.promotions.results import headlines_of, results_of
from ds_assets.core.promotions.terms import current_terms, outcomes_of
from ds_assets.core.promotions.versions import terms_by_version, versions_on
from ds_assets.core.tables import PROMOTION_OUTCOMES, PROMOTION_RESULTS, PROMOTIONS
from ds_assets.daily_assets import (
    DATABASE_POOL,
    daily_asset,
    days_of,
    days_with,
    picture,
    pictured_days,
    recording,
    report_days,
    table_schema,
)
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.installation_ids import lake_id
from ds_assets.infra.labels import find_matured_promotions
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.promotion_decisions import list_withdrawals
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import read_rows, store_rows, stored_days
from ds_assets.infra.promotion_outcomes import MeasuredDay, measure_days
from ds_assets.infra.results.database import ResultsDatabase

TABLE = PROMOTION_RESULTS.name


@dataclass(frozen=True)
class DayResults:
    """What is known of promotions on a day.

    Attributes:
        rows: The columns of `PROMOTION_RESULTS`.
        missing: Why a promotion's users of the day are not counted, in words.
    """

    rows: pd.DataFrame
    missing: Mapping[str, str]


def update(
    days: Sequence[dt.date], lake: Lake, engine: LakeEngine, game: Game
) -> dict[dt.date, DayResults]:
    """Measure the outcomes of days of assignments, and store what is known of promotions then."""
    records = Records(lineage_of(game), lake)
    refused, usable = records.refused_days(), records.usable_days(PROMOTIONS.name)
    stored = [day for day in stored_days(PROMOTION_OUTCOMES.name, lake) if day not in refused]
    # Without an earlier day, results would depend on the order in which days are run.
    earlier = [day for day in find_matured_promotions(records, game) if day < max(days)]
    again = sorted({*days}.intersection(usable) | {*earlier}.difference(stored))
    kept = [read_rows(PROMOTION_OUTCOMES, day, lake) for day in stored if day not in again]
    before = _concatenate([rows.to_pandas() for rows in kept])
    terms = terms_by_version(before) | current_terms(game)
    measured = measure_days(again, terms, records, lake, engine, game)
    for day, of_day in measured.items():
        rows = conform(PROMOTION_OUTCOMES, of_day.rows)
        store_rows(rows, PROMOTION_OUTCOMES.name, day, lake)
    outcomes = _concatenate([before, *(of_day.rows for of_day in measured.values())])
    return {day: _store_day(day, outcomes, measured.get(day), lake, game) for day in days}


def deliver(
    results_by_day: Mapping[dt.date, DayResults], lake: Lake, results: ResultsDatabase
) -> None:
    """Put results into the results database.

    Raises:
        InputError: the database's rows of the installation's name are another lake's.
    """
    results.claim(lake_id(lake))
    for day, of_day in results_by_day.items():
        results.put_report(PROMOTION_RESULTS, day, conform(PROMOTION_RESULTS, of_day.rows))


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `promotion_results`."""

    @daily_asset(
        game,
        TABLE,
        "predictions",
        {"engine", "results", "matplotlib"},
        __doc__,
        pool=DATABASE_POOL,
        metadata=table_schema(PROMOTION_RESULTS),
    )
    def promotion_results(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[LakeEngine],
        results: dg.ResourceParam[ResultsDatabase],
    ) -> None:
        days = days_with(days_of(context), "predictions", lake, context, game)
        with recording(context, days, lake, game):
            results_by_day = update(days, lake, engine, game)
            deliver(results_by_day, lake, results)
        metadata = {day: _metadata(of_day) for day, of_day in results_by_day.items()}
        for day in pictured_days(days):
            metadata[day] |= _draw(results_by_day[day].rows, game)
        report_days(context, metadata)

    return promotion_results


def _concatenate(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return pd.DataFrame(columns=PROMOTION_OUTCOMES.names)
    return pd.concat(filled, ignore_index=True)


def _store_day(
    day: dt.date, outcomes: pd.DataFrame, measured: MeasuredDay | None, lake: Lake, game: Game
) -> DayResults:
    versions = versions_on(day, outcomes, current_terms(game).keys())
    rows = results_of(versions, outcomes_of(game), day, list_withdrawals(lake))
    store_rows(conform(PROMOTION_RESULTS, rows), TABLE, day, lake)
    return DayResults(rows, {} if measured is None else measured.missing)


def _metadata(of_day: DayResults) -> dict[str, object]:
    """What came out of each promotion, in words."""
    shown: dict[str, object] = {"dagster/partition_row_count": len(of_day.rows)}
    shown |= {f"{promotion}_missing": words for promotion, words in of_day.missing.items()}
    for row in headlines_of(of_day.rows).to_dict("records"):
        name = f"{row['promotion']}_{row['outcome']}_{row['arm']}"
        shown[name] = row["words"]
        if row["state"] == "result":
            shown[f"{name}_effect"] = float(row["effect"])
    return shown


def _draw(rows: pd.DataFrame, game: Game) -> dict[str, object]:
    drawn = headlines_of(rows)
    drawn = drawn[(drawn["state"] == "result") & drawn["p_value"].notna()]
    if drawn.empty:
        return {}
    return {"effects": picture("effects", effects_picture(drawn, outcomes_of(game)))}
