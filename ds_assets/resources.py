"""Dagster's resources: assets get the runtime objects of the installation.

Scope: the lifetime of an object, and what the UI says of it. How it is made is `installation`'s.

Resources have no run config: the launchpad would show an address with its password replaced by
asterisks, and send the asterisks back.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import dagster as dg

from ds_assets.installation import Installation


def resources_of(installation: Installation) -> dict[str, dg.ResourceDefinition]:
    """The resources by name; their descriptions say where data is, without credentials."""
    places = installation.settings.places()
    engine = "Spark" if installation.settings.uses_spark else "DuckDB in the process of the run"
    return {
        "log_source": _resource(
            installation.log_source, f"Where the game writes its logs: {places['source']}"
        ),
        "lake": _resource(
            installation.lake,
            f"Where everything between logs and results is stored: {places['lake']}",
        ),
        "engine": _resource(installation.engine, f"What runs feature code: {engine}"),
        "assignment_files": _resource(
            installation.assignment_files, "Files beside game.yaml that assigned_by names."
        ),
        "results": _closed(installation.results, f"The results database: {places['results']}"),
        "cache": _closed(installation.cache, f"The prediction cache: {places['cache']}"),
        "webhook": _closed(
            installation.webhook, "The receiver of changes of offers (DS_ASSETS_WEBHOOK_URL)"
        ),
    }


def _resource(make: Callable[[], Any], description: str) -> dg.ResourceDefinition:
    return dg.ResourceDefinition(lambda _: make(), config_schema={}, description=description)


def _closed(
    make: Callable[[], AbstractContextManager[Any]], description: str
) -> dg.ResourceDefinition:
    """A resource that is closed after the run."""

    @contextmanager
    def opened(_: dg.InitResourceContext) -> Iterator[Any]:
        with make() as resource:
            yield resource

    return dg.ResourceDefinition(opened, config_schema={}, description=description)
