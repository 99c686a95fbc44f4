"""Logs of games that nobody here has seen: sparse, small, new, old, or with little in a line.

Each is made by a small law of its own, goes through the whole graph for its last day, and is
compared with what happens afterwards, which is in no log.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import dagster as dg
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import yaml
from sklearn.metrics import roc_auc_score

from ds_assets.assets import user_features
from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.labels import matured_snapshots
from ds_assets.core.lineage import lineage_of
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.targets import BUILT_IN, targets_of
from ds_assets.infra.lake.models import stored_card
from ds_assets.infra.lake.provenance import recorded
from ds_assets.infra.lake.tables import read_predictions
from ds_assets_tests.assets.factories import Installation

Flags: TypeAlias = npt.NDArray[np.bool_]
Numbers: TypeAlias = npt.NDArray[np.float64]

TARGETS = tuple(target.name for target in BUILT_IN)
DAY_SECONDS = 86_400
PURCHASES_ALONE = {
    "fields": {"user_id": "user", "event_time": "time", "event_type": "type", "amount": "amount"},
    "events": {"activity": ["purchase"], "purchases": ["purchase"]},
}
"""Of a game whose logs hold nothing but purchases."""


@dataclass(frozen=True)
class Log:
    """What every user did on every day; the days after the last are in no file.

    Attributes:
        first_day: The first of `days`.
        days: Days with files.
        came: Who was there, shape (users, days and those after them).
        paid: Who bought, of the same shape.
        game: Keys of the game file beside those that all have.
        more: Further fields of the lines, a number for each user.
    """

    first_day: dt.date
    days: int
    came: Flags
    paid: Flags | None = None
    game: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Numbers] = field(default_factory=dict)

    @property
    def last_day(self) -> dt.date:
        return self.first_day + dt.timedelta(self.days - 1)

    def lines(self, day: int) -> pd.DataFrame:
        """Lines of a day: a visit of each user who came, a purchase of each who paid."""
        visits = self._events(day, self.came, "visit")
        if self.paid is None:
            return visits
        bought = self._events(day, self.paid, "purchase").assign(amount=4.99)
        return bought if self.paid is self.came else pd.concat([visits, bought])

    def _events(self, day: int, who: Flags, kind: str) -> pd.DataFrame:
        users = np.flatnonzero(who[:, day])
        start = pd.Timestamp(self.first_day) + pd.Timedelta(days=day)
        second = (users * 7919 + day * 104_729) % DAY_SECONDS
        return pd.DataFrame(
            {
                "user": [f"p{number}" for number in users],
                "time": start + pd.to_timedelta(second, unit="s"),
                "type": kind,
                **{name: values[users] for name, values in self.more.items()},
            }
        )


@dataclass(frozen=True)
class Played:
    """A log after the graph has run for its last day."""

    log: Log
    home: Installation

    @cached_property
    def predictions(self) -> pd.DataFrame:
        rows: pd.DataFrame = read_predictions(self.log.last_day, self.home.lake).to_pandas()
        return rows

    @property
    def active(self) -> set[str]:
        """Users who were there in the active days."""
        recent = self.log.came[:, self.log.days - self.home.game.active_days : self.log.days]
        return {f"p{number}" for number in np.flatnonzero(recent.any(axis=1))}

    def card(self, target: str) -> ModelCard:
        card = stored_card(target, self.log.last_day, ModelCard, self.home.lake)
        assert card is not None
        return card

    def auc(self, target: str) -> float:
        """AUC of the probabilities against what the log's law did after its last day."""
        number = self.predictions["user_id"].str.removeprefix("p").astype(int)
        end = self.log.days + targets_of(self.home.game)[target].horizon
        did = self.log.came if target == "churn" else self.log.paid
        assert did is not None
        assert did.shape[1] >= end
        happened = did[number, self.log.days : end].any(axis=1)
        labels = ~happened if target == "churn" else happened
        return float(roc_auc_score(labels, self.predictions[f"{target}_probability"]))


