"""Sorted sources are merged user by user, a few batches at a time."""

import itertools
from collections.abc import Iterator, Sequence

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.merged_users import merge_by_user
from ds_assets_tests.infra.factories import cut

SOURCES = st.lists(st.lists(st.sampled_from("aAbü🎮"), max_size=7), max_size=4)
SCHEMA = pa.schema([("user_id", pa.string()), ("source", pa.int64())])


def source(number: int, users: Sequence[str]) -> pa.Table:
    """Rows of users, sorted by their bytes."""
    ordered = sorted(users, key=str.encode)
    return pa.table([ordered, [number] * len(users)], schema=SCHEMA)


@given(sources=SOURCES, data=st.data())
def test_all_rows_of_a_user_come_together_and_users_in_order(
    sources: list[list[str]], data: st.DataObject
) -> None:
    tables = [source(number, users) for number, users in enumerate(sources)]
    pieces = [data.draw(cut(table)) for table in tables]
    batches = [[b for piece in of_one for b in piece.to_batches()] for of_one in pieces]
    merged = list(merge_by_user(batches))
    users = [set(rows["user_id"].to_pylist()) for rows in merged]
    for before, after in itertools.pairwise(users):
        assert max(before, key=str.encode) < min(after, key=str.encode)
    assert all(users)
    whole = pa.concat_tables([SCHEMA.empty_table(), *merged])
    by_user = [("user_id", "ascending"), ("source", "ascending")]
    expected = pa.concat_tables([SCHEMA.empty_table(), *tables]).sort_by(by_user)
    assert whole.sort_by(by_user).equals(expected)
    for rows in merged:
        assert rows["source"].to_pylist() == sorted(rows["source"].to_pylist())


def test_a_source_is_read_no_further_than_the_others() -> None:
    read: list[str] = []

    def batches(users: str) -> Iterator[pa.RecordBatch]:
        for user in users:
            read.append(user)
            yield pa.RecordBatch.from_pylist([{"user_id": user, "source": 0}], schema=SCHEMA)

    merged = merge_by_user([batches("abcdefgh"), batches("adh")])
    assert next(merged)["user_id"].to_pylist() == ["a", "a"]
    assert sorted(read) == ["a", "a", "b", "d"]
    assert [rows["user_id"].to_pylist() for rows in merged] == [
        *(["b"], ["c"], ["d", "d"], ["e"], ["f"], ["g"]),
        ["h", "h"],
    ]
