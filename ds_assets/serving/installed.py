"""The prediction service of this installation, put together from the settings, without Dagster."""

from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from ds_assets.game import load_game
from ds_assets.resources.cache import PredictionCache
from ds_assets.resources.lakes import open_lake
from ds_assets.resources.results_database import ResultsDatabase
from ds_assets.serving.live import LakeModel
from ds_assets.serving.service import PredictionService
from ds_assets.settings import load_settings


@contextmanager
def installed_service() -> Iterator[PredictionService]:
    """The service, connected while the context lasts.

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
        yield PredictionService(cache, results, LakeModel(lake), ZoneInfo(game.time_zone))
