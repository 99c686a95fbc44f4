"""Dagster's resources: settings in, the plain objects of this package out.

Belongs here: one thin class for each thing that assets ask for. Logic stays in the plain objects,
which know nothing of Dagster.
"""

from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field, JsonValue

from ds_assets.resources.cache import PredictionCache
from ds_assets.resources.engine import DuckDBEngine, open_engine
from ds_assets.resources.lake import FolderLake
from ds_assets.resources.log_source import FolderLogSource, LogSource, S3LogSource
from ds_assets.resources.results_database import ResultsDatabase

_SECRET: dict[str, JsonValue] = {"dagster__is_secret": True}


class LogSourceResource(dg.ConfigurableResource[LogSource]):
    """Where the game leaves its logs: an address in S3, or else a folder."""

    url: str
    folder: str
    day_path: str

    def open(self) -> LogSource:
        """The log source."""
        if self.url:
            return S3LogSource(s3_client(), self.url, self.day_path)
        return FolderLogSource(Path(self.folder), self.day_path)


def s3_client() -> Any:
    """A client of S3; address, region and credentials come from AWS's own environment."""
    from dagster_aws.s3 import S3Resource  # noqa: PLC0415  (slow to import, and not always used)

    return S3Resource(max_attempts=5).get_client()


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
