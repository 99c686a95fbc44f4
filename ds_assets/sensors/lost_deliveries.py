"""Deliveries that the results database or the cache should not have, or has lost.

Those of days that were refused afterwards are withdrawn from both.

A server that was replaced, emptied or restored from a backup does not hold what the lake's records
say: the record is withdrawn then. Without its record a delivery is missing, and `outdated_days`
requests it again.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

from ds_assets.core.lineage import days_until_outcomes
from ds_assets.core.schema import Table
from ds_assets.core.stored_documents import DamagedDayError
from ds_assets.core.tables import PREDICTION_OUTCOMES, PROMOTION_RESULTS
from ds_assets.errors import InputError, Unavailable
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.installation_ids import lake_id
from ds_assets.infra.lake.adoption import UNKNOWN_DELIVERY
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import read_rows
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.infra.withdrawal import withdraw_from_cache, withdraw_from_results
from ds_assets.sensors.run_requests import SensorEvaluation

LostDays = Mapping[str, Sequence[dt.date]]
"""Days that a server no longer holds, ascending, by asset."""
_OF_OUTCOMES = (PREDICTION_OUTCOMES, PROMOTION_RESULTS)
"""Reports of days whose horizon is over."""
INTERVAL = dt.timedelta(minutes=10)
"""Servers are asked this often: one that does not answer holds up the evaluation."""


def withdraw_lost_deliveries(
    evaluation: SensorEvaluation, results: ResultsDatabase, cache: PredictionCache
) -> None:
    """Withdraw the records of days that a server no longer holds, with a warning.

    It waits while any run is in progress, which may be delivering.
    """
    cursor, now = evaluation.cursor, evaluation.now
    if now - cursor.deliveries_checked < INTERVAL or evaluation.is_busy:
        return
    cursor.deliveries_checked = now
    lake = evaluation.lake

    def find_lost_in_database(records: Records) -> LostDays:
        results.refuse_foreign(lake_id(lake))
        return {
            "rds_results": _lost_in_database(records, results),
            **{it.name: _lost_outcomes(it, records, lake, results) for it in _OF_OUTCOMES},
        }

    def find_lost_in_cache(records: Records) -> LostDays:
        cache.refuse_foreign(lake_id(lake))
        return {"prediction_cache": _lost_in_cache(records, cache, now)}

    lost = {
        **_find_lost(evaluation, "rds_results", find_lost_in_database),
        **_find_lost(evaluation, "prediction_cache", find_lost_in_cache),
    }
    _withdraw_outcomes(evaluation, lost.get("rds_results", ()))
    for asset, days in lost.items():
        _withdraw(evaluation, asset, days)


def withdraw_refused_days(
    evaluation: SensorEvaluation, results: ResultsDatabase, cache: PredictionCache
) -> None:
    """Withdraw delivered days that were refused afterwards, with a warning.

    It waits while any run is in progress, which may be delivering.
    """
    records, lake = evaluation.records, evaluation.lake
    if evaluation.is_busy or not records.refused_days():
        return
    withdrawals: dict[str, Callable[[], list[dt.date]]] = {
        "rds_results": lambda: withdraw_from_results(records, lake, results),
        "prediction_cache": lambda: withdraw_from_cache(records, lake, cache),
    }
    for asset, withdraw in withdrawals.items():
        try:
            withdrawn = withdraw()
        except (InputError, Unavailable) as error:
            evaluation.warnings.append(f"Refused days are not withdrawn from {asset}: {error}")
            continue
        if withdrawn:
            days = ", ".join(map(str, withdrawn))
            evaluation.warnings.append(f"{days} withdrawn from {asset}, as refused.")


def _find_lost(
    evaluation: SensorEvaluation, asset: str, find: Callable[[Records], LostDays]
) -> LostDays:
    try:
        return find(evaluation.records)
    except (InputError, Unavailable) as error:
        evaluation.warnings.append(f"Whether {asset} still holds its days is unknown: {error}")
        return {}


def _withdraw(evaluation: SensorEvaluation, asset: str, lost: Sequence[dt.date]) -> None:
    if lost:
        evaluation.records.withdraw(asset, lost)
        evaluation.warnings.append(
            f"{asset} has lost {len(lost)} days, {lost[0]} to {lost[-1]}, that were delivered; "
            "they are delivered again."
        )


def _withdraw_outcomes(evaluation: SensorEvaluation, lost: Sequence[dt.date]) -> None:
    """Withdraw the records of outcomes that were delivered since the first lost day.

    A database that was restored lacks them, too, or holds earlier ones.
    """
    if lost:
        first = lost[0] - dt.timedelta(days=days_until_outcomes(evaluation.game))
        for report in _OF_OUTCOMES:
            recorded = evaluation.records.recorded_days(report.name)
            outcomes = [day for day in recorded if day >= first]
            evaluation.records.withdraw(report.name, outcomes)


def _lost_in_database(records: Records, results: ResultsDatabase) -> list[dt.date]:
    """Days whose rows are missing or others; days before the oldest one have been retired."""
    checksums = {delivery.as_of: delivery.checksum for delivery in results.deliveries()}
    oldest = min(checksums, default=dt.date.min)
    return [
        day
        for day, record in sorted(records.recorded_days("rds_results").items())
        if day >= oldest
        and (day not in checksums or record.content not in {UNKNOWN_DELIVERY, checksums[day]})
    ]


def _lost_outcomes(
    report: Table, records: Records, lake: Lake, results: ResultsDatabase
) -> list[dt.date]:
    """Days whose outcomes are missing; days before the oldest one have been retired."""
    delivered = results.report_days(report)
    oldest = min(delivered, default=dt.date.min)
    return [
        day
        for day in sorted(records.usable_files(report.name))
        if day >= oldest and day not in delivered and _has_rows(report, day, lake)
    ]


def _has_rows(report: Table, day: dt.date, lake: Lake) -> bool:
    try:
        return bool(read_rows(report, day, lake).num_rows)
    except DamagedDayError:  # the run that makes them again reports it
        return True


def _lost_in_cache(records: Records, cache: PredictionCache, now: dt.datetime) -> list[dt.date]:
    """The days whose values have not expired yet, if the newest of them is missing."""
    days = sorted(records.recorded_days("prediction_cache"))
    if not days:
        return []
    newest = records.read("prediction_cache", days[-1])
    if newest is None or now - newest.recorded_at >= cache.time_to_live:
        return []
    current = cache.current_day()
    if current is not None and current >= days[-1]:
        return []
    # Counted from the newest predictions: days that were found lost, and wait for their delivery,
    # have no record.
    served = max(records.usable_days("predictions"), default=days[-1])
    return [day for day in days if served - day < cache.time_to_live]
