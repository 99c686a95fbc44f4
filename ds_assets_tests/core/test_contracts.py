"""Rows are stored only in the form that the contract of their table declares."""

import datetime as dt
import math
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.contracts import conform, nan_to_null, rows_of_day
from ds_assets.core.schema import Column, Table
from ds_assets.core.tables import PREDICTIONS
from ds_assets_tests.infra.factories import DAYS, row, table

VISITS = Table(
    "visits",
    (
        Column("day", "date", "The day."),
        Column("user_id", "text", "The user."),
        Column("count", "integer", "Visits."),
        Column("minutes", "real", "Minutes; none where they were not measured.", nullable=True),
    ),
    ("day", "user_id"),
)
KEYS = st.tuples(st.sampled_from(DAYS), st.text(max_size=2))


def visits(*keys: tuple[dt.date, str], **columns: Any) -> dict[str, Any]:
    """Columns of rows with these keys, in another order than that of the contract."""
    days, users = [day for day, _ in keys], [user for _, user in keys]
    numbers = {"minutes": [0.5] * len(keys), "count": [1] * len(keys)}
    return {**numbers, "user_id": users, "day": days, **columns}


def test_a_frame_and_a_table_conform_to_the_same_rows() -> None:
    rows = [row("a", churn_probability=math.nan, cluster_name=None), row("b")]
    frame = pd.DataFrame(rows)[PREDICTIONS.names[::-1]]
    conformed = conform(PREDICTIONS, frame)
    assert conformed.schema == PREDICTIONS.arrow_schema
    assert conformed.equals(conform(PREDICTIONS, table(*rows)))
    assert conformed["churn_probability"].to_pylist() == [None, 0.25]


def test_rows_get_the_columns_order_and_types_of_the_contract() -> None:
    counts = pa.array([3], pa.int8())
    minutes = pa.array([2], pa.int32())
    conformed = conform(VISITS, pa.table(visits((DAYS[0], "a"), count=counts, minutes=minutes)))
    assert conformed.schema == VISITS.arrow_schema
    assert conformed.to_pylist() == [{"day": DAYS[0], "user_id": "a", "count": 3, "minutes": 2.0}]


@pytest.mark.parametrize("value", ["many", 2.5, 1e300])
def test_a_value_that_does_not_fit_its_type_is_refused_rather_than_changed(value: Any) -> None:
    with pytest.raises(ValueError, match=r"(?i)parse|truncated|bounds"):
        conform(VISITS, pa.table(visits((DAYS[0], "a"), count=[value])))


@pytest.mark.parametrize("name", ["day", "user_id", "count"])
def test_a_missing_value_is_refused_where_one_is_required(name: str) -> None:
    columns = visits((DAYS[0], "a"), (DAYS[0], "b"))
    columns[name] = [columns[name][0], None]
    with pytest.raises(
        ValueError, match=rf"^visits.{name} is missing in 1 rows, but it is required$"
    ):
        conform(VISITS, pa.table(columns))


@given(keys=st.lists(KEYS, max_size=6))
def test_rows_conform_in_any_order_exactly_if_no_two_have_the_same_key(
    keys: list[tuple[dt.date, str]],
) -> None:
    schema = pa.schema([VISITS.arrow_schema.field(name) for name in visits()])
    rows = pa.table(visits(*keys), schema=schema)
    if len(set(keys)) == len(keys):
        assert conform(VISITS, rows).num_rows == len(keys)
    else:
        with pytest.raises(ValueError, match="different day and user_id"):
            conform(VISITS, rows)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (table(row("a")).drop_columns(["cluster"]), "missing: cluster; unknown: none"),
        (table(row("a")).append_column("mood", pa.array(["good"])), "unknown: mood"),
        (pd.DataFrame([row("a"), row(None)]), r"user_id is missing in 1 rows"),  # type: ignore[arg-type]
        (table(row("a"), row("a")), r"2 rows but 1 different as_of and user_id"),
        (table(row("a"), row("b", as_of=DAYS[1])), r"hold rows of 2026-03-02"),
    ],
)
def test_rows_that_break_the_contract_are_refused_with_the_fault_named(
    rows: Any, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        rows_of_day(PREDICTIONS, DAYS[0], rows)


def test_a_day_without_rows_conforms() -> None:
    assert rows_of_day(PREDICTIONS, DAYS[0], table()).num_rows == 0


def test_only_numbers_can_be_not_a_number() -> None:
    numbers = nan_to_null(pa.chunked_array([[1.0, math.nan, None]]))
    assert numbers.to_pylist() == [1.0, None, None]
    texts = pa.chunked_array([["nan", None]])
    assert nan_to_null(texts) is texts
