"""The answer about one user, the same whichever source it comes from.

Scope: what an answer says about itself, and its JSON. Where predictions are found is in
`lookup.py`, and what a prediction says in `core/prediction_json.py`.
"""

import datetime as dt
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from ds_assets.core.prediction_json import (
    EncodedPrediction,
    decode_members,
    without_past_offers,
)
from ds_assets.game import Game

Status = Literal["ok", "stale", "inactive", "early", "not_enough_data", "unknown_user"]
Source = Literal["cache", "table", "live", "default"]

STALE_AFTER = dt.timedelta(days=2)
"""Age of the newest day at which something has gone wrong: each day ends a day after the last."""
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Prediction:
    """An answer as plain values.

    Attributes:
        user_id: The user of the request.
        status: `ok`: a probability of the newest day by a trained model; `early`: likewise, but
            all probabilities are early ones; `stale`: that day, or the prediction, is older than it
            should be; `inactive`: a known user, not seen for longer than the game's active days;
            `not_enough_data`: no probability, and the answer says what is missing; `unknown_user`:
            nothing is known of the user.
        source: Where it was found; `default`: averages of all users, or of a user group.
        age_seconds: Seconds since the end of the prediction's day.
        values: What is predicted, by column of `PREDICTIONS`.
    """

    user_id: str
    status: Status
    source: Source
    age_seconds: int | None
    values: dict[str, Any]


class LookupResult(msgspec.Struct, frozen=True, gc=False):
    """What the sources know about a user.

    Attributes:
        source: The source that had the prediction.
        prediction: The prediction; none if no source has one.
        is_conclusive: Whether every source was asked that could know better.
    """

    source: Source
    prediction: EncodedPrediction | None
    is_conclusive: bool = True


UNKNOWN = LookupResult("default", None)
NOT_ASKED = LookupResult("default", None, is_conclusive=False)


