"""Views of cohorts, on every kind of database."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from ds_assets.core.tables import COHORTS
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.infra.results.schema import COHORT_CURVES, COHORT_PAYBACK
from ds_assets_tests.infra.results.test_reports import table_of

MONDAY = dt.date(2026, 3, 2)
"""First day of a cohort."""


def day(number: int) -> dt.date:
    return MONDAY + dt.timedelta(days=number)


def added(as_of: int, age: int, value: str = "ads", **amounts: Any) -> dict[str, Any]:
    """What a day adds to the cohort at an age."""
    return {
        "as_of": day(as_of),
        "cohort": MONDAY,
        "value": value,
        "age_days": age,
        "users": 0,
        "active_users": 0,
        "payers": 0,
        "purchases": 0,
        "spend": 0.0,
        "cost_per_user": 1.5,
        **amounts,
    }


def put(database: ResultsDatabase, *rows: dict[str, Any]) -> None:
    for as_of in sorted({row["as_of"] for row in rows}):
        of_day = [row for row in rows if row["as_of"] == as_of]
        database.put_report(COHORTS, as_of, table_of(COHORTS, *of_day))


def read(database: ResultsDatabase, view: sa.Table) -> list[Mapping[str, Any]]:
    order = [column for column in view.c if column.name in {"cohort", "value", "age_days"}]
    with database._transaction() as connection:
        rows = connection.execute(sa.select(view).order_by(*order)).mappings()
        return [dict(row) for row in rows]


def curve(database: ResultsDatabase, *names: str, value: str = "ads") -> list[tuple[Any, ...]]:
    rows = [row for row in read(database, COHORT_CURVES) if row["value"] == value]
    return [tuple(float(row[name]) for name in ("age_days", *names)) for row in rows]


JOINING = added(0, 0, users=4, active_users=4, payers=1, spend=2.0)


def test_a_curve_adds_up_days_and_ages(database: ResultsDatabase) -> None:
    put(
        database,
        JOINING,
        added(1, 1, active_users=2, payers=1, spend=3.0),
        added(3, 1, active_users=1),
        added(3, 3, active_users=1, spend=1.0),
        added(9, 9, value="organic", users=1, cost_per_user=None),
    )
    names = ("users", "retention", "payer_share", "spend_per_user", "cost_per_user")
    assert curve(database, *names) == [
        (0, 4, 1.0, 0.25, 0.5, 1.5),
        (1, 4, 0.75, 0.5, 1.25, 1.5),
        (3, 4, 0.25, 0.5, 1.5, 1.5),
    ]


def test_users_who_moved_are_taken_back_and_an_empty_cohort_is_not_shown(
    database: ResultsDatabase,
) -> None:
    put(
        database,
        JOINING,
        added(1, 0, users=-4, active_users=-4, payers=-1, spend=-2.0),
        added(1, 0, value="referral", users=4, active_users=4, payers=1, spend=2.0),
        added(9, 9, value="referral", active_users=1),
    )
    assert {row["value"] for row in read(database, COHORT_CURVES)} == {"referral"}


def test_an_age_counts_once_the_youngest_users_have_reached_it(database: ResultsDatabase) -> None:
    put(database, JOINING, added(9, 3, active_users=1), added(9, 4, active_users=1))
    assert curve(database, "observed_days") == [(0, 3), (3, 3)]


def test_a_cohort_whose_first_days_are_not_stored_is_not_shown(database: ResultsDatabase) -> None:
    put(database, added(1, 0, users=4), added(20, 9, active_users=1))
    assert read(database, COHORT_CURVES) == []
    assert read(database, COHORT_PAYBACK) == []


def test_payback_is_the_first_age_at_which_spend_per_user_covers_the_cost(
    database: ResultsDatabase,
) -> None:
    put(
        database,
        JOINING,
        added(3, 2, spend=4.0),
        added(4, 4, spend=-1.0),
        added(0, 0, value="referral", users=2, spend=1.0, cost_per_user=2.0),
        added(0, 0, value="organic", users=2, spend=1.0, cost_per_user=None),
        added(20, 0, value="unknown", users=1),
    )
    names = ("payback_days", "spend_per_user", "cost_per_user", "paid_back_share")
    paid_back = {
        row["value"]: tuple(row[name] for name in names) for row in read(database, COHORT_PAYBACK)
    }
    assert paid_back["ads"] == (2, 1.25, 1.5, pytest.approx(1.25 / 1.5))
    assert paid_back["referral"] == (None, 0.5, 2.0, 0.25)
    assert paid_back["organic"] == (None, 0.5, None, None)


def test_the_cost_of_a_cohort_is_the_mean_of_its_users_where_it_has_changed(
    database: ResultsDatabase,
) -> None:
    put(
        database,
        JOINING,
        added(1, 0, users=2, cost_per_user=3.0),
        added(2, 0, users=1, cost_per_user=None),
        added(9, 1, active_users=1, cost_per_user=9.0),
    )
    (row,) = read(database, COHORT_PAYBACK)
    assert row["cost_per_user"] == 2.0


def test_rows_of_another_installation_are_apart(database: ResultsDatabase, url: str) -> None:
    database.claim("lake")
    put(database, JOINING, added(9, 1, spend=1.0))
    with ResultsDatabase(url, installation="other") as other:
        other.claim("another lake")
        put(other, added(0, 0, users=1), added(30, 1, spend=7.0))
    spend = [(row["age_days"], row["spend_per_user"]) for row in read(database, COHORT_CURVES)]
    assert sorted(spend) == [(0, 0.0), (0, 0.5), (1, 0.75), (1, 7.0)]


def test_a_day_that_is_delivered_again_changes_no_curve(database: ResultsDatabase) -> None:
    rows = (JOINING, added(9, 1, spend=1.0))
    put(database, *rows)
    before = read(database, COHORT_CURVES)
    put(database, *rows)
    assert read(database, COHORT_CURVES) == before
    database.put_report(COHORTS, day(9), pa.Table.from_pylist([], COHORTS.arrow_schema))
    assert curve(database, "spend_per_user") == []
