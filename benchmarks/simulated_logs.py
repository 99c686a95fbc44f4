"""Logs of simulated games and shops that only the benchmarks need, and the truth about them.

Scope: events as log files, and the best possible predictions as tables, in the layout of
`ds_assets.simulate`.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from isal import igzip

from benchmarks.controls.histories import Floats, Ints

GAME: dict[str, Any] = {
    "fields": {
        "user_id": "user.id",
        "event_time": "ts",
        "event_type": "type",
        "event_id": "id",
        "amount": "amount",
    },
    "attributes": {"channel": {"field": "user.channel", "type": "text"}},
    "clusters": {"min": 3, "max": 6},
}
"""What the game files of all of them have in common."""


def user_names(users: Ints) -> list[str]:
    """Ids of users in the logs; they ascend with the number."""
    return [f"u{user:07}" for user in users]


def write_game(folder: Path, game: dict[str, Any]) -> None:
    """Write `game.yaml`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(GAME | game)
    (folder / "game.yaml").write_text(text, encoding="utf-8")


def write_logs(folder: Path, events: pd.DataFrame, dates: Sequence[dt.date]) -> None:
    """Write a file of events for each date, also for those without any.

    Args:
        folder: Folder of the game; the files are `source/dt=D/events.jsonl.gz`.
        events: user (number), time (days since the start of the first date), type, channel, and
            amount or minutes, of which one may be missing.
        dates: Dates of the log, ascending; a whole number of `time` is a place in them.
    """
    events = events.sort_values(["time", "user"], ignore_index=True)
    bounds = np.searchsorted(events["time"], np.arange(len(dates) + 1))
    for number, date in enumerate(dates):
        rows = events.iloc[bounds[number] : bounds[number + 1]]
        out = folder / "source" / f"dt={date}"
        out.mkdir(parents=True)
        text = "".join(_lines(rows, date, number, int(bounds[number])))
        (out / "events.jsonl.gz").write_bytes(igzip.compress(text.encode(), mtime=0))


def _lines(rows: pd.DataFrame, date: dt.date, number: int, first_id: int) -> Iterator[str]:
    seconds = ((rows["time"] - number) * 86_400).astype(int).clip(0, 86_399)
    columns = (user_names(rows["user"].to_numpy()), seconds, *(rows[c] for c in _DETAILS))
    for place, (user, second, kind, channel, amount, minutes) in enumerate(
        zip(*columns, strict=True)
    ):
        clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        detail = f'"amount":{amount:.2f}' if isnan(minutes) else f'"minutes":{minutes:.1f}'
        yield (
            f'{{"id":"e{first_id + place}","ts":"{date}T{clock}Z","type":"{kind}",'
            f'"user":{{"id":"{user}","channel":"{channel}"}},{detail}}}\n'
        )


_DETAILS = ("type", "channel", "amount", "minutes")


def write_truth(folder: Path, day: dt.date, users: Ints, **columns: Floats) -> None:
    """Write the best possible predictions of a day, a row per active user."""
    out = folder / "truth"
    out.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"user_id": user_names(users), **columns}).to_parquet(out / f"dt={day}.parquet")
