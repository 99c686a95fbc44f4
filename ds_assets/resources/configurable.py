"""Dagster's resources: settings in, the plain objects of this package out.

Belongs here: one thin class for each thing that assets ask for. Logic stays in the plain objects,
which know nothing of Dagster.
"""

from pathlib import Path

import dagster as dg
from pydantic import Field, JsonValue

from ds_assets.resources.cache import PredictionCache
from ds_assets.resources.engine import DuckDBEngine, open_engine
from ds_assets.resources.lake import FolderLake
from ds_assets.resources.log_source import FolderLogSource
from ds_assets.resources.results_database import ResultsDatabase

_SECRET: dict[str, JsonValue] = {"dagster__is_secret": True}


class LogSourceResource(dg.ConfigurableResource[FolderLogSource]):
    """Where the game leaves its logs."""

    folder: str
    day_path: str

    def open(self) -> FolderLogSource:
        """The log source."""
        return FolderLogSource(Path(self.folder), self.day_path)


class LakeResource(dg.ConfigurableResource[FolderLake]):
    """Where everything between the logs and the results is stored."""

    folder: str

    def open(self) -> FolderLake:
        """The lake."""
        return FolderLake(Path(self.folder))


class EngineResource(dg.ConfigurableResource[DuckDBEngine]):
    """What runs feature code."""

    memory_limit_mb: int
    threads: int

    def open(self) -> DuckDBEngine:
        """The process's engine."""
        return open_engine(self.memory_limit_mb, self.threads)


class ResultsResource(dg.ConfigurableResource[ResultsDatabase]):
    """The results database."""

    url: str = Field(json_schema_extra=_SECRET)

    def open(self) -> ResultsDatabase:
        """The database, to be closed after use."""
        return ResultsDatabase(self.url)


class CacheResource(dg.ConfigurableResource[PredictionCache]):
    """The cache of predictions."""

    url: str = Field(json_schema_extra=_SECRET)
    folder: str
    game: str
    days_to_live: int

    def open(self) -> PredictionCache:
        """The cache, to be closed after use."""
        return PredictionCache(self.url or Path(self.folder), self.game, self.days_to_live)
