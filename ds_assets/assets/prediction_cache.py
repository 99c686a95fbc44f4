"""The day's predictions and offers in the cache, for the hot path; a newer day always stays."""

from functools import partial

import dagster as dg

from ds_assets.daily_assets import daily_asset, days_of, days_with, recording, report_days
from ds_assets.game import Game
from ds_assets.infra.cache.fill import fill_cache
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.offers import offers_in_effect


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `prediction_cache`."""

    @daily_asset(
        game,
        "prediction_cache",
        "delivery",
        {"cache"},
        __doc__,
    )
    def prediction_cache(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        cache: dg.ResourceParam[PredictionCache],
    ) -> None:
        days = days_with(days_of(context), "predictions", lake, context, game)
        with recording(context, days, lake, game):
            puts = fill_cache(days, lake, cache, partial(offers_in_effect, lake=lake, game=game))
        report_days(
            context,
            {day: {"written": p.written, "kept_newer": p.kept_newer} for day, p in puts.items()},
        )

    return prediction_cache