def play(log: Log, home: Path) -> Played:
    """Write the log's files and its game file, and run the graph for its last day."""
    write(log, home)
    installation = Installation(home)
    last, game = log.last_day, installation.game
    needed = {
        snapshot
        for target in (targets_of(game)[name] for name in TARGETS)
        for snapshot in matured_snapshots(last, target.horizon, target.max_snapshots, game)
    }
    installation.run(log.first_day, last, ["raw_logs", "user_activity"])
    # Days weeks apart, which one run cannot take, and runs of their own cost more than their work.
    snapshots = sorted(day for day in needed if day >= log.first_day)
    with recorded("user_features", snapshots, lineage_of(game), installation.lake, "one by one"):
        user_features.materialize_days(snapshots, installation.lake, installation.engine, game)
    from_features_on = dg.AssetSelection.assets("user_lifetimes").downstream()
    assert installation.run(last, last, from_features_on) == []
    return Played(log, installation)


def write(log: Log, home: Path) -> None:
    """Parquet files, a folder a day."""
    content = {
        "name": home.name,
        "first_day": log.first_day,
        "last_day": log.last_day,
        "logs": {"format": "parquet"},
        "fields": {"user_id": "user", "event_time": "time", "event_type": "type"},
        **log.game,
    }
    home.mkdir(exist_ok=True)
    (home / "game.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    for day in range(log.days):
        folder = home / "source" / f"dt={log.first_day + dt.timedelta(day)}"
        folder.mkdir(parents=True)
        log.lines(day).to_parquet(folder / "events.parquet", index=False)


def stays(rng: np.random.Generator, begins: Numbers, leave: Numbers, days: int) -> Flags:
    """Who is a player on which day: from its beginning on, until it leaves."""
    ends = begins + rng.geometric(leave)
    day = np.arange(days)
    are_players: Flags = (begins[:, None] <= day) & (day < ends[:, None])
    return are_players


def often(rng: np.random.Generator, are_players: Flags, chance: Numbers) -> Flags:
    """On which of the days that it is a player each user comes."""
    came: Flags = are_players & (rng.random(are_players.shape) < chance[:, None])
    return came


def assert_sound(played: Played, ready: Iterable[str]) -> None:
    """Each active user has a row; a probability is one, or the card says why there is none."""
    rows = played.predictions
    assert set(rows["user_id"]) == played.active
    assert rows["user_id"].is_unique
    for target in TARGETS:
        card, values = played.card(target), rows[f"{target}_probability"]
        if target in ready:
            assert (card.state, card.reasons) == ("ready", ())
            assert values.between(0, 1).all()
        else:
            assert card.state == "not_enough_data"
            assert card.reasons
            assert values.isna().all() if card.early is None else values.between(0, 1).all()
    clusters = stored_card("clusters", played.log.last_day, ClusterCard, played.home.lake)
    assert clusters is not None
    assert rows["cluster"].notna().all() if clusters.state == "ready" else clusters.reasons
    assert set(played.home.delivered()) == {played.log.last_day}


@pytest.mark.slow
def test_only_user_time_and_type(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    are_players = stays(rng, rng.uniform(-60, 50, 900), rng.beta(1, 30, 900), 74)
    log = Log(
        dt.date(2025, 3, 1),
        60,
        often(rng, are_players, rng.beta(2, 3, 900)),
        game={"active_days": 14},
    )
    played = play(log, tmp_path / "bare")
    assert_sound(played, {"churn"})
    assert any("0 users who paid" in reason for reason in played.card("payment").reasons)
    assert played.auc("churn") > 0.75


@pytest.mark.slow
def test_only_purchases(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    are_players = stays(rng, rng.uniform(-100, 60, 1500), rng.beta(1, 60, 1500), 114)
    bought = often(rng, are_players, rng.beta(1, 12, 1500))
    played = play(
        Log(dt.date(2025, 1, 1), 100, bought, bought, PURCHASES_ALONE), tmp_path / "purchases"
    )
    assert_sound(played, TARGETS)
    assert played.auc("churn") > 0.7
    assert played.auc("payment") > 0.7
    rows = played.predictions
    # Whoever comes buys: the two say the same, but for what their trees make of it.
    total = rows["churn_probability"] + rows["payment_probability"]
    assert total.mean() == pytest.approx(1, abs=0.02)


@pytest.mark.slow
def test_only_plays_with_a_score(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    skill = rng.uniform(0, 1, 1200)
    # Those who score little leave soon; how often a player comes says nothing.
    are_players = stays(rng, rng.uniform(-30, 60, 1200), np.where(skill < 0.4, 0.12, 0.01), 77)
    log = Log(
        first_day=dt.date(2025, 6, 1),
        days=70,
        came=often(rng, are_players, np.full(1200, 0.5)),
        game={
            "active_days": 7,
            "horizons": {"churn": 7},
            "properties": {"score": "score"},
        },
        more={"score": np.round(1e6 * skill)},
    )
    played = play(log, tmp_path / "scores")
    assert_sound(played, {"churn"})
    assert played.auc("churn") > 0.75
    merged = played.predictions.assign(
        skill=lambda rows: skill[rows["user_id"].str[1:].astype(int)]
    )
    poor = merged["skill"] < 0.4
    leaves = merged["churn_probability"]
    assert leaves[poor].mean() > 2 * leaves[~poor].mean()


@pytest.mark.slow
def test_the_first_month_after_a_launch(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    installed = np.floor(rng.exponential(9, 3000))
    are_players = stays(rng, installed, rng.beta(1, 8, 3000), 37)
    came = often(rng, are_players, rng.beta(3, 2, 3000)) | (installed[:, None] == np.arange(37))
    paid = came & (rng.random(came.shape) < rng.beta(0.3, 6, 3000)[:, None])
    game = {
        "fields": {
            "user_id": "user",
            "event_time": "time",
            "event_type": "type",
            "amount": "amount",
        },
        "events": {"activity": ["visit"], "purchases": ["purchase"], "sessions": ["visit"]},
        "active_days": 14,
        "horizons": {"churn": 7, "payment": 7},
    }
    played = play(Log(dt.date(2026, 2, 1), 30, came, paid, game), tmp_path / "launch")
    assert_sound(played, TARGETS)
    assert played.auc("churn") > 0.75
    assert played.auc("payment") > 0.7


@pytest.mark.slow
def test_the_first_week_after_a_launch_says_what_is_missing(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    came = often(rng, np.ones((300, 7), bool), rng.beta(2, 2, 300))
    game = {"active_days": 7, "horizons": {"churn": 7, "payment": 7}}
    played = play(Log(dt.date(2026, 2, 1), 7, came, game=game), tmp_path / "week")
    assert_sound(played, ())
    for target in TARGETS:
        card = played.card(target)
        assert card.reasons[0].startswith("0 matured snapshots; the first model needs two")
        assert card.enough_on == dt.date(2026, 2, 15)


@pytest.mark.slow
def test_nine_of_ten_leave(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    installed = np.floor(rng.uniform(0, 60, 4000))
    loyal = rng.random(4000) < 0.05
    are_players = stays(rng, installed, np.where(loyal, 0.005, 0.7), 67)
    chance = np.where(loyal, 0.7, 0.4)
    came = often(rng, are_players, chance) | (installed[:, None] == np.arange(67))
    game = {"active_days": 14, "horizons": {"churn": 7, "payment": 7}}
    log = Log(dt.date(2026, 1, 5), 60, came, game=game)
    played = play(log, tmp_path / "leavers")
    assert_sound(played, {"churn"})
    card = played.card("churn")
    assert card.base_rate is not None
    assert card.base_rate > 0.75
    assert played.auc("churn") > 0.85
    assert played.predictions["churn_probability"].mean() == pytest.approx(card.base_rate, abs=0.08)


@pytest.mark.slow
def test_a_decade_of_seldom_buyers(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    users = 5000
    # Of the ten years, as many days as training and validation take: a label window, snapshots
    # two weeks apart whose labels are known on the day of the latest, and some history before.
    days = 90 + 7 * 14 + 90
    are_players = stays(rng, rng.uniform(-3000, days, users), rng.beta(1, 500, users), days + 90)
    bought = often(rng, are_players, rng.gamma(0.7, 0.015, users))
    last = dt.date(2025, 12, 31)
    game = {
        **PURCHASES_ALONE,
        "first_day": dt.date(2016, 1, 1),
        "active_days": 180,
        "horizons": {"churn": 90, "payment": 90},
        "windows": [30, 90, 180],
        "clusters": 3,
    }
    log = Log(last - dt.timedelta(days - 1), days, bought, bought, game)
    played = play(log, tmp_path / "decade")
    assert_sound(played, TARGETS)
    assert played.auc("churn") > 0.7
    assert played.auc("payment") > 0.7
