"""Lines of tests and ids of no user are excluded."""

from typing import Any

import pandas as pd
import pytest

from ds_assets.onboarding.exclusions import find_left_out, find_placeholders, is_left_out
from ds_assets.onboarding.exports import EXPORTS
from ds_assets_tests.onboarding.games import make_lines, play

SEGMENT = next(it for it in EXPORTS if it.left_out)


@pytest.mark.parametrize(
    ("field", "values", "tests"),
    [
        ("env", ("prod", "Staging"), ["Staging"]),
        ("is_test", (False, True), [True]),
        ("environment", ("sandbox", "sandbox"), None),
        ("level", ("test", "other"), None),
    ],
)
def test_lines_of_tests_are_left_out_if_others_remain(
    field: str, values: tuple[Any, Any], tests: list[Any] | None
) -> None:
    table = make_lines(play(40, **{field: lambda n: values[n % 2]})).table
    rules = find_left_out(table, None)
    assert rules == ([{"field": field, "values": tests}] if tests else [])
    assert is_left_out(table, rules).tolist() == [bool(tests and n % 2) for n in range(len(table))]


def test_calls_of_an_export_that_are_no_events_are_left_out() -> None:
    table = make_lines(play(type=lambda n: ("track", "identify")[n % 2])).table
    assert find_left_out(table, SEGMENT) == [{"field": "type", "values": ["identify"]}]


def test_an_id_of_no_user_is_in_far_more_lines_than_that_of_a_user() -> None:
    users = [f"u{n % 30}" for n in range(60)]
    assert find_placeholders(pd.Series([*users, *[0] * 40], dtype=object)) == ["0"]
    assert find_placeholders(pd.Series([*users, 0], dtype=object)) == []
    assert find_placeholders(pd.Series([], dtype=object)) == []
