"""The one answer about a user, the same whatever it comes from.

Belongs here: what an answer says of itself, and its JSON. Does not belong here: where predictions
are looked for (`service.py`), and what a prediction says (`core/prediction_json.py`).
"""

import datetime as dt
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from ds_assets.core.prediction_json import has_probability, last_seen
from ds_assets.game import Game

Status = Literal["ok", "stale", "inactive", "not_enough_data", "unknown_user"]
Source = Literal["cache", "table", "live", "default"]

STALE_AFTER = dt.timedelta(days=2)
"""Age of the newest day at which something has gone wrong: each day ends a day after the last."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is predicted for one user, and where it comes from.

    Attributes:
        user_id: The user, as asked for.
        status: `ok`: there is a probability of the newest day; `stale`: that day, or the
            prediction, is older than it should be; `inactive`: the user is known, and was not seen
            for longer than the game's active days; `not_enough_data`: there is no probability, and
            what is missing is said; `unknown_user`: nothing is known of the user.
        source: Where it was found; `default`: the mean of all users, or of a group.
        age_seconds: Seconds since the end of the day of the prediction.
        values: What is predicted, by the names of the columns of `PREDICTIONS`.
    """

    user_id: str
    status: Status
    source: Source
    age_seconds: int | None
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Calendar:
    """When the days of a game end, and how long a user counts as active.

    Attributes:
        zone: The game's time zone.
        active_days: Days for which a user counts as active after having been seen.
    """

    zone: dt.tzinfo
    active_days: int

    def age(self, day: int, now: float) -> int:
        """Seconds since the end of a day, not below 0.

        Args:
            day: The day, as days since 0001-01-01, the first of which is 1.
            now: Seconds since 1970-01-01, UTC.
        """
        return max(0, int(now - _end_of(day, self.zone)))

    def today(self, now: float) -> dt.date:
        """The day that is not over yet."""
        return dt.datetime.fromtimestamp(now, self.zone).date()

    def status(self, day: int, newest: int, now: float, members: bytes) -> Status:
        """What a prediction is worth.

        Args:
            day: Its day, as for `age`.
            newest: The newest day that is known of.
            now: As for `age`.
            members: The prediction, see `prediction_json`.
        """
        if not has_probability(members):
            return "not_enough_data"
        if day >= newest:
            return "ok" if self.age(day, now) <= STALE_AFTER.total_seconds() else "stale"
        seen = last_seen(members)
        left = seen is not None and seen.toordinal() + self.active_days <= newest
        return "inactive" if left else "stale"


def calendar_of(game: Game) -> Calendar:
    """The calendar of a game."""
    return Calendar(ZoneInfo(game.time_zone), game.active_days)


class Teller:
    """Answers of one second as JSON: what they say of themselves is the same for many users.

    Args:
        calendar: When days end.
        newest: The newest day that is known of, as days since 0001-01-01.
        now: Seconds since 1970-01-01, UTC.
    """

    def __init__(self, calendar: Calendar, newest: int, now: int) -> None:
        self._calendar = calendar
        self.moment = newest, now
        self._heads: dict[tuple[Status, Source, int], bytes] = {}
        self._current: dict[int, Status] = {}

    def tell(
        self, user_id: str, source: Source, day: int, members: bytes, *, is_sure: bool
    ) -> bytes:
        """The answer of a prediction.

        Args:
            user_id: The user.
            source: See `Prediction`.
            day: The prediction's day, as days since 0001-01-01.
            members: The prediction, see `prediction_json`.
            is_sure: Whether nobody can have a newer one.
        """
        status = self._current.get(day) if has_probability(members) else "not_enough_data"
        if status is None:
            status = self._calendar.status(day, *self.moment, members)
            if day >= self.moment[0]:
                self._current[day] = status
            elif status == "inactive" and not is_sure:
                status = "stale"
        head = self._heads.get((status, source, day)) or self._head(status, source, day)
        return b'{"user_id":%b%b,%b' % (_encode(user_id), head, members)

    def tell_default(self, user_id: str, day: int, members: bytes, *, is_sure: bool) -> bytes:
        """The answer where nothing is known of a user.

        Args:
            user_id: The user.
            day: Day of the means, 0 for none.
            members: The means.
            is_sure: Whether everybody who might know was asked.
        """
        head = self._head("unknown_user" if is_sure else "not_enough_data", "default", day)
        return b'{"user_id":%b%b,%b' % (_encode(user_id), head, members)

    def _head(self, status: Status, source: Source, day: int) -> bytes:
        age = self._calendar.age(day, self.moment[1]) if day else "null"
        head = f',"status":"{status}","source":"{source}","age_seconds":{age}'.encode()
        self._heads[status, source, day] = head
        return head


def read_answer(found: bytes) -> Prediction:
    """What an answer says."""
    told = json.loads(found)
    own = {name: told.pop(name) for name in ("user_id", "status", "source", "age_seconds")}
    for name in ("as_of", "last_seen"):
        told[name] = None if told[name] is None else dt.date.fromisoformat(told[name])
    return Prediction(**own, values=told)


_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=4_000)
def _end_of(day: int, zone: dt.tzinfo) -> float:
    next_day = dt.date.fromordinal(day + 1)
    return dt.datetime.combine(next_day, dt.time(), zone).timestamp()
