import datetime as dt
from typing import Any

import pandas as pd
import pytest

from ds_assets.core.promotions.first_assignments import find_first_assignments
from ds_assets.core.tables import PROMOTIONS
from ds_assets.infra.engines.duckdb import DuckDBEngine, open_duckdb
from ds_assets_tests.core.promotions.days import date

_TYPES = {"text": "string", "date": "date", "real": "double", "integer": "long"}
COLUMNS = ", ".join(f"{column.name} {_TYPES[column.type]}" for column in PROMOTIONS.columns)


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    return open_duckdb(256, 1)


def assignment(number: int, user: str, arm: str = "treated", **values: Any) -> tuple[Any, ...]:
    row = dict.fromkeys(PROMOTIONS.names) | {
        "as_of": date(number),
        "user_id": user,
        "promotion": "bundle",
        "version": "v1",
        "arm": arm,
        "cost": 0.5 if arm == "treated" else 0.0,
        "churn_probability": 0.25,
        "target_probability": 0.75,
    }
    return tuple((row | values).values())


def first_of(engine: DuckDBEngine, *rows: tuple[Any, ...], day: int = 1) -> pd.DataFrame:
    windows = [(date(day), date(day) + dt.timedelta(days=7))]
    with (
        engine.values(rows, COLUMNS) as assignments,
        engine.values(windows, "day date, until date") as frame,
    ):
        users = engine.to_pandas(find_first_assignments(assignments, frame, engine))
    return users.set_index(["promotion", "user_id"]).sort_index()


def test_a_user_counts_on_the_day_of_the_first_assignment_only(engine: DuckDBEngine) -> None:
    users = first_of(
        engine,
        assignment(0, "before"),
        assignment(1, "before"),
        assignment(1, "new"),
        assignment(2, "later"),
    )
    assert set(users.xs("bundle").index) == {"new"}


def test_a_new_version_does_not_count_users_of_an_earlier_one(engine: DuckDBEngine) -> None:
    users = first_of(engine, assignment(0, "a"), assignment(1, "a", version="v2"), day=1)
    assert users.empty


def test_what_is_known_of_a_user_is_that_of_the_first_day(engine: DuckDBEngine) -> None:
    users = first_of(
        engine, assignment(1, "a"), assignment(3, "a", arm="control", churn_probability=0.9)
    )
    row = users.xs(("bundle", "a")).to_dict()
    assert (row["arm"], row["churn_probability"]) == ("treated", 0.25)


def test_costs_are_those_of_all_assignments_within_the_window(engine: DuckDBEngine) -> None:
    users = first_of(
        engine, assignment(1, "a"), assignment(4, "a", cost=0.25), assignment(8, "a", cost=9.0)
    )
    assert users["cost"].tolist() == [0.75, 0.75]


def test_the_holdout_is_compared_with_users_of_any_promotion(engine: DuckDBEngine) -> None:
    users = first_of(
        engine,
        assignment(1, "held", arm="holdout"),
        assignment(1, "kept", arm="control"),
        assignment(1, "both", arm="control"),
        assignment(1, "both", arm="treated", promotion="other"),
    )
    of_all = users.xs("all")
    assert of_all["arm"].to_dict() == {"held": "control", "kept": "treated", "both": "treated"}
    assert of_all["cost"].to_dict()["both"] == 0.5
    assert of_all["target_probability"].to_dict()["held"] == 0.25
    assert "held" not in users.xs("bundle").index
