"""Filling the cache from the predictions in the lake. A newer day is never overwritten."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from ds_assets.core.checksum import checksum
from ds_assets.core.group_defaults import (
    INPUT_COLUMNS,
    TARGET_INPUT_COLUMNS,
    compute_group_defaults,
)
from ds_assets.core.provenance import fingerprint
from ds_assets.core.tables import PLAYER_PROMOTIONS, PREDICTIONS, TARGET_PREDICTIONS
from ds_assets.core.user_offers import join_offers, select_offers
from ds_assets.core.user_targets import join_targets
from ds_assets.errors import InputError
from ds_assets.infra.cache.format import FIRST_DELIVERY
from ds_assets.infra.cache.prediction_cache import CachePut, PredictionCache
from ds_assets.infra.installation_ids import lake_id
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import Records, sha256_of
from ds_assets.infra.lake.tables import has_target_predictions, read_batches, table_file

Offers = Callable[[dt.date], pa.Table]
"""The offers that are in effect at the end of a day, as `select_offers` returns them."""


def no_offers(_day: dt.date) -> pa.Table:
    """The offers of a game without promotions."""
    return select_offers(PLAYER_PROMOTIONS.arrow_schema.empty_table(), [])


def fill_cache(
    days: Sequence[dt.date], lake: Lake, cache: PredictionCache, offers: Offers = no_offers
) -> dict[dt.date, CachePut]:
    """Write each day's predictions to the cache, newest day first.

    Users of a newer day are then skipped in older ones.

    Args:
        days: The days.
        lake: Holds their predictions.
        cache: The cache.
        offers: Finds the offers of a day.

    Raises:
        InputError: the cache belongs to another lake.
    """
    cache.claim(lake_id(lake))
    return {day: _put_day(day, lake, cache, offers(day)) for day in sorted(days, reverse=True)}


def rebuild_cache(
    records: Records,
    lake: Lake,
    cache: PredictionCache,
    days_to_live: int,
    offers: Offers = no_offers,
) -> dict[dt.date, CachePut]:
    """Refill a cache that lost data: each user's newest prediction that has not expired.

    Args:
        records: Of the lake.
        lake: Holds the predictions of all days.
        cache: The cache.
        days_to_live: Days, counted back from the newest stored one, whose predictions are kept.
        offers: Finds the offers of a day.

    Raises:
        InputError: no predictions are stored.
    """
    days = [*records.usable_files(PREDICTIONS.name)]
    if not days:
        raise InputError(f"there are no predictions in {lake}; `ds-assets run DAY` makes them")
    kept = dt.timedelta(days=days_to_live)
    return fill_cache([day for day in days if days[-1] - day < kept], lake, cache, offers)


def _put_day(day: dt.date, lake: Lake, cache: PredictionCache, offers: pa.Table) -> CachePut:
    delivery = _number_delivery(day, lake, offers)
    rows = read_day(day, lake, PREDICTIONS.names, TARGET_PREDICTIONS.names)
    rows = join_offers(rows, offers) if offers.num_rows else rows
    put = cache.put_batches(day, rows, delivery)
    means = compute_group_defaults(read_day(day, lake, INPUT_COLUMNS, TARGET_INPUT_COLUMNS))
    cache.put_day(day, means, delivery)  # last: a reader that finds the day also finds its users
    return put


def _number_delivery(day: dt.date, lake: Lake, offers: pa.Table) -> int:
    """A number of 32 bits for the content of a day, so that other content has another one."""
    tables = (PREDICTIONS.name, TARGET_PREDICTIONS.name)
    contents = [sha256_of(table_file(table, day), lake) for table in tables]
    if offers.num_rows:
        contents.append(checksum(offers))
    content = fingerprint(contents)
    return max(FIRST_DELIVERY, int(content[:8], 16))


def read_day(
    day: dt.date, lake: Lake, columns: Sequence[str], target_columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Read a day's predictions, with those of the game's own targets where it had any."""
    if not has_target_predictions(day, lake):
        return read_batches(PREDICTIONS, day, lake, columns)
    rows = read_batches(PREDICTIONS, day, lake, [*{"user_id", *columns}])
    return join_targets(rows, read_batches(TARGET_PREDICTIONS, day, lake, target_columns))
