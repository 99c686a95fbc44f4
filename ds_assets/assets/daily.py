"""What all assets share: their days, their settings in the graph, where their rows lie.

Belongs here: things that every asset needs. Does not belong here: anything that one asset does.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from ds_assets.core.engine import DataFrame
from ds_assets.core.tables import Column, Table
from ds_assets.game import Game
from ds_assets.partitions import daily_partitions
from ds_assets.resources.engine import DuckDBEngine
from ds_assets.resources.lake import FolderLake, day_folder

OWNERS = ["team:player-insights"]
RETRIES = dg.RetryPolicy(
    max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
LEFT_OUT = "left_out"
"""Metadata of a day of a run that was left out: why."""
FRESH_WITHIN = dt.timedelta(hours=36)

_UI_TYPES = {
    "text": "string",
    "integer": "int",
    "real": "float",
    "date": "date",
    "time": "datetime",
    "boolean": "bool",
}


def daily_asset(
    game: Game,
    group: str,
    kinds: set[str],
    description: str | None,
    deps: Sequence[str | dg.AssetDep] = (),
    **more: Any,
) -> Callable[[Callable[..., None]], dg.AssetsDefinition]:
    """Decorator of an asset of the graph: a partition a day, any range of days in one run."""
    fresh = None  # logs that have ended do not get old
    if game.last_day is None:
        fresh = dg.FreshnessPolicy.time_window(fail_window=FRESH_WITHIN)
    decorator: Callable[[Callable[..., None]], dg.AssetsDefinition] = dg.asset(
        partitions_def=daily_partitions(game),
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=RETRIES,
        freshness_policy=fresh,
        owners=OWNERS,
        group_name=group,
        kinds=kinds,
        description=description,
        deps=list(deps),
        **more,
    )
    return decorator


def days_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[dt.date]:
    """Days that a run is for, ascending."""
    keys = context.partition_keys if context.has_partition_key_range else [context.partition_key]
    return sorted(dt.date.fromisoformat(key) for key in keys)


def days_with(
    days: Sequence[dt.date], table: str, lake: FolderLake, context: dg.AssetExecutionContext
) -> list[dt.date]:
    """Those days of a run that have what the asset reads; a run of several goes on without others.

    Raises:
        dagster.Failure: no day has it.
    """
    missing = [day for day in days if not lake.exists(table_file(table, day))]
    return without_missing(days, missing, f"no {table}; materialize {table} first", context)


def without_missing(
    days: Sequence[dt.date],
    missing: Sequence[dt.date],
    sentence: str,
    context: dg.AssetExecutionContext,
) -> list[dt.date]:
    """Days that are not missing, after saying what is wrong with those that are.

    Raises:
        dagster.Failure: all are missing.
    """
    if missing:
        text = f"{', '.join(map(str, missing))}: {sentence}"
        if len(missing) == len(days):
            raise dg.Failure(text, allow_retries=False)
        context.log.warning(text)
        for day in missing:
            context.add_asset_metadata({LEFT_OUT: text}, partition_key=str(day))
    return [day for day in days if day not in set(missing)]


def table_file(table: str, day: dt.date) -> str:
    """Name in the lake of a day's rows of a table."""
    return f"{day_folder(table, day)}/{table}.parquet"


def stored_days(table: str, first: dt.date, last: dt.date, lake: FolderLake) -> dict[dt.date, Path]:
    """Files of a table's days in a range, of those that there are."""
    span = (first + dt.timedelta(days=n) for n in range((last - first).days + 1))
    names = {day: table_file(table, day) for day in span}
    return {day: lake.local(name) for day, name in names.items() if lake.exists(name)}


def store(
    frame: DataFrame,
    table: Table,
    by: str,
    days: Iterable[dt.date],
    lake: FolderLake,
    engine: DuckDBEngine,
) -> dict[dt.date, int]:
    """Write the rows of each day to the lake, all days or none. Returns the rows of each day."""
    with lake.writing({day: table_file(table.name, day) for day in days}) as staged:
        return engine.write(frame, table, by, staged)


def table_schema(table: Table) -> dict[str, Any]:
    """Definition metadata that shows a table's columns in the UI."""
    columns = [_ui_column(column) for column in table.columns]
    return {"dagster/column_schema": dg.TableSchema(columns=columns)}


def _ui_column(column: Column) -> dg.TableColumn:
    constraints = dg.TableColumnConstraints(nullable=column.nullable)
    return dg.TableColumn(
        column.name, _UI_TYPES[column.type], description=column.meaning, constraints=constraints
    )


def report_days(
    context: dg.AssetExecutionContext, metadata: Mapping[dt.date, Mapping[str, Any]]
) -> None:
    """Attach metadata to each day's materialization."""
    for day, values in metadata.items():
        context.add_asset_metadata(dict(values), partition_key=str(day))
