"""The prediction service of this installation, put together from the settings, without Dagster."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from ds_assets.game import load_game
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.lake.open import open_lake
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.serving.answer import calendar_of
from ds_assets.serving.live_model import LakeModel
from ds_assets.serving.service import PredictionService
from ds_assets.serving.sources import REQUEST_TIMEOUT_S
from ds_assets.settings import load_settings


@contextmanager
def installed_service(timeout: float = REQUEST_TIMEOUT_S) -> Iterator[PredictionService]:
    """The service, connected while the context lasts.

    Args:
        timeout: Seconds within which it answers, whatever is down.

    Raises:
        InputError: a setting or the game file is not acceptable.
    """
    settings = load_settings()
    game = load_game(settings.game)
    location = settings.cache_url or settings.cache_folder
    with (
        PredictionCache(location, game.name, settings.cache_days) as cache,
        ResultsDatabase(settings.results_url) as results,
    ):
        lake = open_lake(settings.lake_url, settings.lake, settings.lake_cache)
        yield PredictionService(cache, results, LakeModel(lake, game), calendar_of(game), timeout)


@asynccontextmanager
async def running_service() -> AsyncIterator[PredictionService]:
    """The service on this event loop, which knows the newest day, and looks for newer ones.

    Raises:
        InputError: a setting or the game file is not acceptable.
    """
    with installed_service() as service:
        await service.warm()
        await service.refresh()
        fresh = asyncio.create_task(service.keep_fresh())
        try:
            yield service
        finally:
            fresh.cancel()
            await service.close()
