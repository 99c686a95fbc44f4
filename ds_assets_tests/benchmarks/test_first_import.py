"""Comparison of the lakes of two imports."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from benchmarks.first_import import differing_tables

ROWS: dict[str, list[object]] = {"user_id": ["a", "b"], "spend": [1.0, None]}
TABLE = "user_features/dt=2026-01-01/user_features.parquet"


def write_table(lake: Path, name: str, rows: dict[str, list[object]]) -> None:
    file = lake / name
    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(rows), file)


@pytest.mark.parametrize(
    ("rows", "differ"),
    [
        (ROWS, False),
        ({"user_id": ["b", "a"], "spend": [None, 1.0]}, False),
        ({"user_id": ["a", "b"], "spend": [1.0, 0.0]}, True),
        ({"user_id": ["a", "b", "b"], "spend": [1.0, None, None]}, True),
        ({"user_id": ["a"], "spend": [1.0]}, True),
    ],
)
def test_tables_differ_by_their_rows_and_not_by_the_order_of_them(
    rows: dict[str, list[object]], differ: bool, tmp_path: Path
) -> None:
    write_table(tmp_path / "ours", TABLE, ROWS)
    write_table(tmp_path / "theirs", TABLE, rows)
    expected = [TABLE] if differ else []
    assert differing_tables(tmp_path / "ours", tmp_path / "theirs") == expected


def test_a_day_that_only_one_lake_has_differs(tmp_path: Path) -> None:
    write_table(tmp_path / "ours", TABLE, ROWS)
    (tmp_path / "theirs").mkdir()
    assert differing_tables(tmp_path / "ours", tmp_path / "theirs") == [TABLE]
    assert differing_tables(tmp_path / "theirs", tmp_path / "ours") == [TABLE]
