"""One form for a stored table, and a checksum of what it says."""

import datetime as dt
import math
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.checksum import checksum
from ds_assets.core.contracts import conform, rows_of_day
from ds_assets.core.tables import PREDICTIONS

DAY = dt.date(2026, 3, 1)
VALUES = {"text": "some", "integer": 3, "real": 0.25, "date": DAY, "json": "[]"}


def row(user_id: str, **values: Any) -> dict[str, Any]:
    """A row of the contract, whatever columns it has."""
    defaults = {column.name: VALUES[column.type] for column in PREDICTIONS.columns}
    return {**defaults, "user_id": user_id, **values}


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=PREDICTIONS.arrow_schema)


cells = st.fixed_dictionaries(
    {
        "user_id": st.text(max_size=5),
        "churn_probability": st.none() | st.floats(allow_nan=False),
        "cluster": st.none() | st.integers(-(2**63), 2**63 - 1),
        "cluster_name": st.none() | st.text(max_size=3),
    }
)


@given(rows=st.lists(cells, max_size=6), data=st.data())
def test_the_order_of_rows_and_columns_and_the_batches_do_not_matter(
    rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    straight = table(*(row(**cell) for cell in rows))
    shuffled = data.draw(st.permutations(range(len(rows))))
    names = data.draw(st.permutations(PREDICTIONS.names))
    parts = [straight.slice(place, 1) for place in shuffled]
    other = pa.concat_tables(parts or [straight]).select(names)
    assert checksum(other) == checksum(straight)


@given(cell=cells, other=cells)
def test_only_equal_rows_have_an_equal_checksum(
    cell: dict[str, Any], other: dict[str, Any]
) -> None:
    equal = checksum(table(row(**cell))) == checksum(table(row(**other)))
    assert equal == (cell == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([row("a", cluster_name=None)], [row("a", cluster_name="")]),
        ([row("a", cluster=None)], [row("a", cluster=0)]),
        ([row("ab"), row("c")], [row("a"), row("bc")]),
        ([row("a"), row("a")], [row("a")]),
        ([row("a")], [row("A")]),
        ([row("a")], [row("a ")]),
    ],
)
def test_what_is_nearly_the_same_is_told_apart(
    one: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    assert checksum(table(*one)) != checksum(table(*other))


def test_what_databases_do_not_keep_apart_counts_as_the_same() -> None:
    assert checksum(table(row("a", churn_probability=math.nan))) == checksum(
        table(row("a", churn_probability=None))
    )
    assert checksum(table(row("a", churn_probability=-0.0))) == checksum(
        table(row("a", churn_probability=0.0))
    )


def test_the_checksum_of_a_known_table_never_changes() -> None:
    known = pa.table(
        {
            "user_id": ["b", "ü"],
            "as_of": [DAY, DAY],
            "churn_probability": [0.1, None],
            "cluster": pa.array([None, 2], pa.int32()),
        }
    )
    assert checksum(known) == "116b2e07700eda66f4c149b06604657f28bb4f8d8a3f3edb0d488b3c4218e3c1"


def test_a_frame_and_a_table_conform_to_the_same_rows() -> None:
    rows = [row("a", churn_probability=math.nan, cluster_name=None), row("b")]
    frame = pd.DataFrame(rows)[PREDICTIONS.names[::-1]]
    conformed = conform(PREDICTIONS, frame)
    assert conformed.schema == PREDICTIONS.arrow_schema
    assert conformed.equals(conform(PREDICTIONS, table(*rows)))
    assert conformed["churn_probability"].to_pylist() == [None, 0.25]


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (table(row("a")).drop_columns(["cluster"]), "missing: cluster; unknown: none"),
        (table(row("a")).append_column("mood", pa.array(["good"])), "unknown: mood"),
        (pd.DataFrame([row("a"), row(None)]), r"user_id is missing in 1 rows"),  # type: ignore[arg-type]
        (table(row("a"), row("a")), r"2 rows but 1 different as_of and user_id"),
        (table(row("a"), row("b", as_of=DAY + dt.timedelta(1))), r"hold rows of 2026-03-02"),
    ],
)
def test_rows_that_break_the_contract_are_refused_with_the_fault_named(
    rows: Any, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        rows_of_day(PREDICTIONS, DAY, rows)


def test_a_day_without_rows_conforms() -> None:
    assert rows_of_day(PREDICTIONS, DAY, table()).num_rows == 0
