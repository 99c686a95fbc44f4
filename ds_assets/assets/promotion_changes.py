"""Which offers began, ended or changed on a day: a file, and messages where a receiver is set."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
import pyarrow as pa

from ds_assets.core.promotions.changes import find_changes, offers_of_day
from ds_assets.core.stored_documents import DamagedDayError
from ds_assets.core.tables import PROMOTION_CHANGES, PROMOTION_OFFERS
from ds_assets.daily_assets import (
    CHANGES_POOL,
    daily_asset,
    days_of,
    days_with,
    recording,
    report_days,
    table_schema,
    warn,
)
from ds_assets.game import Game
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.promotions import assignments_in_effect
from ds_assets.infra.lake.tables import read_rows, store_rows, stored_days
from ds_assets.infra.promotion_messages import send_changes
from ds_assets.infra.webhook import Webhook

TABLE = PROMOTION_CHANGES.name


@dataclass(frozen=True)
class DayChanges:
    """What is stored of a day.

    Attributes:
        counts: Number of changes of each kind.
        remark: Why the changes are not those of the day as it is now; else empty.
    """

    counts: Mapping[str, int]
    remark: str = ""


def update(days: Sequence[dt.date], lake: Lake, game: Game) -> dict[dt.date, DayChanges]:
    """Store the changes of days that have none yet, each against the stored day before it.

    What is stored is a fact, as somebody may have acted on it: what changes of the day afterwards
    is a change of the next one.
    """
    return {day: _store(day, lake, game) for day in sorted(days)}


def find_unsent(days: Sequence[dt.date], lake: Lake, game: Game) -> list[dt.date]:
    """Other stored days whose run has failed: their messages are sent before those of the days."""
    recorded = open_records(game, lake).recorded_days(TABLE)
    return [day for day in stored_days(TABLE, lake) if day not in recorded and day not in days]


def _store(day: dt.date, lake: Lake, game: Game) -> DayChanges:
    stored = [it for it in stored_days(TABLE, lake) if it != day or _is_whole(day, lake)]
    if day in stored:
        changes = read_rows(PROMOTION_CHANGES, day, lake)
        return DayChanges(_count(changes), "stored before: it stays as it is")
    offers = before = PROMOTION_OFFERS.arrow_schema.empty_table()
    newest, remark = max(stored, default=day), ""
    if newest > day:
        remark = f"there are changes of {newest}: it is too late for this day"
    else:
        offers = offers_of_day(day, assignments_in_effect(day, lake, game))
        before = read_rows(PROMOTION_OFFERS, newest, lake) if stored else before
    store_rows(offers, PROMOTION_OFFERS.name, day, lake)
    changes = find_changes(day, before, offers)
    store_rows(changes, TABLE, day, lake)  # last: it ends the day
    return DayChanges(_count(changes), remark)


def _is_whole(day: dt.date, lake: Lake) -> bool:
    """Whether both tables of a stored day can be read."""
    try:
        for table in (PROMOTION_CHANGES, PROMOTION_OFFERS):
            read_rows(table, day, lake)
    except (DamagedDayError, FileNotFoundError) as error:
        warn(f"{error}; the changes of {day} are made again")
        return False
    return True


def _count(changes: pa.Table) -> Mapping[str, int]:
    return Counter(changes["change"].to_pylist())


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `promotion_changes`."""

    @daily_asset(
        game,
        TABLE,
        "delivery",
        {"parquet"},
        __doc__,
        is_retried=False,  # what is not acknowledged is sent again for most of a minute already
        pool=CHANGES_POOL,
        metadata=table_schema(PROMOTION_CHANGES),
    )
    def promotion_changes(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        webhook: dg.ResourceParam[Webhook | None],
    ) -> None:
        days = days_with(days_of(context), "promotions", lake, context, game)
        whole = [*find_unsent(days, lake, game), *days]
        with recording(context, whole, lake, game):  # what is not sent leaves the days to do
            changes = update(days, lake, game)
            sent = {} if webhook is None else send_changes(lake, webhook, game)
        for day, messages in sent.items():
            context.log.info("%d messages about changes of %s were acknowledged", messages, day)
        report_days(context, {day: _metadata(it, sent.get(day, 0)) for day, it in changes.items()})

    return promotion_changes


def _metadata(changes: DayChanges, messages: int) -> dict[str, object]:
    shown: dict[str, object] = {
        "dagster/partition_row_count": sum(changes.counts.values()),
        **changes.counts,
        "messages": messages,
    }
    return shown | ({"remark": changes.remark} if changes.remark else {})
