"""Cases of real logs, from the lines of a day to predictions and their outcomes."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ds_assets import daily_assets
from ds_assets.core.attribute_texts import MAX_ATTRIBUTE_LENGTH, shorten
from ds_assets.core.tables import PREDICTION_OUTCOMES
from ds_assets.infra.lake.tables import read_predictions, read_rows
from ds_assets_tests.assets.factories import (
    LAST,
    Installation,
    change_game,
    day,
    finished,
)
from ds_assets_tests.raw_text import read_text

pytestmark = pytest.mark.slow

OTHER_COUNTRY = "ZZ"
LONG_COUNTRY = "X" * 300
PREDICTED = day(24)
"""A day whose horizons are over at the end of the finished month."""


def rewrite_logs(
    installation: Installation, of_day: dt.date, change: Callable[[dict[str, Any]], None]
) -> None:
    """Replace the log files of a day by one file with changed events."""
    files = sorted(installation.source(of_day).glob("*.jsonl*"))
    text = "".join(map(read_text, files))
    events = [json.loads(line) for line in text.splitlines()]
    for it in events:
        change(it)
    for file in files:
        file.unlink()
    installation.write_logs(of_day, *map(json.dumps, events), name="changed.jsonl")


def predictions(installation: Installation, of_day: dt.date) -> pd.DataFrame:
    rows: pd.DataFrame = read_predictions(of_day, installation.lake).to_pandas()
    return rows.set_index("user_id")


def test_a_country_never_seen_before_changes_no_chance_by_itself_and_is_no_reason(
    tmp_path: Path,
) -> None:
    installation = finished().copy(tmp_path)
    before = predictions(installation, LAST)
    travellers: set[str] = set()

    def travel(it: dict[str, Any]) -> None:
        travellers.add(it["user"]["id"])
        it["user"]["country"] = OTHER_COUNTRY

    rewrite_logs(installation, LAST, travel)
    installation.run(
        LAST, assets=("raw_logs", "user_activity", "user_lifetimes", "user_features", "predictions")
    )
    after = predictions(installation, LAST)
    users = sorted(travellers & {*before.index})
    assert len(users) > 50
    changes = (after["churn_probability"] - before["churn_probability"])[users]
    assert np.abs(changes).mean() < 0.05
    assert np.abs(changes).max() < 0.4
    assert not after["churn_reasons"].str.contains(OTHER_COUNTRY).any()


def test_a_long_text_of_one_user_is_cut_and_the_outcomes_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_assets, "PICTURED_DAYS", 0)
    changes = {"user_groups": "country", "checks": {"max_lost_user_share": 1}}  # one user is left
    installation = change_game(finished().copy(tmp_path), changes)
    user_id = predictions(installation, PREDICTED).index[0]

    def lengthen(it: dict[str, Any]) -> None:
        it["user"]["id"] = user_id
        it["user"]["country"] = LONG_COUNTRY

    rewrite_logs(installation, PREDICTED, lengthen)
    installation = Installation(tmp_path)  # reads the changed game file
    installation.run(PREDICTED)
    group = predictions(installation, PREDICTED)["user_group"][user_id]
    assert group == f"country={shorten(LONG_COUNTRY)}"
    assert len(group) <= len("country=") + MAX_ATTRIBUTE_LENGTH
    outcomes = read_rows(PREDICTION_OUTCOMES, PREDICTED, installation.lake).to_pandas()
    assert "all" in set(outcomes["segment"])
