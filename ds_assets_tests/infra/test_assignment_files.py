from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from ds_assets.errors import InputError
from ds_assets.infra.assignment_files import AssignmentFiles
from ds_assets_tests.core.promotions.factories import make_promoted_game

ROWS = "user_id,arm,note\n007,treated,x\nu 2,control,\n"


def read(folder: Path, text: str, name: str = "users.csv") -> dict[str, str]:
    (folder / name).write_text(text, encoding="utf-8")
    return dict(AssignmentFiles(folder).read(name))


def test_arms_are_read_from_csv_with_ids_as_they_are_written(tmp_path: Path) -> None:
    assert read(tmp_path, ROWS) == {"007": "treated", "u 2": "control"}


def test_arms_are_read_from_parquet_with_ids_of_any_type(tmp_path: Path) -> None:
    rows = pa.table({"user_id": [7, 8], "arm": ["treated", "as_before"]})
    parquet.write_table(rows, tmp_path / "users.parquet")
    assert AssignmentFiles(tmp_path).read("users.parquet") == {"7": "treated", "8": "as_before"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user,arm\nu,treated\n", "lacks the column user_id; found are user, arm"),
        ("user_id,arm\nu,treated\nu,control\n", "2 rows of 1 users; accepted is one row for each"),
        ("user_id,arm\nu,loud\n", "found the arm 'loud'; use treated, control, as_before"),
        ("user_id,arm\nu,\n", "found the arm ''; use treated, control, as_before"),
        ("user_id,arm\nu,treated,x\n", "cannot be read"),
        ("", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    text: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*gone.csv, which assigned_by of"):
        AssignmentFiles(tmp_path).read("gone.csv")
    (tmp_path / "odd.parquet").write_text("no parquet")
    with pytest.raises(InputError, match="cannot be read"):
        AssignmentFiles(tmp_path).read("odd.parquet")


def test_the_files_of_all_promotions_are_read_and_mistakes_stay_with_theirs(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text(ROWS)
    rules = {
        "good": {"who": None, "assigned_by": "good.csv"},
        "bad": {"who": None, "assigned_by": "bad.csv"},
        "rule": {},
    }
    arms, mistakes = AssignmentFiles(tmp_path).read_all(make_promoted_game(rules))
    assert set(arms) == {"good"}
    assert set(mistakes) == {"bad"}
    assert mistakes["bad"].startswith("there is no file")
