"""The composition root: settings and the game file become the objects that the software works with.

Nothing else reads the environment or chooses between a folder and S3, a folder and Azure Blob,
DuckDB and Spark, an embedded cache and Redis. The command line, Dagster's resources, the demo and
the API all get their objects here.

Libraries are imported by the function that needs them: a process that serves predictions loads
neither Dagster nor an engine, and one that checks the settings loads none of them.
"""

import getpass
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ds_assets.game import Game, load_game
from ds_assets.infra.usable_files import refuse_no_folder
from ds_assets.settings import Settings, load_settings, read_source_urls

if TYPE_CHECKING:
    from ds_assets.infra.assignment_files import AssignmentFiles
    from ds_assets.infra.cache.prediction_cache import PredictionCache
    from ds_assets.infra.engines.base import LakeEngine
    from ds_assets.infra.lake.base import Lake
    from ds_assets.infra.lake.retention import Retention
    from ds_assets.infra.log_source.base import LogSource
    from ds_assets.infra.results.database import ResultsDatabase
    from ds_assets.infra.webhook import Webhook
    from ds_assets.path_patterns import PathPattern
    from ds_assets.serving.http.app import App
    from ds_assets.serving.http.auth import KeyFile
    from ds_assets.serving.http.workers import Shared
    from ds_assets.serving.service import PredictionService


@dataclass(frozen=True)
class Installation:
    """One installation of the software, for one game.

    Nothing is connected or started before it is used, except by `service` and `serve`.
    """

    settings: Settings
    game: Game

    @property
    def name(self) -> str:
        """Its name in the results database and the cache."""
        return self.settings.installation or self.game.name

    @property
    def retention(self) -> "Retention":
        """How long the lake keeps what it stores."""
        from ds_assets.infra.lake.retention import Retention

        settings = self.settings
        return Retention(
            raw=settings.raw_days,
            quarantine=settings.quarantine_days,
            tables=settings.table_days,
            models=settings.model_days,
        )

    def log_source(self) -> "LogSource":
        """The logs as the game writes them.

        Raises:
            InputError: there are several sources, and `logs.path` leaves out one of them.
        """
        settings = self.settings
        return open_log_source(settings.source_url, settings.source, self.game.log_path)

    def lake(self) -> "Lake":
        """The lake."""
        settings = self.settings
        return open_lake(settings.lake_url, settings.lake, settings.lake_cache)

    def engine(self) -> "LakeEngine":
        """The engine of this process: Spark if one is named, else DuckDB.

        Raises:
            InputError: Spark does not start, its address is not valid, or it is not installed.
            Unavailable: no Spark Connect server answers at the address.
        """
        settings = self.settings
        if not settings.uses_spark:
            from ds_assets.infra.engines.duckdb import open_duckdb

            plans = settings.home / "plans"
            return open_duckdb(settings.memory_limit_mb, settings.threads, plans)
        from ds_assets.infra.engines.spark import open_spark

        return open_spark(
            settings.spark_remote,
            settings.spark_master,
            settings.spark_lake,
            settings.memory_limit_mb,
        )

    def assignment_files(self) -> "AssignmentFiles":
        """Files with arms of promotions that another program has assigned, beside the game file."""
        from ds_assets.infra.assignment_files import AssignmentFiles

        return AssignmentFiles(self.settings.game.parent)

    def results(self) -> "ResultsDatabase":
        """The results database, to be closed after use."""
        from ds_assets.infra.results.database import ResultsDatabase

        settings = self.settings
        return ResultsDatabase(
            settings.results_url,
            settings.results_days,
            self.game.target_names,
            self.name,
            self.game.promotion_names,
        )

    def cache(self) -> "PredictionCache":
        """The prediction cache in Redis, or in an embedded server; to be closed after use."""
        from ds_assets.infra.cache.prediction_cache import PredictionCache

        settings = self.settings
        where = settings.cache_url or settings.cache_folder
        return PredictionCache(where, self.name, settings.cache_days)

    def webhook(self) -> "AbstractContextManager[Webhook | None]":
        """The receiver of changes of offers, to be closed after use; none where none is set."""
        settings = self.settings
        if not settings.webhook_url:
            return nullcontext()
        from ds_assets.infra.webhook import Webhook

        return Webhook(settings.webhook_url, settings.webhook_secret)

    @contextmanager
    def service(self, timeout: float) -> Iterator["PredictionService"]:
        """The prediction service; its cache and database are closed at the end.

        Args:
            timeout: Seconds within which it answers, whatever is unavailable.
        """
        with self.cache() as cache, self.results() as results:
            yield make_service(cache, results, self.lake(), self.game, timeout)

    def serve(self, host: str, port: int, workers: int) -> None:
        """Serve the API until this process is terminated.

        Raises:
            InputError: the address is not this machine's own and there is no API key, or it is
                taken; or a setting is not valid, which no worker would survive.
        """
        from ds_assets.serving.http.server import serve

        self.lake()
        with self.results(), self.cache():
            pass
        serve(partial(_make_app, self), self.key_file(), host, port, workers)

    def key_file(self) -> "KeyFile":
        """The file of the API keys."""
        return _key_file(self.settings)