class AnswerHeader(msgspec.Struct, frozen=True):
    """What an answer says about itself; many answers share one.

    Attributes:
        status: See `Prediction`.
        source: See `Prediction`.
        age_seconds: See `Prediction`.
        members: The same as members of a JSON object.
    """

    status: Status
    source: Source
    age_seconds: int | None
    members: bytes


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An answer in parts, so that what it says about itself is known without parsing it.

    Attributes:
        user_id: The user of the request.
        header: What it says about itself.
        members: What is predicted, see `EncodedPrediction`.
    """

    user_id: str
    header: AnswerHeader
    members: bytes

    def to_json(self) -> bytes:
        """Put the parts together: one JSON object without spaces."""
        return b'{"user_id":%b,%b,%b' % (_encode(self.user_id), self.header.members, self.members)

    def to_prediction(self) -> Prediction:
        """Convert to plain values."""
        header = self.header
        values = decode_members(self.members)
        return Prediction(self.user_id, header.status, header.source, header.age_seconds, values)


@dataclass(frozen=True, slots=True)
class Calendar:
    """When the days of a game end, and how long a user counts as active.

    Attributes:
        zone: The game's time zone.
        active_days: Days for which a user counts as active after having been seen.
        last_day: Last day of a game that has ended or will end.
    """

    zone: dt.tzinfo
    active_days: int
    last_day: dt.date | None = None

    def age(self, day: int, now: float) -> int:
        """Seconds since the end of a day, at least 0.

        Args:
            day: The day, as `date.toordinal()`.
            now: Seconds since 1970-01-01, UTC.
        """
        return max(0, int(now - _end_of(day, self.zone)))

    def lag_days(self, day: int, now: float) -> int:
        """Days between a day and the newest day of the game that has ended, at least 0.

        Args:
            day: The day, as `date.toordinal()`.
            now: Seconds since 1970-01-01, UTC.
        """
        yesterday = self.today(now) - dt.timedelta(days=1)
        return max(0, min(yesterday, self.last_day or yesterday).toordinal() - day)

    def today(self, now: float) -> dt.date:
        """The day that is not over yet."""
        return dt.datetime.fromtimestamp(now, self.zone).date()

    def status(self, prediction: EncodedPrediction, newest: int, now: float) -> Status:
        """Determine the status of a prediction, if no source has a newer one.

        Args:
            prediction: The prediction.
            newest: The newest day that is known, as `date.toordinal()`.
            now: Seconds since 1970-01-01, UTC.
        """
        if not prediction.has_probability:
            return "not_enough_data"
        if prediction.as_of >= newest:
            if self.age(prediction.as_of, now) > STALE_AFTER.total_seconds():
                return "stale"
            return "early" if prediction.is_early else "ok"
        last_seen = prediction.last_seen
        return "inactive" if last_seen and last_seen + self.active_days <= newest else "stale"


def calendar_of(game: Game) -> Calendar:
    """The calendar of a game."""
    return Calendar(ZoneInfo(game.time_zone), game.active_days, game.last_day)


class AnswerEncoder:
    """Makes the answers of one second: what they say about themselves is the same for many users.

    Args:
        calendar: When days end.
        newest: The newest day that is known, as `date.toordinal()`.
        now: Seconds since 1970-01-01, UTC.
    """

    def __init__(self, calendar: Calendar, newest: int, now: int) -> None:
        self._calendar = calendar
        self.moment = newest, now
        self._headers: dict[tuple[Status, Source, int], AnswerHeader] = {}
        self._current: dict[tuple[int, bool], Status] = {}

    def encode(
        self, user_id: str, source: Source, prediction: EncodedPrediction, *, is_conclusive: bool
    ) -> Answer:
        """Make the answer of a prediction.

        Args:
            user_id: The user.
            source: See `LookupResult`.
            prediction: The prediction.
            is_conclusive: See `LookupResult`.
        """
        day = prediction.as_of
        status: Status | None = "not_enough_data"
        if prediction.has_probability:
            status = self._current.get((day, prediction.is_early))
        if status is None:
            status = self._status(prediction, is_conclusive)
        header = self._headers.get((status, source, day)) or self._make_header(status, source, day)
        members = prediction.members
        if prediction.has_offers:
            members = without_past_offers(members, self._today)
        return Answer(user_id, header, members)

    def encode_default(
        self, user_id: str, day: int, members: bytes, *, is_conclusive: bool
    ) -> Answer:
        """Make the answer about a user for whom there is no prediction.

        Args:
            user_id: The user.
            day: Day of the group defaults, as `date.toordinal()`; 0 if there are none.
            members: The group defaults.
            is_conclusive: See `LookupResult`.
        """
        status: Status = "unknown_user" if is_conclusive else "not_enough_data"
        header = self._headers.get((status, "default", day))
        return Answer(user_id, header or self._make_header(status, "default", day), members)

    @cached_property
    def _today(self) -> str:
        return str(self._calendar.today(self.moment[1]))

    def _status(self, prediction: EncodedPrediction, is_conclusive: bool) -> Status:
        status = self._calendar.status(prediction, *self.moment)
        if prediction.as_of >= self.moment[0]:
            self._current[prediction.as_of, prediction.is_early] = status
        elif status == "inactive" and not is_conclusive:
            return "stale"
        return status

    def _make_header(self, status: Status, source: Source, day: int) -> AnswerHeader:
        age = self._calendar.age(day, self.moment[1]) if day else None
        shown_age = "null" if age is None else age
        members = f'"status":"{status}","source":"{source}","age_seconds":{shown_age}'.encode()
        header = AnswerHeader(status, source, age, members)
        self._headers[status, source, day] = header
        return header


@lru_cache(maxsize=4_000)
def _end_of(day: int, zone: dt.tzinfo) -> float:
    next_day = dt.date.fromordinal(day + 1)
    return dt.datetime.combine(next_day, dt.time(), zone).timestamp()
