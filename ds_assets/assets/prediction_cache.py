"""The day's predictions in the cache, for the hot path; a newer day is never overwritten."""

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from ds_assets.assets.daily import daily_asset, days_of, days_with, report_days
from ds_assets.assets.predictions import read_predictions
from ds_assets.game import Game
from ds_assets.resources.cache import CachePut, PredictionCache
from ds_assets.resources.configurable import CacheResource, LakeResource
from ds_assets.resources.lake import Lake


def update(days: Sequence[dt.date], lake: Lake, cache: PredictionCache) -> dict[dt.date, CachePut]:
    """Put each day's predictions into the cache.

    The newest day goes first: what it holds, older days need not overwrite.
    """
    return {day: cache.put(day, read_predictions(day, lake)) for day in sorted(days, reverse=True)}


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `prediction_cache`."""

    @daily_asset(
        game,
        "delivery",
        {"redis"},
        __doc__,
        # After the results, so that a reader never finds a newer day here than there.
        deps=["rds_results", "predictions"],
    )
    def prediction_cache(
        context: dg.AssetExecutionContext, lake: LakeResource, cache: CacheResource
    ) -> None:
        store = lake.open()
        days = days_with(days_of(context), "predictions", store, context)
        with cache.open() as opened:
            puts = update(days, store, opened)
        report_days(
            context,
            {day: {"written": p.written, "kept_newer": p.kept_newer} for day, p in puts.items()},
        )

    return prediction_cache
