"""A checksum of what a stored table says, whatever the order of its rows and columns."""

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.checksum import checksum
from ds_assets.core.tables import PREDICTIONS
from ds_assets_tests.infra.factories import DAYS, row, table

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
    ("rows", "other"),
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
    rows: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    assert checksum(table(*rows)) != checksum(table(*other))


def test_what_databases_do_not_keep_apart_counts_as_the_same() -> None:
    assert checksum(table(row("a", churn_probability=math.nan))) == checksum(
        table(row("a", churn_probability=None))
    )
    assert checksum(table(row("a", churn_probability=-0.0))) == checksum(
        table(row("a", churn_probability=0.0))
    )


def test_the_checksum_of_a_known_table_never_changes() -> None:
    fixed_table = pa.table(
        {
            "user_id": ["b", "ü"],
            "as_of": [DAYS[0], DAYS[0]],
            "churn_probability": [0.1, None],
            "cluster": pa.array([None, 2], pa.int32()),
        }
    )
    assert (
        checksum(fixed_table) == "116b2e07700eda66f4c149b06604657f28bb4f8d8a3f3edb0d488b3c4218e3c1"
    )


def test_a_column_that_earlier_releases_lack_counts_only_where_it_has_a_value() -> None:
    before = pa.table({"user_id": ["a", "b"]})
    missing = pa.array([None, float("nan")], pa.float64())
    assert checksum(before.append_column("churn_probability_low", missing)) == checksum(before)
    assert checksum(before.append_column("churn_probability", missing)) != checksum(before)
    valued = pa.array([0.25, None], pa.float64())
    assert checksum(before.append_column("churn_probability_low", valued)) != checksum(before)
