"""Dagster's resources: what is configured is shown in the UI, and assets get the runtime object.

Scope: the configuration and the lifetime of an object. How it is made is `installation`'s.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from pydantic import Field, JsonValue

from ds_assets import installation
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.log_source.base import LogSource
from ds_assets.infra.results.database import ResultsDatabase

_SECRET: dict[str, JsonValue] = {"dagster__is_secret": True}


class LogSourceResource(dg.ConfigurableResource[LogSource]):
    """Where the game writes its logs: a prefix in S3, or a folder."""

    url: str
    folder: str
    day_path: str

    def create_resource(self, context: dg.InitResourceContext) -> LogSource:
        """The log source."""
        return installation.open_log_source(self.url, Path(self.folder), self.day_path)


class LakeResource(dg.ConfigurableResource[Lake]):
    """Where everything between the logs and the results is stored: Azure Blob, or a folder."""

    url: str
    folder: str
    cache: str

    def create_resource(self, context: dg.InitResourceContext) -> Lake:
        """The lake."""
        return installation.open_lake(self.url, Path(self.folder), Path(self.cache))


class EngineResource(dg.ConfigurableResource[LakeEngine]):
    """What runs feature code: DuckDB in the process, or a Spark that is named."""

    memory_limit_mb: int
    threads: int
    spark_remote: str = Field(json_schema_extra=_SECRET, repr=False)
    spark_master: str
    spark_lake: str

    def create_resource(self, context: dg.InitResourceContext) -> LakeEngine:
        """The engine of the process."""
        return installation.open_engine(
            self.memory_limit_mb,
            self.threads,
            self.spark_remote,
            self.spark_master,
            self.spark_lake,
        )


class ResultsResource(dg.ConfigurableResource[ResultsDatabase]):
    """The results database."""

    url: str = Field(json_schema_extra=_SECRET, repr=False)
    days: int
    targets: list[str]
    name: str

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[ResultsDatabase]:
        """The database, closed after the run."""
        with installation.open_results(self.url, self.days, self.targets, self.name) as results:
            yield results


class CacheResource(dg.ConfigurableResource[PredictionCache]):
    """The prediction cache."""

    url: str = Field(json_schema_extra=_SECRET, repr=False)
    folder: str
    name: str
    days_to_live: int

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[PredictionCache]:
        """The cache, closed after the run."""
        where = (self.url, Path(self.folder))
        with installation.open_cache(*where, self.name, self.days_to_live) as cache:
            yield cache
