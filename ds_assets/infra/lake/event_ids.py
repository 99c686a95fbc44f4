"""Stored hashes of event ids, by which a day recognizes events that arrived before.

Scope: which stored days a day is compared with.
"""

import datetime as dt
from collections.abc import Collection

from ds_assets.core.tables import EVENT_IDS
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import between, stored_days


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
