"""A day of rows can be read again and again, in pieces, and in the order of its key only."""

import datetime as dt
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core import day_rows
from ds_assets.core.day_rows import DayRows
from ds_assets.core.tables import PREDICTIONS, TARGET_PREDICTIONS
from ds_assets_tests.infra.factories import DAYS, cut, row, table

USERS = st.lists(st.text(max_size=3), max_size=8, unique=True)


def rows_of(pieces: Sequence[pa.Table], as_of: dt.date = DAYS[0]) -> DayRows:
    return DayRows(PREDICTIONS, as_of, lambda: pieces)


@given(users=USERS, data=st.data())
def test_rows_come_in_their_order_whatever_the_pieces_and_as_often_as_they_are_read(
    users: list[str], data: st.DataObject
) -> None:
    straight = table(*map(row, sorted(users, key=str.encode)))
    rows = rows_of(data.draw(cut(straight)))
    for _ in range(2):
        assert rows.to_table().equals(straight)
        assert all(piece.num_rows for piece in rows)


@given(users=USERS, data=st.data())
def test_a_table_or_frame_in_any_order_is_sorted_by_the_key(
    users: list[str], data: st.DataObject
) -> None:
    shuffled = [row(user) for user in data.draw(st.permutations(users))]
    straight = table(*map(row, sorted(users, key=str.encode)))
    for rows in (table(*shuffled), pd.DataFrame(shuffled, columns=PREDICTIONS.names)):
        assert DayRows.of(PREDICTIONS, DAYS[0], rows).to_table().equals(straight)


def test_a_table_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_rows, "_ROWS_PER_PIECE", 2)
    rows = DayRows.of(PREDICTIONS, DAYS[0], table(*map(row, "edcba")))
    users = [piece["user_id"].to_pylist() for piece in rows]
    assert users == [["a", "b"], ["c", "d"], ["e"]]


@pytest.mark.parametrize("users", ["ba", "aa", "aba"])
@pytest.mark.parametrize("is_cut", [False, True])
def test_rows_that_are_not_in_the_order_of_the_key_are_refused(users: str, is_cut: bool) -> None:
    rows = table(*map(row, users))
    pieces = [rows.slice(place, 1) for place in range(len(users))] if is_cut else [rows]
    with pytest.raises(ValueError, match=r"not sorted by as_of and user_id|different as_of and"):
        list(rows_of(pieces))


def test_the_reader_chooses_the_error_for_rows_in_another_order() -> None:
    rows = DayRows(PREDICTIONS, DAYS[0], lambda: [table(row("b"), row("a"))], LookupError)
    with pytest.raises(LookupError, match=r"^predictions of 2026-03-01 are not sorted by as_of"):
        list(rows)


def test_every_piece_must_fulfil_the_contract_and_be_of_the_day() -> None:
    first = table(row("a"))
    for second, complaint in (
        (table(row("b")).drop_columns(["cluster"]), "missing: cluster"),
        (table(row("b", DAYS[1])), "hold rows of 2026-03-02"),
    ):
        pieces = iter(rows_of([first, second]))
        assert next(pieces).equals(first)
        with pytest.raises(ValueError, match=complaint):
            next(pieces)


def test_rows_of_another_table_or_day_are_not_taken_for_those_asked_for() -> None:
    rows = rows_of([table(row("a"))])
    assert DayRows.of(PREDICTIONS, DAYS[0], rows) is rows
    for contract, as_of in ((PREDICTIONS, DAYS[1]), (TARGET_PREDICTIONS, DAYS[0])):
        with pytest.raises(ValueError, match=r"^found predictions of 2026-03-01; accepted are "):
            DayRows.of(contract, as_of, rows)
