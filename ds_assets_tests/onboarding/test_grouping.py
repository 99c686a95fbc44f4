"""Files are of one kind if they have the same format, columns and types."""

from pathlib import Path

import pytest

from ds_assets.onboarding.grouping import group_files
from ds_assets.onboarding.sources import list_source
from ds_assets_tests.exports import Line
from ds_assets_tests.onboarding.games import open_folder, play, put


def without_type(lines: list[Line]) -> list[Line]:
    return [{key: value for key, value in line.items() if key != "type"} for line in lines]


@pytest.mark.parametrize(
    ("first", "second", "kinds"),
    [
        (play(), play(), 1),
        (play(), play(7, level=1), 1),
        (play(), play(1), 1),
        (play(), without_type(play(price=1)), 2),
        (without_type(play()), without_type(play()), 1),
        (without_type(play()), without_type(play(price=1)), 2),
        (without_type(play()), without_type([*play(), *play(1, coupon="a")]), 1),
        (play(), [{"a": 1, "b": 2}], 2),
    ],
)
def test_files_with_a_type_or_the_same_columns_are_of_one_kind(
    first: list[Line], second: list[Line], kinds: int, tmp_path: Path
) -> None:
    put(tmp_path / "a.jsonl", first)
    put(tmp_path / "b.jsonl", second)
    source = open_folder(tmp_path)
    logs = group_files(list_source(source), source)
    assert len(logs) == kinds
    assert sorted(path for log in logs for path in log.files) == ["a.jsonl", "b.jsonl"]
