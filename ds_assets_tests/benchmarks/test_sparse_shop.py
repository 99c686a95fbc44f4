import datetime as dt
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.sparse_shop import (
    CHURN_DAYS,
    FIRST_DAY,
    PAYMENT_DAYS,
    ShopOptions,
    simulate_shop,
)
from benchmarks.validation import area, calibration_error
from ds_assets.game import load_game

OPTIONS = ShopOptions(buyers=4_000, days=400, closed_weekday=5)
DAY = OPTIONS.open_days[250]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    simulate_shop(OPTIONS, folder, [DAY])
    return folder


def events_of(folder: Path) -> pd.DataFrame:
    lines: list[Any] = [
        json.loads(line)
        for file in sorted((folder / "source").glob("*/*.gz"))
        for line in gzip.decompress(file.read_bytes()).splitlines()
    ]
    return pd.DataFrame(
        {
            "user": event["user"]["id"],
            "date": dt.date.fromisoformat(event["ts"][:10]),
            "amount": event["amount"],
        }
        for event in lines
    )


def happened(events: pd.DataFrame, users: pd.Series, horizon: int) -> Any:
    last = OPTIONS.open_days[OPTIONS.open_days.index(DAY) + horizon]
    later = events[(events["date"] > DAY) & (events["date"] <= last)]
    return users.isin(later["user"]).to_numpy()


@pytest.mark.slow
def test_nobody_buys_on_the_weekday_on_which_the_shop_is_shut(shop: Path) -> None:
    game = load_game(shop / "game.yaml")
    days = {date.weekday() for date in events_of(shop)["date"]}
    assert days == {0, 1, 2, 3, 4, 6}
    assert {day.weekday() for day in game.closed_days.dates} == {5}
    assert len(list((shop / "source").iterdir())) + len(game.closed_days.dates) == OPTIONS.days


@pytest.mark.slow
def test_the_same_seed_makes_the_same_shop(shop: Path, tmp_path: Path) -> None:
    simulate_shop(OPTIONS, tmp_path, [])
    for name in ("dt=2024-03-04", "dt=2024-09-09"):
        files = [folder / "source" / name / "events.jsonl.gz" for folder in (shop, tmp_path)]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_the_truth_of_the_shop_comes_true(shop: Path) -> None:
    truth = pd.read_parquet(shop / "truth" / f"dt={DAY}.parquet")
    events = events_of(shop)
    for column, horizon in (("payment", PAYMENT_DAYS), ("churn", CHURN_DAYS)):
        labels = happened(events, truth["user_id"], horizon) ^ (column == "churn")
        chances = truth[f"{column}_probability"].to_numpy()
        assert area(labels, chances) > 0.65
        assert calibration_error(labels, chances) < 0.05
        assert chances.mean() == pytest.approx(labels.mean(), abs=0.03)


def test_spend_has_a_heavy_tail_and_its_truth_comes_true_for_usual_buyers(shop: Path) -> None:
    events = events_of(shop)
    totals = np.sort(events.groupby("user")["amount"].sum())
    assert totals[-len(totals) // 10 :].sum() > 0.3 * totals.sum()
    truth = pd.read_parquet(shop / "truth" / f"dt={DAY}.parquet")
    usual = truth[truth["expected_spend"] < truth["expected_spend"].quantile(0.95)]
    last = OPTIONS.open_days[OPTIONS.open_days.index(DAY) + PAYMENT_DAYS]
    is_later = (events["date"] > DAY) & (events["date"] <= last)
    later = events[is_later & events["user"].isin(usual["user_id"])]
    assert usual["expected_spend"].sum() == pytest.approx(later["amount"].sum(), rel=0.15)


def test_the_log_is_as_long_as_it_was_ordered() -> None:
    assert len(ShopOptions(buyers=1, days=730).open_days) == 730
    assert ShopOptions(buyers=1, days=14).open_days[0] == FIRST_DAY
    assert len(ShopOptions(buyers=1, days=14, closed_weekday=2).open_days) == 12
