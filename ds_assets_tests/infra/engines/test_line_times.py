"""Times in every format, with and without a zone."""

import datetime as dt
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from ds_assets_tests.infra.engines.lines import (
    LEAST,
    START,
    make_game,
    read,
    read_files,
    write_json,
)

SEOUL: dict[str, Any] = {"time_zone": "Asia/Seoul", "clock_skew_minutes": 1000}
EVENING = dt.datetime(2026, 2, 1, 20, 0, 0, 123456)  # noqa: DTZ001  (without a zone on purpose)
NEXT_MORNING = EVENING + dt.timedelta(hours=9)


def time_of(time: object, folder: Path, **changes: Any) -> dt.datetime | str:
    """The time of an event on the game's clock, or the reason why there is none."""
    (event,) = read([{"t": time}], make_game("jsonl", **changes), folder)
    outcome: dt.datetime | str = event["reason"] or event["event_time"]
    return outcome


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/New_York"])
@pytest.mark.parametrize(
    ("text", "is_utc"),
    [
        ("2026-02-01 20:00:00.123456", False),
        ("2026-02-01T20:00:00.123456", False),
        ("2026-02-01 20:00:00.123456Z", True),
        ("2026-02-01 20:00:00.123456 UTC", True),
        ("2026-02-02T05:00:00.123456+09:00", True),
    ],
)
def test_a_time_that_names_no_zone_is_one_of_the_zone_that_the_game_file_says(
    text: str, is_utc: bool, zone: str, tmp_path: Path
) -> None:
    logs = {"times_without_zone": zone}
    hours = 0 if is_utc else {"UTC": 0, "Asia/Seoul": 9, "America/New_York": -5}[zone]
    expected = NEXT_MORNING - dt.timedelta(hours=hours)
    assert time_of(text, tmp_path, logs=logs, **SEOUL) == expected


def test_a_time_that_names_no_zone_is_one_of_the_games_by_default(tmp_path: Path) -> None:
    assert time_of(str(EVENING), tmp_path, **SEOUL) == EVENING


@pytest.mark.parametrize(
    ("time_format", "text", "expected"),
    [
        ("%m/%d/%Y %I:%M:%S %p", "2/1/2026 12:00:00 AM", dt.datetime(2026, 2, 1)),  # noqa: DTZ001
        ("%m/%d/%Y %I:%M:%S.%f %p", "02/01/2026 08:00:00.123456 PM", EVENING),
        ("%d.%m.%y %H:%M:%S.%f", "01.02.26 20:00:00.123456", EVENING),
        ("%Y%j", "2026032", dt.datetime(2026, 2, 1)),  # noqa: DTZ001
        ("%A, %d %B %Y", "Sunday, 1 February 2026", dt.datetime(2026, 2, 1)),  # noqa: DTZ001
        ("%a %d %b %Y", "Sun 01 Feb 2026", dt.datetime(2026, 2, 1)),  # noqa: DTZ001
        ("%Y-%m-%d %H:%M:%S.%f %z", "2026-02-01 11:00:00.123456 +0000", EVENING),
        ("%Y-%m-%d %H:%M:%S.%f %Z", "2026-02-01 11:00:00.123456 UTC", EVENING),
        ("it's %Y-%m-%d", "it's 2026-02-01", dt.datetime(2026, 2, 1)),  # noqa: DTZ001
        ("%m/%d/%Y", "2026-02-01", "an impossible time"),
        ("%m/%d/%Y", "13/13/2026", "an impossible time"),
        ("%m/%d/%Y", "2/1/2026 10:00", "an impossible time"),
        ("%m/%d/%Y", "", "an impossible time"),
        ("%m/%d/%Y", None, "no time"),
    ],
)
def test_times_may_have_any_form_that_directives_describe(
    time_format: str, text: str | None, expected: dt.datetime | str, tmp_path: Path
) -> None:
    assert time_of(text, tmp_path, logs={"time_format": time_format}, **SEOUL) == expected


def test_a_format_without_a_zone_is_in_the_zone_of_times_without_one(tmp_path: Path) -> None:
    logs = {"time_format": "%m/%d/%Y %H:%M:%S.%f", "times_without_zone": "UTC"}
    assert time_of("2/1/2026 20:00:00.123456", tmp_path, logs=logs, **SEOUL) == NEXT_MORNING


def test_a_number_is_an_instant_whatever_the_zone_of_times_without_one(tmp_path: Path) -> None:
    logs = {"time_format": "epoch_microseconds", "times_without_zone": "America/New_York"}
    assert time_of(1769976000123456, tmp_path, logs=logs, **SEOUL) == NEXT_MORNING


