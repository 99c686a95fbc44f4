"""How a day differs from an earlier one."""

import datetime as dt
from typing import Any

import pytest

from ds_assets.core.log_counts import Amounts, DayLogs, TypeCounts, Values
from ds_assets.core.log_drift import compare
from ds_assets.game import Game

BEFORE, DAY = dt.date(2026, 3, 2), dt.date(2026, 3, 9)
GAME = Game.model_validate(
    {
        "name": "game",
        "first_day": "2026-01-01",
        "fields": {"user_id": "u", "event_time": "t", "event_type": "e"},
        "events": {"purchases": ["buy"]},
    }
)


def logs(day: dt.date, **changes: Any) -> DayLogs:
    counts: dict[str, Any] = {
        "files": 1,
        "read_files": 1,
        "lines": 1_000,
        "valid": 1_000,
        "sampled": 1_000,
        "type_count": 2,
        "types": {name: TypeCounts(lines=500, valid=500) for name in ("buy", "walk")},
        "columns": {"level": values("number")},
    }
    return DayLogs(day=day, place="lake", **counts | changes)


def values(kind: str, lines: int = 1_000) -> Values:
    return Values(lines=lines, kinds={kind: lines})


def differences(earlier: dict[str, Any], **changes: Any) -> list[tuple[str, str]]:
    diagnostics = compare(logs(DAY, **changes), logs(BEFORE, **earlier), GAME)
    assert all(it.days == (DAY,) for it in diagnostics)
    return [(it.severity, it.code) for it in diagnostics]


def types(**lines: int) -> dict[str, Any]:
    counts = {name: TypeCounts(lines=count, valid=count) for name, count in lines.items()}
    return {"types": counts, "type_count": len(counts)}


def test_days_alike_do_not_differ() -> None:
    assert differences({}) == []


def test_a_lost_field_is_an_error_and_a_new_one_is_not() -> None:
    assert differences({}, columns={"rank": values("number")}) == [
        ("error", "lost_field"),
        ("info", "new_field"),
    ]


def test_a_rare_field_may_be_missing_by_chance() -> None:
    columns = {"level": values("number"), "rare": values("text", 30)}
    assert differences({"columns": columns}, sampled=500) == []
    assert differences({"columns": columns}) == [("error", "lost_field")]


@pytest.mark.parametrize("kind", ["columns", "fields"])
def test_a_field_of_another_type_is_an_error(kind: str) -> None:
    before, now = {kind: {"level": values("number")}}, {kind: {"level": values("text")}}
    assert differences(before, **now) == [("error", "retyped_field")]


def test_a_field_of_mixed_types_has_not_changed() -> None:
    mixed = Values(lines=1_000, kinds={"number": 450, "text": 550})
    assert differences({}, columns={"level": mixed}) == []


def test_a_lost_type_is_an_error_if_the_game_file_names_it() -> None:
    assert differences({}, **types(walk=500)) == [("error", "lost_type")]
    assert differences({}, **types(buy=500)) == [("warning", "lost_type")]


def test_a_type_with_another_name_is_taken_for_a_renamed_one() -> None:
    diagnostics = compare(logs(DAY, **types(walk=500, buy2=500)), logs(BEFORE), GAME)
    assert [it.code for it in diagnostics] == ["lost_type", "new_type"]
    assert "renamed to buy2?" in diagnostics[0].text


@pytest.mark.parametrize(("valid", "severity"), [(640, "warning"), (249, "error")])
def test_few_events_are_named(valid: int, severity: str) -> None:
    assert differences({}, valid=valid) == [(severity, "few_lines")]
    assert differences({}, valid=valid, files=2) == []  # only a part was looked at


@pytest.mark.parametrize("median", [499.0, 0.0499])
def test_amounts_in_another_unit_are_an_error(median: float) -> None:
    before = {"amounts": Amounts(purchases=50, amounts=50, median=4.99)}
    now = Amounts(purchases=50, amounts=50, median=median)
    assert differences(before, amounts=now) == [("error", "unit")]
