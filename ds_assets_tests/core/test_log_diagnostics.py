"""What the counts of a day mean, by themselves."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.log_counts import Amounts, DayLogs, Example, Reason, TypeCounts, Values
from ds_assets.core.log_diagnostics import (
    Diagnostic,
    diagnose_days,
    find_shift,
    find_shut_weekdays,
    worst,
)
from ds_assets.game import Game

DAY = dt.date(2026, 3, 2)  # a Monday


def game(**changes: Any) -> Game:
    fields = {"user_id": "u", "event_time": "t", "event_type": "e", "amount": "a"}
    least = {"name": "game", "first_day": "2026-01-01", "fields": fields}
    return Game.model_validate(least | {"events": {"purchases": ["buy"]}} | changes)


def logs(**changes: Any) -> DayLogs:
    """A day of a thousand valid lines, with which nothing is wrong."""
    counts: dict[str, Any] = {
        "files": 1,
        "read_files": 1,
        "lines": 1_000,
        "valid": 1_000,
        "users": 100,
        "type_count": 1,
        "types": {"buy": TypeCounts(lines=1_000, valid=1_000)},
    }
    return DayLogs(day=DAY, place="lake", **counts | changes)


def diagnose(day: DayLogs, **changes: Any) -> dict[str, Diagnostic]:
    return {it.code: it for it in diagnose_days([day], game(**changes), {"fields.amount": "a"})}


def quarantine(lines: int) -> dict[str, Reason]:
    example = Example(file="a", line=7, content="{}")
    return {"no user id": Reason(lines=lines, examples=(example,))}


def test_a_day_with_which_nothing_is_wrong_has_no_diagnostic() -> None:
    assert diagnose(logs()) == {}


@pytest.mark.parametrize(
    ("lines", "severity"), [(9, "info"), (10, "warning"), (50, "warning"), (51, "error")]
)
def test_quarantine_is_as_bad_as_its_share(lines: int, severity: str) -> None:
    problem = diagnose(logs(quarantine=quarantine(lines)))["quarantine"]
    assert problem.severity == severity
    assert "logs.leave_out" in problem.text
    assert "a, line 7: {}" in problem.text


def test_a_named_type_without_a_valid_line_is_an_error_however_rare_it_is() -> None:
    day = logs(types={"buy": TypeCounts(lines=3, valid=0)})
    assert diagnose(day)["type_in_quarantine"].severity == "error"


@given(st.integers(-23, 23), st.integers(1, 1_000))
def test_the_hours_by_which_a_full_day_is_shifted_are_found(shift: int, lines: int) -> None:
    hours = {hour + shift: lines * 5 for hour in range(24)}
    assert find_shift(hours) == shift


def test_a_day_with_events_of_the_days_before_is_not_shifted() -> None:
    hours = dict.fromkeys(range(24), 50) | dict.fromkeys(range(-24, 0), 5)
    assert find_shift(hours) == 0
    assert diagnose(logs(hours=hours, late=120))["late"].severity == "info"


def test_the_key_of_the_zone_is_that_of_times_without_one() -> None:
    hours = {hour + 9: 100 for hour in range(24)}
    without = diagnose(logs(hours=hours, times={"iso8601 without a zone": 1_000}))["zone"]
    assert "logs.times_without_zone (now UTC)" in without.text
    assert "9 hours after" in without.text
    with_zone = diagnose(logs(hours=hours, times={"iso8601 with a zone": 1_000}))["zone"]
    assert "correct time_zone (now UTC)" in with_zone.text


def test_hours_without_lines_at_an_end_of_a_busy_day_are_named() -> None:
    day = logs(lines=9_000, valid=9_000, hours=dict.fromkeys(range(15), 600))
    assert "the last 9 hours" in diagnose(day)["quiet_hours"].text


def test_a_part_of_the_files_is_said_to_be_one() -> None:
    text = diagnose(logs(files=3, size=900, read_size=300))["part"].text
    assert "1 of 3 files" in text
    assert diagnose(logs(files=3, read_files=0))["not_looked_at"].severity == "warning"


def test_a_day_without_files_names_closed_days_unless_it_is_one() -> None:
    day = logs(files=0, read_files=0, lines=0)
    assert "closed_days" in diagnose(day)["no_files"].text
    assert "no_files" not in diagnose(day, closed_days=["monday"])


@pytest.mark.parametrize(
    ("amounts", "code"),
    [
        ({"amounts": 90}, "no_amount"),
        ({"zero": 60}, "zero_amount"),
        ({"priced_in_cents": 60}, "cents"),
        ({"median": 5.0, "largest": 900.0}, "largest_purchase"),
        ({"payers": 40, "largest_payer": 600.0}, "largest_payer"),
    ],
)
def test_an_odd_amount_is_a_warning(amounts: dict[str, Any], code: str) -> None:
    usual = {"purchases": 100, "amounts": 100, "total": 1_000.0, "median": 9.0}
    assert diagnose(logs(amounts=Amounts(**usual | amounts)))[code].severity == "warning"


def test_refunds_by_sign_are_said() -> None:
    assert diagnose(logs(amounts=Amounts(negative=1)))["negative_amount"].severity == "info"


def test_names_that_no_line_has_and_frequent_types_without_one_are_listed() -> None:
    types = {"buy_it": TypeCounts(lines=900, valid=900)}
    day = logs(types=types, fields={"fields.amount": Values(lines=0, kinds={})})
    texts = [it.text for it in diagnose_days([day], game(), {"fields.amount": "a"})]
    assert texts == [
        "fields.amount: no line has the field a",
        "events.purchases: no line has the event type buy; did you mean buy_it?",
        (
            "frequent event types that the game file does not name: buy_it (90%); events.counted "
            "makes features of them"
        ),
    ]


def test_a_weekday_without_logs_for_weeks_is_named() -> None:
    days = [DAY - dt.timedelta(back) for back in range(40)]
    week = [day for day in days if day.weekday() != 5]
    (problem,) = find_shut_weekdays(week, DAY, game())
    assert "closed_days: [saturday]" in problem.text
    assert find_shut_weekdays(days, DAY, game()) == []
    assert find_shut_weekdays(week, DAY, game(closed_days=["saturday"])) == []
    assert find_shut_weekdays(week[:8], DAY, game()) == []


def test_the_worst_severity_counts() -> None:
    def of(*severities: Any) -> list[Diagnostic]:
        return [Diagnostic(severity=it, code="a", text="") for it in severities]

    assert [worst(of()), worst(of("warning", "info")), worst(of("info", "error"))] == [
        "info",
        "warning",
        "error",
    ]