def test_a_time_before_the_first_possible_one_is_named_with_it(tmp_path: Path) -> None:
    reason = "dated before {}, the earliest possible date of this game"
    assert time_of("1999-12-31", tmp_path) == reason.format("2000-01-01")
    old = {"first_day": dt.date(1998, 1, 1)}
    assert time_of("1996-12-31", tmp_path, **old) == reason.format("1997-01-01")
    assert time_of("1997-01-01", tmp_path, **old) == dt.datetime(1997, 1, 1)  # noqa: DTZ001


def read_column(column: pa.Array, folder: Path, int96: bool = False, **changes: Any) -> Any:
    columns = {name: pa.array([text]) for name, text in LEAST.items()}
    path = folder / "raw"
    table = pa.table(columns | {"t": column})
    parquet.write_table(table, path, use_deprecated_int96_timestamps=int96)
    (event,) = read_files([path], make_game("parquet", **changes))
    outcome: dt.datetime | str = event["reason"] or event["event_time"]
    return outcome


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_column_of_times_has_instants_or_times_without_a_zone(unit: str, tmp_path: Path) -> None:
    time = EVENING.replace(microsecond=0)
    column = pa.array([time], pa.timestamp(unit))
    instants = pa.array([time], pa.timestamp(unit, "UTC"))
    in_utc: dict[str, Any] = {**SEOUL, "logs": {"times_without_zone": "UTC"}}
    morning = NEXT_MORNING.replace(microsecond=0)
    assert read_column(column, tmp_path, **SEOUL) == time
    assert read_column(column, tmp_path, **in_utc) == morning
    assert read_column(instants, tmp_path, **SEOUL) == morning


def test_a_column_as_spark_writes_times_has_instants(tmp_path: Path) -> None:
    column = pa.array([EVENING], pa.timestamp("ns"))
    assert read_column(column, tmp_path, int96=True, **SEOUL) == NEXT_MORNING


def test_a_nested_column_as_spark_writes_times_has_instants(tmp_path: Path) -> None:
    kind = pa.struct([("at", pa.timestamp("ns"))])
    column = pa.array([{"at": EVENING}], kind)
    fields = {"event_time": "t.at"}
    assert read_column(column, tmp_path, int96=True, fields=fields, **SEOUL) == NEXT_MORNING


def test_a_column_of_dates_has_the_beginning_of_each(tmp_path: Path) -> None:
    column = pa.array([START])
    assert read_column(column, tmp_path, **SEOUL) == dt.datetime(2026, 2, 1)  # noqa: DTZ001


def test_a_column_of_numbers_is_read_by_the_format(tmp_path: Path) -> None:
    column = pa.array([1769976000123456])
    logs = {"time_format": "epoch_microseconds"}
    assert read_column(column, tmp_path, logs=logs, **SEOUL) == NEXT_MORNING


SET_BACK = {
    "America/New_York": "2026-11-01T06:00:00",
    "Europe/Berlin": "2026-10-25T01:00:00",
    "Australia/Lord_Howe": "2026-04-04T15:00:00",  # by half an hour
    "America/Havana": "2026-11-01T05:00:00",  # from 1:00 to midnight
    "America/Sao_Paulo": "2018-02-18T02:00:00",  # from midnight to 23:00
    "America/Santiago": "2026-04-05T03:00:00",  # likewise
    "Africa/Casablanca": "2026-02-15T02:00:00",  # for Ramadan
}
"""Instants in UTC at which the clock of a zone is set back."""


@pytest.mark.parametrize("zone", SET_BACK)
def test_times_of_a_date_are_in_the_order_of_their_instants(zone: str, tmp_path: Path) -> None:
    change = dt.datetime.fromisoformat(SET_BACK[zone])
    instants = [change + dt.timedelta(minutes=20 * n) for n in range(-108, 108)]
    game = make_game("jsonl", time_zone=zone, first_day=START - dt.timedelta(days=3650))
    path = tmp_path / "raw"
    write_json([{**LEAST, "t": f"{instant}Z"} for instant in instants], path)
    events = read_files([path], game, change.date() + dt.timedelta(days=3))
    order = [(it["event_date"], it["after_set_back"], it["event_time"]) for it in events]
    assert order == sorted(set(order))
    assert {it["reason"] for it in events} == {None}
    assert sum(it["event_time"] < last["event_time"] for last, it in pairwise(events)) == 1


def test_nothing_is_after_the_clock_was_set_back_on_other_days(tmp_path: Path) -> None:
    game = make_game("jsonl", time_zone="America/New_York")
    times = [f"{START}T00:10", f"{START}T12:00", "2025-11-03T12:00", "2025-03-09T12:00", "never"]
    events = read([{"t": time} for time in times], game, tmp_path)
    assert [it["after_set_back"] for it in events] == [False] * 5
