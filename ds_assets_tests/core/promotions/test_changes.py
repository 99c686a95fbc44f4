"""Differences of offers: together they are what users have, and nothing of those without."""

import datetime as dt
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.promotions.changes import (
    CHANGED,
    ENTERED,
    LEFT,
    find_changes,
    find_changes_of_all,
    offers_of_day,
)
from ds_assets.core.tables import PROMOTION_OFFERS
from ds_assets_tests.infra.factories import DAYS, assignment, assignments, control

Offers = dict[tuple[str, str], dict[str, Any]]
"""What somebody knows of offers, by user and promotion."""

ASSIGNMENTS = st.lists(
    st.builds(
        lambda user, promotion, offer, number, until: assignment(
            user,
            promotion=promotion,
            offer=offer,
            assignment_id=f"{user}-{number}",
            until=until,
        ),
        st.sampled_from("ab🎮"),
        st.sampled_from(["first", "second"]),
        st.sampled_from(["bundle", "gems", None]),
        st.integers(1, 2),
        st.sampled_from(DAYS),
    ),
    unique_by=lambda it: (it["user_id"], it["promotion"]),
)


def on(as_of: dt.date, *rows: dict[str, Any]) -> pa.Table:
    return offers_of_day(as_of, assignments(*({**row, "as_of": as_of} for row in rows)))


def offers_in(offers: pa.Table) -> Offers:
    return {
        (row["user_id"], row["promotion"]): {
            name: row[name] for name in ("offer", "assignment_id", "until")
        }
        for row in offers.to_pylist()
    }


def merge(before: Offers, changes: pa.Table) -> Offers:
    """What a receiver knows that merges changes and ignores what is null."""
    after = dict(before)
    for change in changes.to_pylist():
        key = change["user_id"], change["promotion"]
        values = {name: change[name] for name in ("offer", "assignment_id", "until")}
        if change["change"] == LEFT:
            del after[key]
        else:
            assert (change["change"] == CHANGED) == (key in before)
            merged = {name: value for name, value in values.items() if value is not None}
            after[key] = before.get(key, {}) | merged
    return after


@given(ASSIGNMENTS, ASSIGNMENTS)
def test_who_merges_the_changes_knows_the_offers_of_the_day(
    first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    before, after = on(DAYS[0], *first), on(DAYS[1], *second)
    changes = find_changes(DAYS[1], before, after)
    assert merge(offers_in(before), changes) == offers_in(after)
    assert merge({}, find_changes(DAYS[0], none(), before)) == offers_in(before)
    assert find_changes(DAYS[2], after, after).num_rows == 0


@given(ASSIGNMENTS, ASSIGNMENTS)
def test_a_receiver_that_knows_nothing_or_the_day_before_knows_all_after_its_first_day(
    first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    before, after = on(DAYS[0], *first), on(DAYS[1], *second)
    everything = find_changes_of_all(find_changes(DAYS[1], before, after), after)
    entered = offers_in(after)
    for row in everything.to_pylist():
        key = row["user_id"], row["promotion"]
        assert row["change"] == (ENTERED if key in entered else LEFT)
    assert {(row["user_id"], row["promotion"]) for row in everything.to_pylist()} == {
        *offers_in(before),
        *entered,
    }


def none() -> pa.Table:
    return PROMOTION_OFFERS.arrow_schema.empty_table()


def test_users_without_an_offer_are_in_no_change() -> None:
    before = on(DAYS[0], control("a"), assignment("b", arm="as_before", offer="old"))
    after = on(DAYS[1], control("a"), control("b", arm="holdout"), control("c"))
    (change,) = find_changes(DAYS[1], before, after).to_pylist()
    assert change == {
        "as_of": DAYS[1],
        "user_id": "b",
        "promotion": "bundle",
        "change": LEFT,
        "offer": None,
        "assignment_id": "b-1",
        "until": None,
    }


def test_a_changed_offer_names_only_what_is_another() -> None:
    later = assignment("a", assignment_id="a-2", until=dt.date(2026, 4, 1))
    (change,) = find_changes(DAYS[1], on(DAYS[0], assignment("a")), on(DAYS[1], later)).to_pylist()
    assert (change["change"], change["offer"]) == (CHANGED, None)
    assert (change["assignment_id"], change["until"]) == ("a-2", dt.date(2026, 4, 1))
