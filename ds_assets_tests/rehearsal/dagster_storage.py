"""Dagster's storage of a rehearsal: the same files for all processes, at a third less cost.

Scope: performance. A rehearsal starts hundreds of runs, and storing their events costs more than
the runs.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.storage.event_log.sqlite import consolidated_sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage

from ds_assets.runs import create_dagster_home

_ONE_FILE = """
event_log_storage:
  module: dagster._core.storage.event_log
  class: ConsolidatedSqliteEventLogStorage
  config: {{base_dir: '{folder}'}}
"""
"""Otherwise each run creates a database of its own for its events."""


def open_instance(home: Path) -> dg.DagsterInstance:
    """Open the Dagster instance of an installation, which is created."""
    folder = create_dagster_home(home)
    with (folder / "dagster.yaml").open("a", encoding="utf-8") as file:
        file.write(_ONE_FILE.format(folder=folder))
    return dg.DagsterInstance.from_config(str(folder))


@contextmanager
def kept_connections() -> Iterator[None]:
    """Keep the connections of this process to the storage open, and never wait for the disk.

    Dagster makes a SQLAlchemy engine for each statement: each compiles its statement again, and
    closing the last connection writes SQLite's journal back. Only a power failure, which nothing
    rehearses, needs events on the disk.
    """
    engines: dict[str, sa.Engine] = {}

    def open_engine(url: str, *, poolclass: object, **options: Any) -> sa.Engine:  # noqa: ARG001
        if url not in engines:
            engines[url] = sa.create_engine(url, **options)
            sa.event.listen(engines[url], "connect", _do_not_wait_for_disk)
        return engines[url]

    with pytest.MonkeyPatch.context() as patch:
        for module in (consolidated_sqlite_event_log, sqlite_run_storage):
            patch.setattr(module, "create_engine", open_engine)
        yield
    for engine in engines.values():
        engine.dispose()


def _do_not_wait_for_disk(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")
