"""Stored hashes of event ids, by which a day recognizes events that arrived before.

Scope: which stored days a day is compared with, and which later days have events of a day.
"""

import datetime as dt
import logging
from collections.abc import Callable, Collection, Iterable

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from ds_assets.core.stored_documents import DamagedDayError
from ds_assets.core.tables import EVENT_IDS
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import between, open_day, stored_days

_log = logging.getLogger(__name__)


def find_compared_days(days: Collection[dt.date], game: Game, lake: Lake) -> list[dt.date]:
    """Find the stored days whose ids are compared with those of days that are being read.

    The days that are being read are left out: they are compared with each other as they are now.
    So are refused days, whose events do not count. Days without a record are compared with: those
    of earlier batches of the same run have none yet.
    """
    if not days or game.fields.event_id is None:
        return []
    first = min(days) - dt.timedelta(days=game.duplicate_days)
    left_out = Records({}, lake).refused_days().union(days)
    stored = between(stored_days(EVENT_IDS.name, lake), first, max(days))
    return [day for day in stored if day not in left_out]


def find_sharing_days(
    day: dt.date, game: Game, lake: Lake, warn: Callable[[str], None] = _log.warning
) -> list[dt.date]:
    """Find the later days that have, or may have, events of a day, ascending.

    They count these events if the day is refused, and do not if it is used. One day's ids are in
    memory at a time, beside those of the day itself.

    Args:
        day: The day.
        game: Says over how many days an id identifies an event.
        lake: Holds the ids.
        warn: Receives a sentence about each day whose ids are damaged, so that it may have any.
    """
    stored = [] if game.fields.event_id is None else stored_days(EVENT_IDS.name, lake)
    if day not in stored:
        return []
    keys = _read_keys(day, lake, warn)
    later = find_days_after(day, stored, game)
    return [it for it in later if _may_share(keys, _read_keys(it, lake, warn))]


def find_days_after(day: dt.date, stored: Iterable[dt.date], game: Game) -> list[dt.date]:
    """Find the stored days on which an event that arrived on a day is still recognized."""
    one_day = dt.timedelta(days=1)
    return between(stored, day + one_day, day + game.duplicate_days * one_day)


def _may_share(keys: pa.ChunkedArray | None, others: pa.ChunkedArray | None) -> bool:
    if keys is None or others is None:
        return True
    return bool(pc.any(pc.is_in(others, value_set=keys)).as_py())


def _read_keys(day: dt.date, lake: Lake, warn: Callable[[str], None]) -> pa.ChunkedArray | None:
    """The keys of a day; None if they are damaged."""
    try:
        file = open_day(EVENT_IDS.name, day, lake).file
    except DamagedDayError as error:
        warn(f"{error.what}; days that may share events with it are made again")
        return None
    return parquet.read_table(file, columns=["event_key"], partitioning=None)["event_key"]
