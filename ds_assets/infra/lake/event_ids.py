"""Stored hashes of event ids, by which a day recognizes events that arrived before.

Scope: which stored days a day is compared with, and which later days have events of a day.
"""

import datetime as dt
from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from ds_assets.core.tables import EVENT_IDS
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import between, open_day, stored_days


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


def find_sharing_days(day: dt.date, game: Game, lake: Lake) -> list[dt.date]:
    """Find the later days that have events of a day, ascending.

    They count these events if the day is refused, and do not if it is used. One day's ids are in
    memory at a time, beside those of the day itself.
    """
    stored = [] if game.fields.event_id is None else stored_days(EVENT_IDS.name, lake)
    if day not in stored:
        return []
    keys = _read_keys(day, lake)
    one_day = dt.timedelta(days=1)
    later = between(stored, day + one_day, day + game.duplicate_days * one_day)
    return [it for it in later if pc.any(pc.is_in(_read_keys(it, lake), value_set=keys)).as_py()]


def _read_keys(day: dt.date, lake: Lake) -> pa.ChunkedArray:
    file = open_day(EVENT_IDS.name, day, lake).file
    return parquet.read_table(file, columns=["event_key"], partitioning=None)["event_key"]
