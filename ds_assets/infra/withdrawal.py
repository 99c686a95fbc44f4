"""Withdrawal of what was delivered: of refused days, and of promotions that were withdrawn."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from ds_assets.core.tables import PREDICTION_OUTCOMES, PREDICTIONS, PROMOTION_RESULTS
from ds_assets.game import Game
from ds_assets.infra.cache.fill import fill_cache
from ds_assets.infra.cache.prediction_cache import CachePut, PredictionCache
from ds_assets.infra.installation_ids import lake_id
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.offers import offers_in_effect
from ds_assets.infra.lake.promotion_decisions import list_withdrawals
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.results.database import ResultsDatabase


def withdraw_from_results(records: Records, lake: Lake, results: ResultsDatabase) -> list[dt.date]:
    """Withdraw the predictions and reports of refused days from the results database.

    Returns:
        The days that were withdrawn, ascending.

    Raises:
        InputError: the database cannot be used, or its rows are another lake's; the message says
            what to do.
        ResultsUnavailable: the database cannot be used now.
    """

    def withdraw(days: Sequence[dt.date]) -> None:
        results.claim(lake_id(lake))
        results.withdraw(days)
        # They were among the reports: without a record they are due again once a day is accepted.
        for report in (PREDICTION_OUTCOMES, PROMOTION_RESULTS):
            records.withdraw(report.name, days)

    return _withdraw("rds_results", records, withdraw)


def withdraw_from_cache(records: Records, lake: Lake, cache: PredictionCache) -> list[dt.date]:
    """Withdraw the predictions of refused days from the cache.

    If the newest day is among them, the newest of the others has no record from then on, and is
    outdated: delivered again, it gives the cache the defaults of unknown users, and its users.

    Returns:
        The days that were withdrawn, ascending.

    Raises:
        InputError: its entries are another lake's.
        CacheUnavailable: the cache cannot be used.
    """

    def withdraw(days: Sequence[dt.date]) -> None:
        cache.claim(lake_id(lake))
        cache.withdraw(days)

    withdrawn = _withdraw("prediction_cache", records, withdraw)
    others = records.usable_days("prediction_cache")
    if withdrawn and others and max(others) < withdrawn[-1]:
        records.withdraw("prediction_cache", [max(others)])
    return withdrawn


def take_offers_out_of_cache(
    promotion: str, lake: Lake, cache: PredictionCache, game: Game
) -> Iterator[tuple[dt.date, CachePut]]:
    """Write the cached days again that may have offers of a withdrawn promotion, newest day first.

    A run that is delivering meanwhile may put them back: then its days are outdated, like all of
    these in the results database, and the sensor has them delivered again.

    Yields:
        Each day when it is written, and what was written.

    Raises:
        InputError: the cache's entries are another lake's.
        CacheUnavailable: the cache cannot be used.
    """
    records, offers = open_records(game, lake), partial(offers_in_effect, lake=lake, game=game)
    firsts = (it.first for it in list_withdrawals(lake) if it.promotion == promotion)
    first = min(firsts, default=dt.date.max)
    cached = records.recorded_days("prediction_cache").keys() & records.usable_files(
        PREDICTIONS.name
    )
    outdated = cached & set(records.outdated_days("prediction_cache"))
    for day in sorted((day for day in outdated if day >= first), reverse=True):
        yield from fill_cache([day], lake, cache, offers).items()


def _withdraw(
    asset: str, records: Records, take_out: Callable[[Sequence[dt.date]], None]
) -> list[dt.date]:
    delivered = sorted(records.refused_days() & set(records.recorded_days(asset)))
    if delivered:
        take_out(delivered)
        records.withdraw(asset, delivered)
    return delivered
