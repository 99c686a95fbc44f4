"""The mess: everything that goes wrong between the game and its logs.

Scope: which events arrive late, twice or with a wrong clock, which lines are unreadable, and on
which days nothing arrives. The game itself does not depend on it.
"""

import numpy as np

from ds_assets.simulate.events import (
    DAY_MS,
    FIRST_ADDED,
    FIRST_BROKEN,
    UNKNOWN_TYPES,
    Events,
    Flags,
    Ints,
    Kind,
)
from ds_assets.simulate.options import SHARES, SimulationOptions
from ds_assets.simulate.streams import Part, stream

MAX_DAYS_LATE = 3
MAX_DAYS_AHEAD = 2
CLOCK_SKEW_MINUTES = 10
"""Skew that `game.yaml` tolerates."""
_MINUTE_MS = 60_000
# Numbers that no event of the game has, so that an added line has an id of its own.
_UNKNOWN_ID, _BROKEN_ID = 500_000_000, 600_000_000


class Delivery:
    """Brings a day's events to the logs; holds back only what is late, for three days at most."""

    def __init__(self, options: SimulationOptions) -> None:
        self._options = options
        self._missing = {(day - options.start).days for day in options.missing_days}
        self._messy = any(getattr(options, name) for name in SHARES)
        self._waiting: dict[int, list[Events]] = {}
        self.lost = 0
        """Events of the game that arrived on a missing day."""

    @property
    def in_transit(self) -> int:
        """Late lines that have not arrived yet."""
        return sum(len(rows) for waiting in self._waiting.values() for rows in waiting)

    def deliver(self, day: int, events: Events) -> Events | None:
        """What arrives on `day`, in the order of arrival; None on a missing day."""
        if self._options.new_fields and day >= self._options.middle:
            events["app"] = 1
        if self._messy:
            events = self._spoil(day, events)
        if day in self._missing:
            self.lost += int(np.count_nonzero(events["kind"] < FIRST_ADDED))
            return None
        return events

    def _spoil(self, day: int, events: Events) -> Events:
        rng = stream(self._options.seed, Part.MESS, day)
        fate = dict(zip(SHARES, self._fates(len(events), rng), strict=True))
        self._hold_back(day, events[fate["late"]], rng)
        added = [
            _twice(events[fate["duplicates"]], rng),
            _unknown(events[fate["unknown_types"]], rng),
            _broken(events[fate["broken"]], rng),
        ]
        _turn_clocks(day, events, np.flatnonzero(fate["skewed"]), rng)
        arrived = [*self._waiting.pop(day, []), events[~fate["late"]], *added]
        rows = np.concatenate(arrived)
        return rows[np.argsort(rows["clock"], kind="stable")]

    def _fates(self, count: int, rng: np.random.Generator) -> Flags:
        """A row of flags for each of SHARES; an event has one of them at most."""
        until = np.cumsum([getattr(self._options, name) for name in SHARES])
        fate = np.searchsorted(until, rng.random(count), side="right")
        return np.asarray(fate == np.arange(len(SHARES))[:, None])

    def _hold_back(self, day: int, late: Events, rng: np.random.Generator) -> None:
        late["kind"] = Kind.LATE
        delay = rng.integers(1, MAX_DAYS_LATE + 1, len(late))
        for days in range(1, MAX_DAYS_LATE + 1):
            self._waiting.setdefault(day + days, []).append(late[delay == days])


def _turn_clocks(day: int, events: Events, which: Ints, rng: np.random.Generator) -> None:
    """Date the events after the end of their arrival day, half of them within the tolerance."""
    within = rng.integers(0, 2, len(which)) == 0
    tolerated = CLOCK_SKEW_MINUTES * _MINUTE_MS
    farthest = MAX_DAYS_AHEAD * DAY_MS
    ahead = np.where(
        within,
        rng.integers(1, tolerated, len(which)),
        rng.integers(tolerated + _MINUTE_MS, farthest, len(which)),
    )
    events["ts"][which] = (day + 1) * DAY_MS + ahead
    events["kind"][which] = np.where(within, Kind.SKEWED_WITHIN, Kind.SKEWED_BEYOND)


def _twice(copies: Events, rng: np.random.Generator) -> Events:
    later = copies["clock"] + rng.integers(0, 10 * _MINUTE_MS, len(copies))
    copies["clock"] = np.minimum(later, DAY_MS - 1)
    copies["kind"] = Kind.DUPLICATES
    return copies


def _unknown(copies: Events, rng: np.random.Generator) -> Events:
    copies["id"] += _UNKNOWN_ID
    copies["type"], copies["detail"] = rng.choice(UNKNOWN_TYPES, len(copies)), 0
    copies["kind"] = Kind.UNKNOWN_TYPES
    return copies


def _broken(copies: Events, rng: np.random.Generator) -> Events:
    copies["id"] += _BROKEN_ID
    copies["app"] = 0  # what is left of a broken line is counted as broken, not as new
    copies["kind"] = rng.integers(FIRST_BROKEN, len(Kind), len(copies))
    return copies
