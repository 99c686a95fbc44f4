"""Days of assets, stored and recorded in a lake as the assets do, for tests."""

import datetime as dt

from ds_assets.core.lineage import lineage_of
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import stored_files
from ds_assets_tests.core.factories import FIRST_DAY, make_game

GAME = make_game(windows=[1, 3], active_days=3, horizons={"churn": 2, "payment": 4})
LINEAGES = lineage_of(GAME)
ACTIVITY, FEATURES = "user_activity", "user_features"


def day(number: int) -> dt.date:
    """A day of the game, the first is 0."""
    return FIRST_DAY + dt.timedelta(days=number)


def write(lake: Lake, asset: str, number: int, content: str = "") -> None:
    """Write the objects of a day of an asset, and no record."""
    for name in stored_files(LINEAGES[asset], day(number)):
        lake.write(name, f"{asset} {number} {content}".encode())
