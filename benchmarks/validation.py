"""How good delivered probabilities were, given the logs that arrived later.

Scope: reading predictions and outcomes from a lake, and measures of the two. Labels are read from
`user_activity` in the simplest way and not by the code that makes training labels: a mistake there
must not hide itself.
"""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.targets import BUILT_IN, targets_of
from ds_assets.game import Game
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.models import stored_card
from ds_assets.infra.lake.tables import read_predictions, table_file

Flags: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]

TARGETS = tuple(target.name for target in BUILT_IN)
BINS = 10
RESAMPLES = 1000
INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class Difference:
    """A difference of two areas on the same users, and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Judge:
    """Reads the lake of one installation.

    Attributes:
        lake: Where the graph has stored its tables.
        game: Its game file.
    """

    lake: FolderLake
    game: Game

    def predictions(self, day: dt.date) -> pd.DataFrame:
        """The delivered predictions of a day, by user."""
        rows: pd.DataFrame = read_predictions(day, self.lake).to_pandas()
        return rows.set_index("user_id").sort_index()

    def probabilities(self, target: str, day: dt.date) -> Floats:
        """What was delivered for a target, users ascending."""
        return self.predictions(day)[f"{target}_probability"].to_numpy(dtype=np.float64)

    def card(self, target: str, day: dt.date) -> ModelCard | None:
        """What is known of the model of a day."""
        return stored_card(target, day, ModelCard, self.lake)

    def features(self, day: dt.date) -> pd.DataFrame:
        """The stored features of a day, users ascending."""
        rows = pd.read_parquet(self.lake.local(table_file("user_features", day)))
        return rows.sort_values("user_id", ignore_index=True)

    def labels(self, target: str, day: dt.date) -> Flags:
        """What happened to the users of a day's features, users ascending.

        Raises:
            ValueError: the logs end before the horizon does.
        """
        column = "activities" if target == "churn" else "purchases"
        rows = self._rows("DISTINCT user_id", day, self._last(target, day), f"{column} > 0")
        did = self.features(day)["user_id"].isin([user for (user,) in rows]).to_numpy()
        return np.asarray(~did if target == "churn" else did)

    def spend(self, target: str, day: dt.date) -> Floats:
        """What the users of a day's features spent within a target's horizon, users ascending."""
        rows = self._rows("user_id, spend", day, self._last(target, day), "spend <> 0")
        spend = pd.DataFrame(rows, columns=["user_id", "spend"]).groupby("user_id")["spend"].sum()
        return spend.reindex(self.features(day)["user_id"], fill_value=0).to_numpy(np.float64)

    def _last(self, target: str, day: dt.date) -> dt.date:
        """The last day of the horizon of a day's predictions."""
        last = day
        for _ in range(targets_of(self.game)[target].horizon):
            last += dt.timedelta(1)
            while last in self.game.closed_days:
                last += dt.timedelta(1)
        if self.game.last_day is None or last > self.game.last_day:
            raise ValueError(f"what is predicted on {day} is known on {last}; the logs end before")
        return last

    def _rows(
        self, columns: str, day: dt.date, last: dt.date, condition: str
    ) -> list[tuple[Any, ...]]:
        """Activity after a day and until another."""
        days = pd.date_range(day + dt.timedelta(1), last + dt.timedelta(self.game.grace_days))
        names = [table_file("user_activity", day_of_window.date()) for day_of_window in days]
        files = [str(self.lake.local(name)) for name in names if self.lake.exists(name)]
        query = f"""
            SELECT {columns} FROM read_parquet($files, hive_partitioning = false)
            WHERE {condition} AND event_date > $day AND event_date <= $last"""
        with duckdb.connect() as connection:
            return connection.execute(query, {"files": files, "day": day, "last": last}).fetchall()


def truth(folder: Path, target: str, day: dt.date) -> Floats:
    """The best that could have been predicted on a day of a simulated game, users ascending."""
    rows = pd.read_parquet(folder / "truth" / f"dt={day}.parquet").sort_values("user_id")
    return rows[f"{target}_probability"].to_numpy(dtype=np.float64)


def area(labels: Flags, scores: Floats) -> float:
    """Area under the ROC curve."""
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415  # slow to import

    ranks = np.unique(scores, return_inverse=True)[1]  # a rule's score may be infinite
    return float(roc_auc_score(labels, ranks))


def share_of_best(labels: Flags, probabilities: Floats, best: Floats) -> float:
    """What lies between chance and the best that can be reached: the share that is reached."""
    return (area(labels, probabilities) - 0.5) / (area(labels, best) - 0.5)


def calibration_error(labels: Flags, probabilities: Floats) -> float:
    """Expected calibration error, over tenths of the users by probability.

    Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning,
    2015. Bins are of equal size: probabilities of rare events would share one of equal width.
    """
    bins = np.array_split(np.argsort(probabilities, kind="stable"), BINS)
    gaps = [abs(labels[rows].sum() - probabilities[rows].sum()) for rows in bins]
    return float(sum(gaps) / len(labels))


def area_difference(labels: Flags, ours: Floats, theirs: Floats) -> Difference:
    """How much larger our area is, with the paired bootstrap over users.

    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    rng = np.random.default_rng(0)
    differences = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(labels), len(labels))
        differences.append(area(labels[drawn], ours[drawn]) - area(labels[drawn], theirs[drawn]))
    low, high = np.quantile(differences, INTERVAL)
    return Difference(area(labels, ours) - area(labels, theirs), float(low), float(high))


def normalized_gini(amounts: Floats, scores: Floats) -> float:
    """How well scores rank users by an amount: 1 in the order of the amounts, 0 by chance."""
    return _gini(amounts, scores) / _gini(amounts, amounts)


def _gini(amounts: Floats, scores: Floats) -> float:
    """Area between the share of the amount in the users with the highest scores and their own."""
    shares = np.cumsum(amounts[np.argsort(-scores, kind="stable")]) / amounts.sum()
    return float(shares.mean() - (len(amounts) + 1) / (2 * len(amounts)))
