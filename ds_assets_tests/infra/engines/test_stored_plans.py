"""Plans that outlive the process: what identifies one, and what is kept of it."""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ds_assets.core.engine import DataFrame, plan_once
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.engines.duckdb import open_duckdb
from ds_assets.infra.engines.stored_plans import PlannedFrame, StoredPlans, key_of
from ds_assets_tests.core.factories import make_game

SQL = "SELECT 1 AS one"
PLANS_KEY = """
from ds_assets.infra.engines.stored_plans import PlannedFrame, key_of
from ds_assets_tests.core.factories import make_game
def build(): ...
print(key_of(build, (PlannedFrame(build, "users"), make_game(), ("a", 1.5), None)))
"""


def build() -> DataFrame:
    raise AssertionError("nothing has asked for more than the SQL")


def print_key(environment: dict[str, str]) -> str:
    """The key that a process of its own prints."""
    return subprocess.run(  # noqa: S603  (the command is fixed)
        [sys.executable, "-c", PLANS_KEY],
        env=os.environ | environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def test_the_sql_of_a_plan_is_read_again_by_its_key(tmp_path: Path) -> None:
    StoredPlans(tmp_path / "plans").write("a", SQL)
    plans = StoredPlans(tmp_path / "plans")
    assert (plans.read("a"), plans.read("b")) == (SQL, None)


def test_plans_of_other_versions_of_the_code_are_removed(tmp_path: Path) -> None:
    old = tmp_path / "other version"
    old.mkdir()
    (old / "a.sql").write_text(SQL, encoding="utf-8")
    StoredPlans(tmp_path).write("b", SQL)
    assert not old.exists()


def test_where_nothing_can_be_written_plans_are_not_stored(tmp_path: Path) -> None:
    (tmp_path / "plans").touch()
    plans = StoredPlans(tmp_path / "plans" / "of this home")
    plans.write("a", SQL)
    assert plans.read("a") is None
    assert (tmp_path / "plans").read_bytes() == b""


def test_a_plan_has_the_same_key_in_every_process() -> None:
    keys = {print_key({"PYTHONHASHSEED": seed}) for seed in ("1", "2")}
    assert len(keys) == 1
    assert "None" not in keys


def test_a_plan_of_other_frames_values_or_code_has_another_key() -> None:
    def other() -> DataFrame: ...

    frame = PlannedFrame(build, "users")
    keys = [
        key_of(build, (frame, make_game())),
        key_of(build, (frame, make_game(first_day=dt.date(2020, 1, 1)))),
        key_of(build, (PlannedFrame(build, "payers"), make_game())),
        key_of(other, (frame, make_game())),
    ]
    assert len({*keys}) == len(keys)


def test_a_frame_of_this_process_makes_a_plan_that_is_not_stored() -> None:
    assert key_of(build, (PlannedFrame(build, None), 1)) is None


def test_a_plan_that_depends_on_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot depend on object"):
        key_of(build, (object(),))


def test_a_stored_plan_is_run_without_building_its_frame(tmp_path: Path) -> None:
    built = []

    def count(engine: LakeEngine, frame: DataFrame) -> DataFrame:
        built.append(1)
        return frame.agg(engine.functions.count("*").alias("rows"))

    def count_rows() -> int:
        # A function that is wrapped again has planned nothing, like one of another process.
        plan = plan_once(lambda frame, engine: count(engine, frame))
        engine = open_duckdb(512, 2, tmp_path)
        with engine.values([(1,), (2,)], "number int") as frame:
            return int(engine.to_pandas(plan(frame, engine))["rows"].iloc[0])

    assert (count_rows(), count_rows(), len(built)) == (2, 2, 1)
