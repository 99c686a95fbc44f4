"""The day that `make_served_day` made.

Scope: reading the day, and loading it into Redis. Requests are in `questions.py`.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import redis
from numpy.typing import NDArray
from pyarrow import parquet

from benchmarks.measuring import Circumstances, made_once, run_child, say
from ds_assets.core.encoding import CLUSTER, USER_GROUP, encode
from ds_assets.core.models.card.model_card import MODEL
from ds_assets.core.models.inference.batch import DayModels, with_clusters
from ds_assets.core.targets import BUILT_IN
from ds_assets.core.user_groups import with_user_groups
from ds_assets.errors import InputError
from ds_assets.game import load_game
from ds_assets.infra.cache.fill import fill_cache
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.models import day_models
from ds_assets.infra.lake.tables import table_file

COPY = "copy:" + "0" * 27
"""A number of 12 digits behind it is a key of as many characters as one of the service's."""
_AT_ONCE = 1_000
_DAYS_TO_LIVE = 7
_EXAMPLES = 1_000
"""Users whose models are called one by one."""


class Rows(NamedTuple):
    """Users as the churn model sees them.

    Attributes:
        matrix: One row per user; -1 for a missing value, as JSON has no number for it.
        chances: The model's probability for each.
    """

    matrix: NDArray[np.float32]
    chances: NDArray[np.float64]


class ServedDay:
    """The day.

    Args:
        folder: Where `make_served_day` made it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lake = FolderLake(folder / "lake")
        self.game = load_game(folder / "game.yaml")

    @property
    def date(self) -> dt.date:
        """Which day it is.

        Raises:
            InputError: the game file does not name it.
        """
        if self.game.last_day is None:
            raise InputError("the game file names no last_day; a simulated game's does")
        return self.game.last_day

    @property
    def predictions(self) -> Path:
        """File of the predictions, one row per user."""
        return self.lake.local(table_file("predictions", self.date))

    @property
    def model(self) -> Path:
        """File of the churn model."""
        return self.lake.local(f"models/churn/dt={self.date}/{MODEL}")

    @cached_property
    def ids(self) -> list[str]:
        """All users."""
        user_ids: list[str] = parquet.read_table(self.predictions, columns=["user_id"])[
            0
        ].to_pylist()
        return user_ids

    def features(self, users: int) -> list[dict[str, Any]]:
        """Id and features of the first users; None where one is missing."""
        frame = self._frame(users).astype(object)
        records: Any = frame.where(frame.notna(), None).to_dict("records")
        return list(records)

    def rows(self, users: int) -> Rows:
        """The first users for the churn model.

        Raises:
            InputError: the day has no churn model.
        """
        churn = self._models.targets.get("churn")
        if churn is None or churn.model is None:
            raise InputError(f"{self.folder} has no churn model")
        columns = ["user_id", CLUSTER, "churn_probability"]
        predicted = parquet.read_table(self.predictions, columns=columns).to_pandas()
        joined = self._frame(users).merge(predicted, on="user_id", validate="one_to_one")
        matrix = encode(joined, churn.model.card.encoding)
        return Rows(np.nan_to_num(matrix, nan=-1), joined["churn_probability"].to_numpy())

    def model_calls(self, place: int) -> Sequence[Callable[[], Any]]:
        """Every call of ONNX Runtime that the predictions for a user take, ready to be made."""
        models, user = self._models, self._users.iloc[[place]]
        calls = []
        for target in filter(None, (models.of(target) for target in BUILT_IN)):
            model = target.model
            if model is None:
                continue
            rows = {"X": encode(user, model.card.encoding)}
            group = with_user_groups(user, model.card.user_groups)[USER_GROUP].iloc[0]
            sessions = [model.session, *([model.groups[group]] if group in model.groups else [])]
            calls += [partial(it.run, ["probabilities"], rows) for it in sessions]
            if model.amounts is not None:
                calls.append(partial(model.amounts.run, ["variable"], rows))
        if models.clusters is not None:
            rows = {"X": encode(user, models.clusters.card.encoding)}
            calls.append(partial(models.clusters.session.run, ["cluster"], rows))
        return calls

    @cached_property
    def _models(self) -> DayModels:
        return day_models(self.date, self.lake)

    @cached_property
    def _users(self) -> pd.DataFrame:
        return with_clusters(self._frame(_EXAMPLES), self._models.clusters)

    def _frame(self, users: int) -> pd.DataFrame:
        file = self.lake.local(table_file("user_features", self.date))
        rows = parquet.read_table(file, partitioning=None).slice(0, users)
        frame: pd.DataFrame = rows.to_pandas()
        return frame


def made_day(users: int, circumstances: Circumstances) -> ServedDay:
    """Yesterday, made now if it does not exist."""
    today = dt.datetime.now(dt.UTC).date()
    folder = circumstances.logs / f"served-{users}-users-before-{today}"

    def make(unfinished: Path) -> None:
        say(f"  making a day of {users:,} users")
        run_child("make_served_day", [str(users), unfinished], unfinished)

    made_once(folder, make)
    return ServedDay(folder)


def fill(url: str, day: ServedDay) -> None:
    """Put the day into Redis as the asset does, and each answer's JSON once more under a number."""
    with (
        redis.Redis.from_url(url) as server,
        PredictionCache(url, day.game.name, _DAYS_TO_LIVE) as cache,
    ):
        fill_cache([day.date], day.lake, cache)
        asyncio.run(_copy(cache, server, day.ids))
        lengths = {len(key) for key in server.scan_iter(match="ds:*:*", count=10_000)}
        if lengths != {len(COPY) + 12}:
            raise ValueError(f"the service's keys have other lengths: {lengths}")


async def _copy(cache: PredictionCache, server: redis.Redis, user_ids: list[str]) -> None:
    """Store the JSON of users' answers, as what Redis alone would send."""
    for first in range(0, len(user_ids), _AT_ONCE):
        _, predictions = await cache.fetch(user_ids[first : first + _AT_ONCE])
        numbered = enumerate(predictions, start=first)
        server.mset({f"{COPY}{number:012}": it.members for number, it in numbered if it})
    await cache.close_loop()
