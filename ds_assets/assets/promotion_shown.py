"""Which offers users really saw, from reports to the API and events of the logs of the day."""

import datetime as dt
import tempfile
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pandas as pd

from ds_assets.core.promotion_days import SHOWN_LATE_DAYS, days_in_effect
from ds_assets.core.promotions.shown import ShownDay, find_shown
from ds_assets.core.tables import PROMOTION_SHOWN
from ds_assets.daily_assets import (
    daily_asset,
    days_of,
    days_with,
    recording,
    report_days,
    table_schema,
)
from ds_assets.game import Game
from ds_assets.infra.engines.raw_files import RawFile
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.promotions import read_assignments, usable_days
from ds_assets.infra.lake.raw_logs import raw_objects
from ds_assets.infra.lake.shown_offers import read_shown_offers
from ds_assets.infra.lake.tables import between, store_rows

TABLE = PROMOTION_SHOWN.name
_COLUMNS = ("user_id", "promotion", "offer", "assignment_id", "as_of", "until")


def update(days: Sequence[dt.date], lake: Lake, game: Game) -> dict[dt.date, ShownDay]:
    """Store which offers were shown, as far as each day brought it."""
    return {day: _store(day, lake, game) for day in days}


def _store(day: dt.date, lake: Lake, game: Game) -> ShownDay:
    first = day - dt.timedelta(days=days_in_effect(game) + SHOWN_LATE_DAYS)
    assignments = read_assignments(between(usable_days(lake, game), first, day), _COLUMNS, lake)
    shown = find_shown(
        day, pd.concat([_reported(day, lake, game), _logged(day, lake, game)]), assignments
    )
    store_rows(shown.rows, TABLE, day, lake)
    return shown


def _reported(day: dt.date, lake: Lake, game: Game) -> pd.DataFrame:
    zone = ZoneInfo(game.time_zone)
    reports = {
        (it.user_id, it.shown_at.astimezone(zone).date(), it.assignment_id)
        for it in read_shown_offers(day, lake)
    }
    return pd.DataFrame(sorted(reports), columns=["user_id", "shown_on", "shown"])


def _logged(day: dt.date, lake: Lake, game: Game) -> pd.DataFrame:
    if not game.events.promotion_shown:
        return pd.DataFrame(columns=["user_id", "shown_on", "shown"])
    from ds_assets.infra.engines.shown_events import read_shown_events  # noqa: PLC0415  (an engine)

    logs = raw_objects(day, lake)
    files = [RawFile(day, log.name, lake.local(log.stored.name)) for log in logs]
    with tempfile.TemporaryDirectory(prefix="ds_assets_") as folder:
        events: pd.DataFrame = read_shown_events(files, game, Path(folder)).to_pandas()
    return events


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `promotion_shown`."""

    @daily_asset(
        game, TABLE, "predictions", {"parquet"}, __doc__, metadata=table_schema(PROMOTION_SHOWN)
    )
    def promotion_shown(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> None:
        days = days_with(days_of(context), "user_activity", lake, context, game)
        with recording(context, days, lake, game):
            shown = update(days, lake, game)
        report_days(context, {day: _metadata(it) for day, it in shown.items()})

    return promotion_shown


def _metadata(shown: ShownDay) -> dict[str, object]:
    return {"dagster/partition_row_count": shown.rows.num_rows, "unknown": shown.unknown}
