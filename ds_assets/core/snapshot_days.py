"""The days that the models of a single day are made from, where the days between are not stored.

Scope: which snapshots a model learns from, and the days that keep ids of clusters stable.
"""

import datetime as dt
from collections.abc import Collection

from ds_assets.core import labels
from ds_assets.core.lineage import LONGEST_PAUSE
from ds_assets.core.targets import Target
from ds_assets.game import Game


def list_snapshots(target: Target, day: dt.date, game: Game) -> list[dt.date]:
    """All snapshots that the model of a day can learn from, ascending; see `matured_snapshots`."""
    return labels.matured_snapshots(day, target.horizon, target.max_snapshots, game)


def find_chain_days(day: dt.date, snapshots: Collection[dt.date]) -> list[dt.date]:
    """The days between the latest snapshot and a day over which ids of clusters are passed on.

    Clusters continue those of at most `LONGEST_PAUSE` days before, and the latest snapshot is a
    label window ago.

    Args:
        day: The day.
        snapshots: Days of its snapshots; without any there is nothing to continue.
    """
    if not snapshots:
        return []
    pauses = range(LONGEST_PAUSE, (day - max(snapshots)).days, LONGEST_PAUSE)
    return [day - dt.timedelta(days=pause) for pause in reversed(pauses)]
