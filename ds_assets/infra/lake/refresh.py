"""Days that another game file made: what has changed, and what the operator decides about them.

Scope: finding and describing them, keeping days as they are, and the request for the sensor to make
them again. What a change means is in `core.game_settings`; the runs are started elsewhere.
"""

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import parquet

from ds_assets.core.game_settings import ACTIVITY, COHORTS, FEATURES, settings_of
from ds_assets.core.game_tables import user_activity_table
from ds_assets.game import Game
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import PROVENANCE, Records, read_object
from ds_assets.infra.lake.raw_logs import raw_objects
from ds_assets.infra.lake.tables import open_day, store_rows
from ds_assets.infra.lake.verdicts import store_verdict

_REQUEST = f"{PROVENANCE}/refresh.json"


@dataclass(frozen=True)
class ChangedDays:
    """Stored days of an asset that another game file made.

    Attributes:
        asset: The asset, which reads the game file itself.
        days: The days, ascending; there is one at least.
        keys: The keys that differ, ascending.
    """

    asset: str
    days: tuple[dt.date, ...]
    keys: tuple[str, ...]

    def __str__(self) -> str:
        return f"{describe_days(self.days)} of {self.asset}"


def find_changed_days(records: Records) -> list[ChangedDays]:
    """Find the stored days that have to be made again because the game file has changed."""
    changes = {asset: records.changed_days(asset) for asset in (ACTIVITY, FEATURES, COHORTS)}
    return [
        ChangedDays(asset, tuple(keys_by_day), tuple(sorted({*sum(keys_by_day.values(), ())})))
        for asset, keys_by_day in changes.items()
        if keys_by_day
    ]


def describe_changed_days(changed: Sequence[ChangedDays], duration: dt.timedelta | None) -> str:
    """Say in one sentence what has changed, what it concerns, and what to do.

    Args:
        changed: What `find_changed_days` returned; not empty.
        duration: How long it takes to make them again; none if unknown.
    """
    keys = sorted({key for part in changed for key in part.keys})
    took = "" if duration is None else f" in about {describe_duration(duration)}"
    return (
        f"game.yaml has changed ({', '.join(keys)}), and {' and '.join(map(str, changed))} were "
        "made with an earlier one; nothing is made from them until `ds-assets refresh --yes`, or "
        f"the job refresh, makes them again{took} (`ds-assets refresh` explains it)"
    )


def describe_days(days: Sequence[dt.date]) -> str:
    """Number and range of days, such as `3 days (2026-01-01 to 2026-01-05)`."""
    if len(days) == 1:
        return f"1 day ({days[0]})"
    return f"{len(days):,} days ({days[0]} to {days[-1]})"


def describe_duration(duration: dt.timedelta) -> str:
    """A duration in minutes, or in hours if it is longer than two."""
    minutes = max(1, round(duration / dt.timedelta(minutes=1)))
    if minutes <= 120:  # noqa: PLR2004  (two hours)
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    return f"{round(minutes / 60)} hours"


def find_days_without_files(days: Iterable[dt.date], lake: Lake) -> list[dt.date]:
    """Find the days whose raw files are gone, so that their activity cannot be made again."""
    return [day for day in days if not raw_objects(day, lake)]


def keep_activity(days: Sequence[dt.date], reason: str, game: Game, lake: Lake) -> None:
    """Let stored `user_activity` count as made with the present game file.

    Columns that the file has added since, or changed the type of, become empty: null, or 0 where
    something is counted or summed. What is made from these days follows by content.

    Args:
        days: Days that are stored.
        reason: Who keeps them and why, for their records.
        game: The present game file.
        lake: Where they are.
    """
    records = open_records(game, lake)
    for day in days:
        rows = parquet.read_table(open_day(ACTIVITY, day, lake).file, partitioning=None)
        filled = _fill_columns(rows, game)
        if filled.schema != rows.schema:
            store_rows(filled, ACTIVITY, day, lake)
        verdict = records.verdict(day)
        content = records.keep(ACTIVITY, day, reason)
        if verdict is not None and verdict.content != content:
            store_verdict(verdict.model_copy(update={"content": content}), lake)


def keep_changed_activity(reason: str, by: str, game: Game, lake: Lake) -> list[dt.date]:
    """Keep all `user_activity` that another game file made, as `by` wants it; returns the days."""
    days = [*open_records(game, lake).changed_days(ACTIVITY)]
    keep_activity(days, f"{by}: {reason}", game, lake)
    return days


def keep_days_without_files(game: Game, lake: Lake) -> list[dt.date]:
    """Keep the days of `user_activity` that cannot be made again; returns them."""
    changed = open_records(game, lake).changed_days(ACTIVITY)
    days = find_days_without_files(changed, lake)
    keep_activity(days, "the raw files are gone", game, lake)
    return days


def request_refresh(game: Game, by: str, lake: Lake) -> None:
    """Record that the operator wants the days made again that another game file made."""
    request = {
        "settings": settings_of(game).fingerprint,
        "by": by,
        "at": dt.datetime.now(dt.UTC).isoformat(),
    }
    lake.write(_REQUEST, json.dumps(request).encode())


def read_refresh_request(game: Game, lake: Lake) -> str | None:
    """When that was requested for the present game file; none if it was not."""
    request = read_object(_REQUEST, lake, "run `ds-assets refresh --yes` again")
    is_present = request.get("settings") == settings_of(game).fingerprint
    return str(request.get("at")) if is_present else None


def _fill_columns(rows: pa.Table, game: Game) -> pa.Table:
    """Rows with all columns that the game file asks for; others stay as they are."""
    for column, field in zip(
        user_activity_table(game).columns, user_activity_table(game).arrow_schema, strict=True
    ):
        stored = rows.schema.get_field_index(field.name)
        if stored >= 0 and rows.schema.field(stored).type == field.type:
            continue
        empty = pa.nulls(rows.num_rows, field.type)
        values = empty if column.nullable else empty.fill_null(0)
        if stored >= 0:
            rows = rows.set_column(stored, field.name, values)
        else:
            rows = rows.append_column(field.name, values)
    return rows
