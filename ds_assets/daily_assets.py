"""Common parts of the assets, each of which has one partition a day.

Scope: how an asset is declared, which days a run is for, and what is reported of a day.
"""

import base64
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, TypeVar

import dagster as dg

from ds_assets.core.game_settings import ACTIVITY, LIFETIMES
from ds_assets.core.lifetimes import last_covered_date, newest_roll_up
from ds_assets.core.lineage import Lineage, lineage_of
from ds_assets.core.schema import Column, Table
from ds_assets.core.stored_documents import DamagedDayError
from ds_assets.core.verdicts import Verdict
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.lake.adoption import adopt_stored_days, open_records
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import Recording, Records, recorded
from ds_assets.infra.lake.refresh import describe_days
from ds_assets.infra.lake.tables import stored_days
from ds_assets.partitions import daily_partitions, days_back

Item = TypeVar("Item")

OWNERS = ["team:player-insights"]
RETRIES = dg.RetryPolicy(max_retries=1, delay=5, jitter=dg.Jitter.PLUS_MINUS)
"""Retries of a step. Every client has retried before; with a server that does not answer, all of it
takes less than a minute. The sensor handles longer outages: it runs a failed day again."""
DATABASE_POOL = "results_database"
"""Pool of the assets that write to the results database; its limit is in dagster.yaml."""
EVENT_IDS_POOL = "event_ids"
"""Pool of the asset that compares event ids of days: two runs at once would miss each other's."""
LIFETIMES_POOL = "user_lifetimes"
"""Pool of the asset that continues roll-ups: two runs at once would both make the same ones."""
CLUSTER_IDS_POOL = "cluster_ids"
"""Pool of the asset that assigns ids to clusters: two runs at once would assign the same ones."""
PROMOTIONS_POOL = "promotions"
"""Pool of the asset that assigns promotions: two runs at once would not see each other's users."""
CHANGES_POOL = "promotion_changes"
"""Pool of the asset that sends changes of offers: two runs at once would send the same ones."""
LEFT_OUT = "left_out"
"""Metadata key of a day that a run left out; the value is the reason."""
PICTURED_DAYS = 7
"""Latest days of a run that get pictures and previews of rows: they take longer than all else of
many days, and nobody looks at those of a long past; a run of that day alone makes them."""
FRESHNESS_WINDOW = dt.timedelta(hours=36)

_UI_TYPES = {
    "text": "string",
    "json": "string",
    "integer": "int",
    "real": "float",
    "date": "date",
    "time": "datetime",
    "boolean": "bool",
}


def daily_asset(
    game: Game,
    name: str,
    group: str,
    kinds: set[str],
    description: str | None,
    *,
    is_retried: bool = True,
    **more: Any,
) -> Callable[[Callable[..., None]], dg.AssetsDefinition]:
    """Decorator of an asset: daily partitions, any range of days in one run.

    No `code_version` is set: a new one would mark all days of every asset as unsynced at each
    release, though the days that earlier versions stored remain valid and readable.

    Args:
        game: Its days are the partitions.
        name: Name of the asset; what it reads is in its lineage.
        group: Name of the asset's group.
        kinds: Technologies that the UI shows icons of, and names of resources, for which it shows
            what they run on in the installation.
        description: Shown in the UI.
        is_retried: Whether Dagster runs a failed step once more.
        more: Further arguments of `dagster.asset`.
    """
    fresh = None  # the data of a game that has ended does not become outdated
    if game.last_day is None:
        fresh = dg.FreshnessPolicy.time_window(fail_window=FRESHNESS_WINDOW)
    as_asset: Callable[[Callable[..., None]], dg.AssetsDefinition] = dg.asset(
        partitions_def=daily_partitions(game),
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=RETRIES if is_retried else None,
        freshness_policy=fresh,
        owners=OWNERS,
        group_name=group,
        kinds=kinds,
        description=description,
        name=name,
        deps=_deps(lineage_of(game)[name]),
        **more,
    )
    return lambda compute: as_asset(_without_retries_of_input_errors(compute))


def _deps(lineage: Lineage) -> list[dg.AssetDep]:
    """Dagster's form of what an asset reads: one range of days for each other asset."""
    ranges: dict[str, tuple[int, int]] = {}
    for reads in lineage.reads:
        if reads.is_loop:
            continue
        earliest, latest = reads.offsets
        widest = ranges.get(reads.asset, reads.offsets)
        ranges[reads.asset] = max(widest[0], earliest), min(widest[1], latest)
    return [
        dg.AssetDep(asset, partition_mapping=days_back(*span) if span != (0, 0) else None)
        for asset, span in ranges.items()
    ]


def recording(
    context: dg.AssetExecutionContext, days: Sequence[dt.date], lake: Lake, game: Game
) -> AbstractContextManager[Recording]:
    """Record what days of an asset are made from, which is done in the context; see `recorded`."""
    lineages = lineage_of(game)
    adopt_stored_days(lineages, lake)
    asset = context.asset_key.to_user_string()
    return recorded(asset, days, lineages, lake, context.run.run_id)


def _without_retries_of_input_errors(compute: Callable[..., None]) -> Callable[..., None]:
    """Fail immediately on an input error: a retry can repair a connection, but not the input.

    A stored day that cannot be read loses its record, so that it is outdated and made again.
    """

    @wraps(compute)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            compute(*args, **kwargs)
        except DamagedDayError as error:
            Records({}, kwargs["lake"]).withdraw(error.asset, [error.day])
            raise dg.Failure(str(error), allow_retries=False) from None
        except InputError as error:
            raise dg.Failure(str(error), allow_retries=False) from None

    return run


