"""Every value of a line is in the column of a path that reads it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.field_paths import parse_path
from ds_assets.onboarding.columns import MAX_COLUMNS, tabulate

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@pytest.mark.parametrize(
    ("line", "columns"),
    [
        ({"a": 1, "b": None, "c": ""}, {"a": 1}),
        ({"a": {"b": {"c": 1}}}, {"a.b.c": 1}),
        ({"user id": 1, 'a"b': 2, "x.y": 3}, {"user id": 1, '"a""b"': 2, '"x.y"': 3}),
        ({"a": '{"b": [{"key": "c", "value": 7}]}'}, {"json(a).b[c]": 7}),
        ({"a": [{"name": "level", "value": {"int_value": 3}}]}, {"a[level]": 3}),
        ({"a": [("level", 3)]}, {"a[level]": 3}),
        ({"a": {"int_value": None, "string_value": "x"}}, {"a": "x"}),
        ({"a": [1, 2], "b": [], "c": [("", 3)], "": 4}, {}),
        ({"a": "{no JSON", "b": "[Amplitude] Start"}, {"a": "{no JSON", "b": "[Amplitude] Start"}),
    ],
)
def test_a_value_is_in_the_column_of_its_path(
    line: dict[str, Any], columns: dict[str, Any]
) -> None:
    assert {path: it[0] for path, it in tabulate([line]).items()} == columns


@pytest.mark.slow
@given(
    st.lists(
        st.dictionaries(
            NAMES,
            st.recursive(
                st.integers() | NAMES,
                lambda it: (
                    st.dictionaries(NAMES, it, max_size=3)
                    | st.lists(st.fixed_dictionaries({"key": NAMES, "value": it}), max_size=3)
                ),
                max_leaves=6,
            ),
            max_size=4,
        ),
        max_size=4,
    )
)
def test_every_column_is_a_valid_path_and_every_line_a_row(lines: list[dict[str, Any]]) -> None:
    table = tabulate(lines)
    assert len(table) == len(lines)
    for path in table.columns:
        parse_path(path)


def test_of_too_many_columns_the_most_frequent_are_kept() -> None:
    lines = [{f"id{line}.{n}": 1 for n in range(3_000)} | {"user": "a"} for line in range(4)]
    table = tabulate(lines)
    assert len(table.columns) == MAX_COLUMNS
    assert table["user"].tolist() == ["a"] * 4
