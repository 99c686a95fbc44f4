"""Whether two engines stored the same rows."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from benchmarks.same_rows import find_difference

COLUMNS: dict[str, list[Any]] = {
    "user_id": ["a", "b", None],
    "spend": [1.0, None, 3e6],
    "days": [1, 2, None],
}
TOLERANCE = 1e-9


def compare(folder: Path, **changes: Any) -> str:
    file, expected = folder / "own.parquet", folder / "expected.parquet"
    parquet.write_table(pa.table({**COLUMNS, **changes}), file)
    parquet.write_table(pa.table(COLUMNS), expected)
    return find_difference(file, expected, TOLERANCE)


def test_reals_may_be_as_far_from_each_other_as_the_tolerance(tmp_path: Path) -> None:
    assert compare(tmp_path) == ""
    assert compare(tmp_path, spend=[1.0 + 5e-10, None, 3e6 + 1e-3]) == ""


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"spend": [1.0 + 5e-9, None, 3e6 + 1.0]}, "2 of 3 values of spend differ"),
        ({"spend": [1.0, 0.0, 3e6]}, "1 of 3 values of spend differ"),
        ({"user_id": ["a", "c", None]}, "1 of 3 values of user_id differ"),
        ({"user_id": ["a", "b", "c"]}, "1 of 3 values of user_id differ"),
        ({"days": [1, None, None]}, "1 of 3 values of days differ"),
        ({"days": [1.0, 2.0, None]}, "other columns or types"),
        ({"more": [1, 2, 3]}, "other columns or types"),
    ],
)
def test_any_other_value_is_a_difference(
    changes: dict[str, Any], difference: str, tmp_path: Path
) -> None:
    assert compare(tmp_path, **changes) == difference


def test_a_row_that_is_missing_is_a_difference(tmp_path: Path) -> None:
    fewer = {name: values[:2] for name, values in COLUMNS.items()}
    assert compare(tmp_path, **fewer) == "2 rows, not 3"


def test_a_file_that_is_missing_is_a_difference(tmp_path: Path) -> None:
    compare(tmp_path)
    missing = find_difference(tmp_path / "none.parquet", tmp_path / "own.parquet", TOLERANCE)
    assert missing == f"{tmp_path} has no none.parquet"
