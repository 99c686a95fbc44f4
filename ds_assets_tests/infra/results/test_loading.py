"""Rows are gathered into tables of the size of a statement, each with whole users."""

import itertools
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.infra.results import loading
from ds_assets_tests.infra.factories import cut

COUNTS = st.lists(st.integers(1, 9), max_size=8)


def words(counts: Sequence[int]) -> pa.Table:
    """Some rows of each user."""
    rows = [(f"u{user}", word) for user, count in enumerate(counts) for word in range(count)]
    users, numbers = zip(*rows, strict=True) if rows else ((), ())
    schema = pa.schema([("user_id", pa.string()), ("word", pa.int64())])
    return pa.table([list(users), list(numbers)], schema=schema)


@pytest.mark.parametrize("most", [1, 3, 7])
@given(counts=COUNTS, data=st.data())
def test_no_user_is_in_two_tables_and_no_row_is_lost(
    most: int, counts: list[int], data: st.DataObject
) -> None:
    rows = words(counts)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(loading, "_MAX_ROWS_PER_STATEMENT", most)
        tables = list(loading.cut_between_users(data.draw(cut(rows))))
    assert pa.concat_tables([rows[:0], *tables]).equals(rows)
    users = [table["user_id"].unique().to_pylist() for table in tables]
    assert list(itertools.chain(*users)) == rows["user_id"].unique().to_pylist()
    for table, (*_, last) in zip(tables, users, strict=True):
        of_last = table["user_id"].to_pylist().count(last)
        assert table.num_rows - of_last < most
    assert all(table.num_rows >= most for table in tables[:-1])


def test_tables_are_yielded_while_pieces_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_MAX_ROWS_PER_STATEMENT", 4)
    rows = words([1] * 20)
    pieces = iter([rows[start : start + 2] for start in range(0, 20, 2)])
    next(loading.cut_between_users(pieces))
    assert len(list(pieces)) == 7
