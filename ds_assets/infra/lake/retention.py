"""Retention: how long the lake keeps what it stores, and the removal of older days.

Scope: which days go, and how. When that happens is in `schedules`, the settings are in `settings`.

The first day that is kept is on record in the lake before anything goes. Earlier days are neither
outdated nor missing to anybody, and nothing looks for them again: the cost of the sensor does not
grow with what was removed.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import msgspec

from ds_assets.core.lineage import LONGEST_PAUSE, RAW_LOGS, lineage_of
from ds_assets.core.open_days import most_days
from ds_assets.core.tables import EVENT_IDS, PROMOTION_OUTCOMES, QUARANTINE
from ds_assets.core.targets import targets_of
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake, day_folder
from ds_assets.infra.lake.provenance import FIRST_KEPT_DAYS, Records, first_kept_days
from ds_assets.infra.lake.raw_logs import RAW
from ds_assets.infra.lake.shown_offers import SHOWN_OFFERS

_SETTINGS = {
    "raw": "DS_ASSETS_RAW_DAYS",
    "quarantine": "DS_ASSETS_QUARANTINE_DAYS",
    "tables": "DS_ASSETS_TABLE_DAYS",
    "models": "DS_ASSETS_MODEL_DAYS",
}
"""The setting of each kind of data."""


@dataclass(frozen=True)
class Retention:
    """Days that the lake keeps, counted back from the newest day with activity; 0 keeps all.

    Attributes:
        raw: Of raw files.
        quarantine: Of lines that were not used.
        tables: Of activity, features, clusters, predictions and what is made from them.
        models: Of models.
    """

    raw: int = 0
    quarantine: int = 0
    tables: int = 0
    models: int = 0

    def refuse_too_few_days(self, game: Game) -> None:
        """Refuse to keep less than the game's predictions are made from.

        Raises:
            InputError: a kind of data would be kept for too few days; the message names the
                setting and its minimum.
        """
        minimum = _minimum_days(game)
        for kind, days in asdict(self).items():
            if 0 < days < minimum[kind]:
                raise InputError(
                    f"{_SETTINGS[kind]} is {days}, and features, labels and training of this game "
                    f"need {minimum[kind]} days: set {minimum[kind]} or more, or 0 to keep all"
                )


@dataclass(frozen=True)
class Removed:
    """What was removed of one kind of data.

    Attributes:
        first_kept: The first day that is kept.
        days: Days that were removed.
        files: Their files.
        size: Their size in bytes.
    """

    first_kept: dt.date
    days: int
    files: int
    size: int


def remove_expired_days(retention: Retention, lake: Lake, game: Game) -> dict[str, Removed]:
    """Remove what is older than the retention demands. If interrupted, the next call continues.

    Args:
        retention: What to keep.
        lake: The lake.
        game: The game.

    Returns:
        What was removed, for each kind of data whose retention is bounded.
    """
    stored = lake.days("user_activity")
    kept = {kind: days for kind, days in asdict(retention).items() if days}
    if not stored or not kept:
        return {}
    first = {kind: stored[-1] - dt.timedelta(days=days - 1) for kind, days in kept.items()}
    _record_first_days(first, lake)
    _remove_records(first, lake, game)
    folders = _folders(game)
    return {kind: _remove(folders[kind], day, lake) for kind, day in first.items()}


def _minimum_days(game: Game) -> Mapping[str, int]:
    """Days of each kind of data that the newest day, and making it again, needs."""
    lineages = lineage_of(game)
    all_reads = [reads for lineage in lineages.values() for reads in lineage.reads]
    earliest = max(reads.offsets[0] for reads in all_reads)
    earliest_model = max(reads.offsets[0] for reads in all_reads if lineages[reads.asset].models)
    horizons = [target.maturity_days for target in targets_of(game).values()]
    matured = most_days(max(horizons), game.closed_days)
    return {
        "raw": game.duplicate_days + 1,
        "quarantine": 1,
        # The features of the oldest training snapshot can be made again.
        "tables": earliest + _lookback_days(game) + 1,
        # Clusters of validation snapshots, and the cards of predictions that are compared with
        # what happened, after a pause as well.
        "models": max(earliest_model, matured + LONGEST_PAUSE) + 1,
    }


def _lookback_days(game: Game) -> int:
    """All days, closed ones as well, that features look back."""
    return most_days(game.lookback_days, game.closed_days)


def _folders(game: Game) -> Mapping[str, list[str]]:
    """Folders of each kind of data, whose folders are days."""
    lineages = lineage_of(game).values()
    # Moments of a promotion are small and hold no user; its result is of all of them.
    kept = {PROMOTION_OUTCOMES.name}
    tables = [table for lineage in lineages for table in lineage.tables if table not in kept]
    models = [f"models/{kind}" for lineage in lineages for kind in lineage.models]
    return {
        "raw": [RAW],
        "quarantine": [QUARANTINE.name],
        "tables": [*tables, EVENT_IDS.name, SHOWN_OFFERS],
        "models": models,
    }


def _record_first_days(first: Mapping[str, dt.date], lake: Lake) -> None:
    """Record the first days that are kept; a day that was removed once is not back."""
    before = first_kept_days(lake)
    latest = {kind: max(day, before.get(kind, day)) for kind, day in first.items()}
    if before | latest != before:
        lake.write(FIRST_KEPT_DAYS, msgspec.json.encode(before | latest))


def _remove_records(first: Mapping[str, dt.date], lake: Lake, game: Game) -> None:
    """Remove the records of what goes, which nothing that stays was made from."""
    records = Records(lineage_of(game), lake)
    for asset, day in _first_recorded_days(first, game):
        old = [recorded for recorded in records.recorded_days(asset) if recorded < day]
        if old:
            records.withdraw(asset, old)


def _first_recorded_days(first: Mapping[str, dt.date], game: Game) -> Iterator[tuple[str, dt.date]]:
    if {"raw", "tables"} & first.keys():
        yield RAW_LOGS, max(first[kind] for kind in ("raw", "tables") if kind in first)
    if "tables" not in first:
        return
    for asset in lineage_of(game):
        # Features that stay were made from activity of the days before.
        is_read = asset == "user_activity"
        back = dt.timedelta(days=_lookback_days(game) if is_read else 0)
        if asset != RAW_LOGS:
            yield asset, first["tables"] - back


def _remove(folders: list[str], first_kept: dt.date, lake: Lake) -> Removed:
    days, files, size = set(), 0, 0
    for folder in folders:
        for day in lake.days(folder):
            if day < first_kept:
                objects = lake.objects(day_folder(folder, day))
                lake.delete_folder(day_folder(folder, day))
                days.add(day)
                files += len(objects)
                size += sum(item.size for item in objects)
    return Removed(first_kept, len(days), files, size)
