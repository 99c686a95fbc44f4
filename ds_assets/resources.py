"""Dagster's resources: settings in, the plain objects of this package out.

Belongs here: one thin class for each thing that assets ask for. Logic stays in the plain objects,
which know nothing of Dagster.
"""

from pathlib import Path

import dagster as dg
from pydantic import Field, JsonValue

from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.engines.duckdb import open_duckdb
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.open import open_lake
from ds_assets.infra.log_source.base import LogSource
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets.infra.log_source.s3 import S3LogSource, s3_client
from ds_assets.infra.results.database import ResultsDatabase

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


class LakeResource(dg.ConfigurableResource[Lake]):
    """Where everything between the logs and the results is stored: Azure Blob, or a folder."""

    url: str
    folder: str
    cache: str

    def open(self) -> Lake:
        """The lake."""
        return open_lake(self.url, Path(self.folder), Path(self.cache))


class EngineResource(dg.ConfigurableResource[LakeEngine]):
    """What runs feature code: a Spark that is named, or else DuckDB in the process."""

    memory_limit_mb: int
    threads: int
    spark_remote: str = Field(json_schema_extra=_SECRET, repr=False)
    spark_master: str
    spark_lake: str

    def open(self) -> LakeEngine:
        """The process's engine."""
        if not self.spark_remote and not self.spark_master:
            return open_duckdb(self.memory_limit_mb, self.threads)
        from ds_assets.infra.engines.spark import open_spark  # noqa: PLC0415  (rarely used)

        where = (self.spark_remote, self.spark_master, self.spark_lake)
        return open_spark(*where, self.memory_limit_mb)


class ResultsResource(dg.ConfigurableResource[ResultsDatabase]):
    """The results database."""

    url: str = Field(json_schema_extra=_SECRET, repr=False)
    days: int

    def open(self) -> ResultsDatabase:
        """The database, to be closed after use."""
        return ResultsDatabase(self.url, self.days)


class CacheResource(dg.ConfigurableResource[PredictionCache]):
    """The cache of predictions."""

    url: str = Field(json_schema_extra=_SECRET, repr=False)
    folder: str
    game: str
    days_to_live: int

    def open(self) -> PredictionCache:
        """The cache, to be closed after use."""
        return PredictionCache(self.url or Path(self.folder), self.game, self.days_to_live)