def load_installation(overrides: Mapping[str, Any] | None = None) -> Installation:
    """The installation that the environment describes.

    Args:
        overrides: Settings by field name that take precedence over the environment.

    Raises:
        InputError: a setting or the game file is not valid. The message names every mistake.
    """
    settings = load_settings(overrides)
    installation = Installation(settings, _load_game(settings.game))
    if any((settings.raw_days, settings.quarantine_days, settings.table_days, settings.model_days)):
        installation.retention.refuse_too_few_days(installation.game)
    return installation


def _load_game(file: Path) -> Game:
    """The game of a file, whose conditions name what is stored: a rule that needs the tables."""
    game = load_game(file)
    if game.promotions:
        from ds_assets.core.promotions.conditions import read_conditions

        read_conditions(game, f"the game file {file}")
    return game


def load_key_file() -> "KeyFile":
    """The file of the API keys; unlike the rest it needs no valid game file.

    Raises:
        InputError: a setting is not valid.
    """
    return _key_file(load_settings())


def open_log_source(url: str, folder: Path, pattern: "PathPattern") -> "LogSource":
    """The log source at an address, or several, of the setting `source_url`; else in a folder.

    Raises:
        InputError: the folder is a file, or a setting of AWS is not valid.
    """
    addresses = read_source_urls(url)
    if not addresses:
        from ds_assets.infra.log_source.folder import FolderLogSource

        refuse_no_folder(folder, "DS_ASSETS_SOURCE")
        return FolderLogSource(folder, pattern)
    from ds_assets.infra.log_source.s3 import S3LogSource, s3_client

    client = s3_client()
    sources = {name: S3LogSource(client, it, pattern) for name, it in addresses.items()}
    if "" in sources:
        return sources[""]
    from ds_assets.infra.log_source.combined import CombinedLogSource

    return CombinedLogSource(sources, pattern)


def open_lake(url: str, folder: Path, cache: Path) -> "Lake":
    """The lake at `https://ACCOUNT.blob.core.windows.net/CONTAINER`, or in a folder without a URL.

    Args:
        url: The address, or empty.
        folder: Folder of the lake, used without a URL.
        cache: Folder for local copies of objects at the URL.

    Raises:
        InputError: the folder is a file.
    """
    if not url:
        from ds_assets.infra.lake.folder import FolderLake

        refuse_no_folder(folder, "DS_ASSETS_LAKE")
        return FolderLake(folder)
    from ds_assets.infra.lake.azure_blob import BlobLake, blob_service, credential_of_environment

    return BlobLake(url, lambda account: blob_service(account, credential_of_environment()), cache)


def make_service(
    cache: "PredictionCache",
    results: "ResultsDatabase",
    lake: "Lake",
    game: Game,
    timeout: float,
) -> "PredictionService":
    """The prediction service, which asks the cache, then the table, then the live model."""
    from ds_assets.serving.answer import calendar_of
    from ds_assets.serving.live_model import LakeModel
    from ds_assets.serving.service import PredictionService

    return PredictionService(cache, results, LakeModel(lake, game), calendar_of(game), timeout)


def _make_app(installation: Installation, shared: "Shared") -> "App":
    """The application of one worker process."""
    from ds_assets.serving.answer import calendar_of
    from ds_assets.serving.http.adapter import open_backend
    from ds_assets.serving.http.app import App
    from ds_assets.serving.http.auth import Authenticator
    from ds_assets.serving.shown_offers import ShownOffers
    from ds_assets.serving.sources import REQUEST_TIMEOUT_S

    settings = installation.settings
    authenticator = Authenticator(installation.key_file(), settings.requests_per_key)
    shown_offers = ShownOffers(installation.lake(), calendar_of(installation.game))
    backend = partial(open_backend, partial(installation.service, REQUEST_TIMEOUT_S), shown_offers)
    return App(backend, authenticator, settings.requests_at_once, shared)


def _key_file(settings: Settings) -> "KeyFile":
    from ds_assets.serving.http.auth import KeyFile

    return KeyFile(settings.api_keys)


def operator_name() -> str:
    """Name of the user who runs this process; the number of one without a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
