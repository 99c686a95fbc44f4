"""Features of a user's whole history, for the control that shares no code with the project.

Scope: `user_activity` as the graph stores it, read into arrays, and what a snapshot shows of each
user: counts, rhythm and decayed rates since the first day. Nothing here uses `user_features`.

Days are counted in open days, so that windows and gaps leave closed days out.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from ds_assets.game import Game
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.tables import stored_days

Flags: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Columns: TypeAlias = dict[str, Floats]

WINDOWS = (1, 2, 3, 7, 14, 28, 56, 90, 182, 364)
"""Days, as far as the log reaches."""
HALF_LIVES = (3, 7, 14, 30, 90, 365)
SPEND_HALF_LIVES = (30, 180)
RECENT_WEEKS = 8
DAY_HOURS = 24
EARLIEST = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Calendar:
    """Open days, counted from an arbitrary day.

    Attributes:
        closed: The closed days.
    """

    closed: Collection[dt.date]

    def number(self, dates: Ints) -> Ints:
        """Number of open days up to and with each date, given in days since 1970."""
        closed = np.sort([days_since_1970(day) for day in self.closed]).astype(np.int64)
        return np.asarray(dates - np.searchsorted(closed, dates, side="right"))


def days_since_1970(day: dt.date) -> int:
    """Number of a date, as NumPy counts dates."""
    return (day - EARLIEST).days


@dataclass(frozen=True)
class Histories:
    """All rows of `user_activity`, by user and event date.

    Attributes:
        users: Names of the users, ascending; a row's user is a place in it.
        rows: user, arrival and date (days since 1970), open (number of the date among open days),
            hour (of the last event on the date), activities, purchases, spend, and a column for
            each other measure and attribute.
        sums: Columns that are added up.
        numbers: Columns with the latest number of an attribute.
        names: Columns with the latest text of an attribute, as codes; -1 where there is none.
        calendar: Counts open days.
        game: Its game file.
    """

    users: npt.NDArray[np.str_]
    rows: pd.DataFrame
    sums: Sequence[str]
    numbers: Sequence[str]
    names: Sequence[str]
    calendar: Calendar
    game: Game

    def places_of(self, user_ids: pd.Index) -> Ints:
        """Places of users in `users`.

        Raises:
            ValueError: a user has no row.
        """
        places = pd.Index(self.users).get_indexer(user_ids)
        if (places < 0).any():
            raise ValueError(f"{user_ids[places < 0][0]} is in no row of user_activity")
        return np.asarray(places, dtype=np.int64)

    def open_number(self, day: dt.date) -> int:
        """Number of a day among the open days."""
        return int(self.calendar.number(np.array([days_since_1970(day)]))[0])

    def seen_on(self, day: dt.date) -> pd.DataFrame:
        """Rows that had arrived and happened by the end of a day, one per user and date."""
        limit = days_since_1970(day)
        rows = self.rows[(self.rows["arrival"] <= limit) & (self.rows["date"] <= limit)]
        if not rows.duplicated(["user", "date"]).any():
            return rows
        totals = dict.fromkeys(self.sums, "sum")
        latest = dict.fromkeys(("arrival", "open", "hour", *self.numbers, *self.names), "last")
        return rows.groupby(["user", "date"], as_index=False).agg({**totals, **latest})

    def active_on(self, day: dt.date) -> Ints:
        """Users with activity in the last `active_days` open days, as places in `users`."""
        rows = self.seen_on(day)
        since = self.open_number(day) - self.game.active_days
        return np.unique(rows["user"][(rows["activities"] > 0) & (rows["open"] > since)])

    def label(self, target: str, day: dt.date, horizon: int, as_of: dt.date) -> Flags:
        """Whether each user of `users` left, or paid, as far as had arrived on a later day."""
        rows = self.rows[self.rows["arrival"] <= days_since_1970(as_of)]
        is_after = (rows["date"] > days_since_1970(day)) & (
            rows["open"] <= self.open_number(day) + horizon
        )
        did = rows["activities" if target == "churn" else "purchases"] > 0
        happened = np.isin(np.arange(len(self.users)), rows["user"][is_after & did])
        return ~happened if target == "churn" else happened


def read_histories(lake: FolderLake, game: Game, until: dt.date) -> Histories:
    """Read the arrival days of a lake up to one of them."""
    frames = [
        pd.read_parquet(lake.local(item.name)).assign(arrival=pd.Timestamp(day))
        for day, item in stored_days("user_activity", lake).items()
        if day <= until
    ]
    frame = pd.concat(frames, ignore_index=True)
    frame = frame.sort_values(["user_id", "event_date", "arrival"], ignore_index=True)
    attributes = {f"last_{name}": attribute.type for name, attribute in game.attributes.items()}
    names = [name for name, kind in attributes.items() if kind == "text"]
    numbers = [name for name, kind in attributes.items() if kind == "number"]
    dates, arrivals = (
        frame[column].to_numpy("datetime64[D]").astype(np.int64)
        for column in ("event_date", "arrival")
    )
    calendar = Calendar(game.closed_days.dates)
    user, users = pd.factorize(frame["user_id"], sort=True)
    times = frame["last_time"].to_numpy("datetime64[s]")
    hours = (times - times.astype("datetime64[D]")).astype(np.float64) / 3600
    sums = [
        name
        for name in frame.columns
        if name in {"events", "activities", "sessions", "purchases", "spend"}
        or name.startswith(("count_", "sum_"))
    ]
    rows = pd.DataFrame(
        {"user": user, "arrival": arrivals, "date": dates, "open": calendar.number(dates)}
        | {"hour": hours}
        | {name: frame[name].to_numpy(np.float64) for name in (*sums, *numbers)}
        | {name: pd.factorize(frame[name], sort=True)[0] for name in names}
    )
    return Histories(np.asarray(users, str), rows, sums, numbers, names, calendar, game)


def compute_features(histories: Histories, day: dt.date, users: Ints) -> pd.DataFrame:
    """What each of some users looks like at the end of a day; a row per user, in their order."""
    rows = histories.seen_on(day)
    place = np.full(len(histories.users), -1)
    place[users] = np.arange(len(users))
    rows = rows.assign(user=place[rows["user"]])
    rows = rows[rows["user"] >= 0]
    now = histories.open_number(day)
    view = _View(rows, now, len(users))
    columns = {
        **view.rhythm("active", rows["activities"].to_numpy() > 0),
        **view.rhythm("paid", rows["purchases"].to_numpy() > 0),
        **view.money(),
        **view.totals([name for name in histories.sums if name not in {"activities", "spend"}]),
        **view.weekdays(days_since_1970(day)),
        **view.latest([*histories.numbers, *histories.names]),
    }
    return pd.DataFrame(columns)


class _View:
    """The rows that a snapshot shows, and how they are added up per user."""

    def __init__(self, rows: pd.DataFrame, now: int, users: int) -> None:
        self._rows, self._users = rows, users
        self._user = rows["user"].to_numpy()
        self._age = now - rows["open"].to_numpy()
        self._log_days = int(self._age.max()) + 1

    def rhythm(self, name: str, happened: Flags) -> Columns:
        """How often, since when, how regularly and how recently something happened on a day."""
        user, age = self._user[happened], self._age[happened]
        hour = self._rows["hour"].to_numpy()[happened]
        count = self._sum(user)
        first, last = self._most(user, age), -self._most(user, -age)
        recency = last + 1 - self._last(user, hour) / DAY_HOURS
        follows = user[1:] == user[:-1]
        gap, of = (age[:-1] - age[1:])[follows].astype(np.float64), user[1:][follows]
        gaps = self._sum(of)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = self._sum(of, gap) / gaps
            deviation = np.sqrt(np.maximum(self._sum(of, gap**2) / gaps - mean**2, 0))
            columns = {
                "days": count,
                "tenure": first,
                "recency": last,
                "recency_exact": recency,
                "gap_mean": mean,
                "gap_deviation": np.where(gaps > 1, deviation, np.nan),
                "gap_last": self._last(of, gap),
                "gap_longest": self._most(of, gap),
                "recency_in_gaps": recency / mean,
                "recency_in_last_gap": recency / self._last(of, gap),
                "recency_in_deviations": (recency - mean) / (deviation + 1),
                "share_of_days": count / (first + 1),
            }
        columns |= {f"days_{days}": self._sum(user[age < days]) for days in self._windows()}
        columns |= {f"rate_{days}": self._decayed(user, age, days) for days in HALF_LIVES}
        return {f"{name}_{column}": values for column, values in columns.items()}

    def money(self) -> Columns:
        """What was spent, in all and lately."""
        spend = self._rows["spend"].to_numpy()
        paid = self._rows["purchases"].to_numpy() > 0
        total, days = self._sum(self._user, spend), self._sum(self._user[paid])
        recent = {
            f"spend_{days}": self._sum(self._user, spend * (self._age < days)) for days in (28, 90)
        }
        decayed = {
            f"spend_rate_{days}": self._decayed(self._user, self._age, days, spend)
            for days in SPEND_HALF_LIVES
        }
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total / days
        largest = self._most(self._user[paid], spend[paid])
        return {"spend": total, "spend_mean": mean, "spend_largest": largest, **recent, **decayed}

    def totals(self, names: Sequence[str]) -> Columns:
        """Every other measure: on the last days, decayed, and per day with any event."""
        days = self._sum(self._user)
        columns = {}
        for name in names:
            values = self._rows[name].to_numpy()
            columns[f"{name}_7"] = self._sum(self._user, values * (self._age < 7))
            columns[f"{name}_rate_30"] = self._decayed(self._user, self._age, 30, values)
            columns[f"{name}_a_day"] = self._sum(self._user, values) / np.maximum(days, 1)
            columns[f"{name}_last"] = self._last(self._user, values)
        return columns

    def weekdays(self, today: int) -> Columns:
        """Share of activity at weekends, and on the weekdays that come next."""
        active = self._rows["activities"].to_numpy() > 0
        user, date = self._user[active], self._rows["date"].to_numpy()[active]
        weekday = (date + 3) % 7  # 1970-01-01 was a Thursday
        count = np.maximum(self._sum(user), 1)
        columns = {"weekend": self._sum(user, weekday >= 5) / count}
        recent = date > today - 7 * RECENT_WEEKS
        for ahead in (1, 2, 3):
            is_same = recent & ((date - today - ahead) % 7 == 0)
            columns[f"weekday_{ahead}"] = self._sum(user, is_same)
        columns["hour"] = self._sum(user, self._rows["hour"].to_numpy()[active]) / count
        return columns

    def latest(self, names: Sequence[str]) -> Columns:
        """The latest known value of each attribute."""
        columns = {}
        for name in names:
            values = self._rows[name].to_numpy(np.float64)
            is_known = np.isfinite(values) & (values != -1)
            columns[name] = self._last(self._user[is_known], values[is_known])
        return columns

    def _windows(self) -> list[int]:
        return [days for days in WINDOWS if days <= self._log_days]

    def _sum(self, user: Ints, values: npt.NDArray[np.generic] | None = None) -> Floats:
        return np.bincount(user, values, self._users).astype(np.float64)

    def _decayed(
        self, user: Ints, age: Ints, half_life: int, values: Floats | None = None
    ) -> Floats:
        weights = 0.5 ** (age / half_life)
        return self._sum(user, weights if values is None else weights * values)

    def _most(self, user: Ints, values: npt.NDArray[np.generic]) -> Floats:
        largest = np.full(self._users, -np.inf)
        np.maximum.at(largest, user, values)
        return np.where(np.isinf(largest), np.nan, largest)

    def _last(self, user: Ints, values: Floats) -> Floats:
        """The value of each user's last row; rows ascend in time."""
        last = np.full(self._users, np.nan)
        last[user] = values
        return last