def days_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[dt.date]:
    """The days of a run, ascending."""
    keys = context.partition_keys if context.has_partition_key_range else [context.partition_key]
    return sorted(dt.date.fromisoformat(key) for key in keys)


def days_with(
    days: Sequence[dt.date], table: str, lake: Lake, context: dg.AssetExecutionContext, game: Game
) -> list[dt.date]:
    """Days of a run for which a table that the asset reads is stored whole, and is not refused.

    The others are left out, and so are days that would mix inputs of different game files.

    Raises:
        dagster.Failure: there is none.
    """
    records = open_records(game, lake)
    refused, usable = records.refused_days(), records.usable_files(table)
    stored = stored_days(table, lake)
    reasons = {day: _describe_refusal(records.verdict(day)) for day in days if day in refused} | {
        day: _describe_unusable(table, is_stored=day in stored)
        for day in days
        if day not in refused and day not in usable
    }
    asset = context.asset_key.to_user_string()
    for day in days:
        if day not in reasons and (changed := records.find_changed_inputs(asset, day)):
            reasons[day] = _describe_changed_inputs(changed)
    return leave_out(days, reasons, context)


def _describe_changed_inputs(changed: Mapping[str, Sequence[dt.date]]) -> str:
    inputs = " and ".join(f"{describe_days(days)} of {asset}" for asset, days in changed.items())
    return f"{inputs} were made with another game.yaml; run `ds-assets refresh`"


def _describe_unusable(table: str, *, is_stored: bool) -> str:
    if is_stored:
        return (
            f"{table} is not whole: another run is making it, was killed, or a check has failed; "
            f"materialize {table} again"
        )
    return f"no {table}; materialize {table} first"


def _describe_refusal(verdict: Verdict | None) -> str:
    return (
        f"user_activity is {verdict}; replace the day's files, or accept it with "
        "`ds-assets accept DAY --reason REASON`"
    )


def leave_out(
    days: Sequence[dt.date], reasons: Mapping[dt.date, str], context: dg.AssetExecutionContext
) -> list[dt.date]:
    """The days without those that cannot be made, which are logged and recorded as left out.

    Args:
        days: Days of the run.
        reasons: Why a day cannot be made, by day.
        context: Of the asset.

    Raises:
        dagster.Failure: none of them can be made.
    """
    days_by_reason: dict[str, list[dt.date]] = {}
    for day, reason in reasons.items():
        days_by_reason.setdefault(reason, []).append(day)
    texts = {
        f"{', '.join(map(str, alike))}: {reason}": alike for reason, alike in days_by_reason.items()
    }
    if len(reasons) == len(days):
        raise dg.Failure("\n".join(texts), allow_retries=False)
    for text, alike in texts.items():
        context.log.warning(text)
        for day in alike:
            context.add_asset_metadata({LEFT_OUT: text}, partition_key=str(day))
    return [day for day in days if day not in reasons]


def find_missing_roll_ups(days: Sequence[dt.date], records: Records) -> dict[dt.date, str]:
    """Say which days have no roll-up to continue, though there is activity for one."""
    roll_up_days, first_day = records.usable_days(LIFETIMES), min(records.usable_days(ACTIVITY))
    newest = {day: newest_roll_up(day) for day in days}
    return {
        day: f"no whole user_lifetimes of {roll_up}; materialize user_lifetimes of the day first"
        for day, roll_up in newest.items()
        if last_covered_date(roll_up) >= first_day and roll_up not in roll_up_days
    }


def warn(text: str) -> None:
    """Log a warning in the run that is in progress."""
    dg.get_dagster_logger().warning(text)


def in_batches(
    items: Iterable[Item], size: Callable[[Item], int], most: int
) -> Iterator[list[Item]]:
    """Split items into batches, in order, of a total size of at most `most`.

    An item that is larger is a batch of its own.
    """
    batch: list[Item] = []
    total = 0
    for item in items:
        needed = size(item)
        if batch and total + needed > most:
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += needed
    if batch:
        yield batch


def table_schema(table: Table) -> dict[str, Any]:
    """Definition metadata with a table's columns, for the UI."""
    columns = [_ui_column(column) for column in table.columns]
    return {"dagster/column_schema": dg.TableSchema(columns=columns)}


def _ui_column(column: Column) -> dg.TableColumn:
    constraints = dg.TableColumnConstraints(nullable=column.nullable)
    return dg.TableColumn(
        column.name, _UI_TYPES[column.type], description=column.description, constraints=constraints
    )


def pictured_days(days: Iterable[dt.date]) -> list[dt.date]:
    """The days of a run that get pictures and previews of rows."""
    return sorted(days)[-PICTURED_DAYS:] if PICTURED_DAYS else []


def picture(name: str, png: bytes) -> dg.MetadataValue[Any]:
    """A picture as metadata, which the UI shows on a click."""
    return dg.MetadataValue.md(_embed(name, png))


def pictures(pngs: Mapping[str, bytes], lines: Mapping[str, str]) -> dg.MetadataValue[Any]:
    """Pictures as one entry of metadata, by name, each with a line of text below it."""
    shown = (f"### {name}\n\n{_embed(name, png)}\n\n{lines[name]}" for name, png in pngs.items())
    return dg.MetadataValue.md("\n\n".join(shown))


def _embed(name: str, png: bytes) -> str:
    return f"![{name}](data:image/png;base64,{base64.b64encode(png).decode()})"


def report_days(
    context: dg.AssetExecutionContext, metadata: Mapping[dt.date, Mapping[str, Any]]
) -> None:
    """Attach metadata to each day's materialization."""
    for day, values in metadata.items():
        context.add_asset_metadata(dict(values), partition_key=str(day))
