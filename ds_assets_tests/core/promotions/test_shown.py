"""Which assignments were shown: those that a report or an event means, each once."""

import datetime as dt
from typing import Any

import pandas as pd
import pytest

from ds_assets.core.promotions.shown import find_shown
from ds_assets.core.tables import PROMOTION_SHOWN

DAYS = [dt.date(2026, 3, number) for number in range(1, 20)]
COLUMNS = ["user_id", "promotion", "offer", "assignment_id", "as_of", "until"]


def assigned(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Users with the promotion, its offer, the id, and the first and the last day."""
    return pd.DataFrame(list(rows), columns=COLUMNS)


ASSIGNED = assigned(
    ("a", "bundle", "bundle", "a1", DAYS[0], DAYS[5]),
    ("a", "bundle", "bundle", "a2", DAYS[5], DAYS[10]),
    ("a", "vip", "gems", "a3", DAYS[0], DAYS[10]),
    ("b", "bundle", None, "b1", DAYS[0], DAYS[5]),
)


def shown(*rows: tuple[str, dt.date, str]) -> tuple[list[tuple[Any, ...]], int]:
    """The assignments that were shown, and the number of reports of none."""
    reports = pd.DataFrame(list(rows), columns=["user_id", "shown_on", "shown"])
    day = find_shown(DAYS[12], reports, ASSIGNED)
    assert day.rows.schema == PROMOTION_SHOWN.arrow_schema
    assert set(day.rows["as_of"].to_pylist()) <= {DAYS[12]}
    return [tuple(row.values())[1:] for row in day.rows.to_pylist()], day.unknown


def test_an_id_means_its_assignment_whenever_it_was_shown() -> None:
    rows = [("a", "bundle", "a1", DAYS[2]), ("a", "vip", "a3", DAYS[12])]
    assert shown(("a", DAYS[2], "a1"), ("a", DAYS[12], "a3")) == (rows, 0)


@pytest.mark.parametrize(
    ("day", "assignment"), [(1, "a1"), (5, "a1"), (6, "a2"), (10, "a2"), (0, None), (11, None)]
)
def test_a_name_means_the_assignment_that_was_in_effect(day: int, assignment: str | None) -> None:
    rows, unknown = shown(("a", DAYS[day], "bundle"))
    assert [row[2] for row in rows] == ([assignment] if assignment else [])
    assert unknown == (assignment is None)


def test_an_offer_counts_once_with_its_first_day() -> None:
    twice = ("a", DAYS[3], "gems"), ("a", DAYS[2], "a3"), ("a", DAYS[2], "gems")
    assert shown(*twice) == ([("a", "vip", "a3", DAYS[2])], 0)


def test_what_is_of_no_offer_of_the_user_is_counted_and_left_out() -> None:
    of_none = (
        ("b", DAYS[2], "b1"),  # kept without one
        ("b", DAYS[2], "a1"),  # another user's
        ("nobody", DAYS[2], "bundle"),
        ("a", DAYS[2], "other"),
    )
    assert shown(*of_none) == ([], 4)
    assert shown() == ([], 0)
    nothing = find_shown(
        DAYS[0], pd.DataFrame(columns=["user_id", "shown_on", "shown"]), assigned()
    )
    assert (nothing.rows.num_rows, nothing.unknown) == (0, 0)
