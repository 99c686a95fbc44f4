"""Withdrawal of delivered days that were refused, from the results database and the cache."""

import datetime as dt
from collections.abc import Callable, Sequence

from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.results.database import ResultsDatabase


def withdraw_from_results(records: Records, results: ResultsDatabase) -> list[dt.date]:
    """Withdraw the predictions and reports of refused days from the results database.

    Returns:
        The days that were withdrawn, ascending.

    Raises:
        InputError: the database cannot be used, and the message says what to do.
        ResultsUnavailable: the database cannot be used now.
    """
    return _withdraw("rds_results", records, results.withdraw)


def withdraw_from_cache(records: Records, cache: PredictionCache) -> list[dt.date]:
    """Withdraw the predictions of refused days from the cache.

    If the newest day is among them, the newest of the others has no record from then on, and is
    outdated: delivered again, it gives the cache the defaults of unknown users, and its users.

    Returns:
        The days that were withdrawn, ascending.

    Raises:
        CacheUnavailable: the cache cannot be used.
    """
    withdrawn = _withdraw("prediction_cache", records, cache.withdraw)
    others = records.usable_days("prediction_cache")
    if withdrawn and others and max(others) < withdrawn[-1]:
        records.withdraw("prediction_cache", [max(others)])
    return withdrawn


def _withdraw(
    asset: str, records: Records, take_out: Callable[[Sequence[dt.date]], None]
) -> list[dt.date]:
    delivered = sorted(records.refused_days() & set(records.recorded_days(asset)))
    if delivered:
        take_out(delivered)
        records.withdraw(asset, delivered)
    return delivered
