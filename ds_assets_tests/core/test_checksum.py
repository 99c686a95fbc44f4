"""A checksum of rows in their order, whatever the pieces in which they are read."""

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.checksum import RowsChecksum, checksum, checksum_rows, is_of_first_version
from ds_assets.core.tables import PREDICTIONS
from ds_assets_tests.infra.factories import DAYS, cut, row, table

cells = st.fixed_dictionaries(
    {
        "user_id": st.text(max_size=5),
        "churn_probability": st.none() | st.floats(allow_nan=False),
        "cluster": st.none() | st.integers(-(2**63), 2**63 - 1),
        "cluster_name": st.none() | st.text(max_size=3),
    }
)


LISTS = st.lists(cells, max_size=6)


@given(rows=LISTS, data=st.data())
def test_where_pieces_end_and_the_order_of_columns_do_not_matter(
    rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    straight = table(*(row(**cell) for cell in rows))
    names = data.draw(st.permutations(PREDICTIONS.names))
    pieces = [piece.select(names) for piece in data.draw(cut(straight))]
    summed = checksum_rows(straight.select(names).schema, pieces)
    assert (summed.value, summed.row_count) == (checksum(straight), len(rows))
    assert checksum(pa.concat_tables(pieces)) == checksum(straight)


@given(rows=LISTS, others=LISTS)
def test_only_equal_rows_in_equal_order_have_an_equal_checksum(
    rows: list[dict[str, Any]], others: list[dict[str, Any]]
) -> None:
    sums = [checksum(table(*(row(**cell) for cell in cells))) for cells in (rows, others)]
    assert (sums[0] == sums[1]) == (rows == others)


@given(cell=cells, other=cells)
def test_a_row_that_differs_in_any_value_has_another_checksum(
    cell: dict[str, Any], other: dict[str, Any]
) -> None:
    for name in cell:
        changed = {**cell, name: other[name]}
        equal = checksum(table(row(**cell))) == checksum(table(row(**changed)))
        assert equal == (cell == changed)


@pytest.mark.parametrize(
    ("rows", "other"),
    [
        ([row("a", cluster_name=None)], [row("a", cluster_name="")]),
        ([row("a", cluster=None)], [row("a", cluster=0)]),
        ([row("ab"), row("c")], [row("a"), row("bc")]),
        ([row("a"), row("a")], [row("a")]),
        ([row("a")], [row("A")]),
        ([row("a")], [row("a ")]),
        ([row("a"), row("b")], [row("b"), row("a")]),
        ([row("a"), row("b", cluster=None)], [row("a", cluster=None), row("b")]),
        ([row("a", cluster=2, days_left=1)], [row("a", cluster=1, days_left=2)]),
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
        checksum(fixed_table) == "2-84a569d2eb2cf3f9ad2419db2758309e599ec968dc9483f61f871327d653cb"
    )


def test_a_column_that_earlier_releases_lack_counts_only_where_it_has_a_value() -> None:
    before = pa.table({"user_id": ["a", "b"]})
    missing = pa.array([None, float("nan")], pa.float64())
    assert checksum(before.append_column("churn_probability_low", missing)) == checksum(before)
    assert checksum(before.append_column("churn_probability", missing)) != checksum(before)
    valued = pa.array([0.25, None], pa.float64())
    assert checksum(before.append_column("churn_probability_low", valued)) != checksum(before)


def test_rows_in_types_of_other_stores_have_the_same_checksum() -> None:
    plain = pa.table({"user_id": ["a", "b"], "cluster": [1, 2], "as_of": DAYS[:2]})
    others = [pa.dictionary(pa.int8(), pa.string()), pa.int16(), pa.date64()]
    schema = pa.schema(zip(plain.column_names, others, strict=True))
    assert checksum(plain.cast(schema)) == checksum(plain)


def test_no_rows_differ_by_their_columns_only() -> None:
    empty = table()
    assert RowsChecksum(empty.schema).value == checksum(empty) == checksum(table(row("a"))[:0])
    assert checksum(empty) != checksum(empty.drop_columns(["cluster"]))


def test_a_checksum_of_the_first_version_is_recognized() -> None:
    value = checksum(table(row("a")))
    assert len(value) == 64
    assert not is_of_first_version(value)
    assert is_of_first_version("116b2e07700eda66f4c149b06604657f28bb4f8d8a3f3edb0d488b3c4218e3c1")
    assert not is_of_first_version("x")
