"""The game: who plays on a day, and every event of that day.

Scope: the state that the game carries from day to day, and drawing the events of one day.
Probabilities are in `world.py`, faults of the logs in `mess.py`.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from ds_assets.simulate.events import (
    BETWEEN_PRICES,
    DAY_MS,
    DRAWS,
    EVENT,
    MAX_MINUTES,
    PLACEMENTS,
    STAGES,
    Events,
    EventType,
    Flags,
    Floats,
    Ints,
)
from ds_assets.simulate.responses import Offers
from ds_assets.simulate.streams import Part, stream
from ds_assets.simulate.world import PRICE_SPREAD, Law, World

CLEARS_A_MINUTE = 0.22
ADS_A_SESSION, DRAWS_A_SESSION = 0.6, 0.4
IDS_A_DAY = 1_000_000_000
# How busy each hour of the day is, beginning with midnight in UTC.
_HOURS = (2, 1, 1, 1, 1, 2, 3, 4, 4, 4, 5, 6, 7, 6, 5, 5, 6, 7, 9, 10, 11, 10, 8, 4)


@dataclass(frozen=True)
class Sessions:
    """Sessions of one day, those of a user side by side."""

    user: Ints
    start: Ints
    """Millisecond of the day."""
    minutes: Floats
    first: Ints
    """Where each player's sessions begin."""
    count: Ints
    """How many sessions each player has."""

    @property
    def span(self) -> Floats:
        """Milliseconds from start to end; a session ends with the day at the latest."""
        return np.minimum(self.minutes * 60_000, DAY_MS - 1 - self.start)


class SimulatedGame:
    """The running game; its state is one number per user for each fact.

    Each day is drawn as it would be if there had never been an offer, and what offers change is
    drawn on top. So two games that differ in offers only have the same random numbers, and users
    whose behaviour no offer has changed have the same events.
    """

    def __init__(self, world: World, seed: int) -> None:
        self._world, self._seed = world, seed
        rng = stream(seed, Part.GAME)
        self._playing = rng.random(world.users) < world.playing_at_first
        self._playing_unoffered = self._playing
        seen_days = np.maximum(-world.installed, 0) * world.active
        self._clears = rng.poisson(seen_days * (1 + world.sessions) * world.minutes * 0.05)

    def play(self, day: int, law: Law, offers: Offers | None = None) -> tuple[Ints, Events]:
        """Play one day; days must be played in order.

        Args:
            day: The day.
            law: What is probable on it without offers.
            offers: The offers in effect on it.

        Returns:
            The users who were active, ascending, and their events in the order of time.
        """
        rng = stream(self._seed, Part.GAME, day + 1)
        offered_law = self._world.respond(law, offers)
        unoffered, is_active = self._move(law, offered_law, rng)
        sessions = self._sessions(np.flatnonzero(unoffered), law, rng)
        events = _draw_events(sessions, self._purchases(sessions, law, rng), rng)
        if offers is not None or (unoffered != is_active).any():
            changes = stream(self._seed, Part.OFFERS, day)
            events = self._change(events, sessions, is_active, law, offered_law, changes)
        events = self._with_levels(events)
        events = events[np.argsort(events["clock"], kind="stable")]
        events["ts"] = events["clock"] + np.int64(day) * DAY_MS
        first_id = (self._world.start.toordinal() + day) * IDS_A_DAY
        events["id"] = np.arange(first_id, first_id + len(events))
        return np.flatnonzero(is_active), events

    def _move(self, law: Law, offered: Law, rng: np.random.Generator) -> tuple[Flags, Flags]:
        """Let users leave and return; who is active if there were no offers, and who is."""
        fate, mood = rng.random((2, self._world.users))
        self._playing_unoffered = _stays(self._playing_unoffered, law, fate)
        self._playing = _stays(self._playing, offered, fate)
        return self._playing_unoffered & (mood < law.plays), self._playing & (mood < offered.plays)

    def _change(
        self,
        events: Events,
        sessions: Sessions,
        is_active: Flags,
        law: Law,
        offered: Law,
        rng: np.random.Generator,
    ) -> Events:
        """A day's events with what offers change: users who stay away or come, and purchases."""
        unoffered = np.zeros_like(is_active)
        unoffered[sessions.user] = True
        # Counts of Poisson laws add up: what an offer adds to the purchases is drawn alone.
        added = replace(law, buys=np.where(is_active, offered.buys - law.buys, 0.0))
        others = self._sessions(np.flatnonzero(is_active & ~unoffered), offered, rng)
        return np.concatenate(
            [
                events[is_active[events["user"]]],
                self._purchases(sessions, added, rng),
                _draw_events(others, self._purchases(others, offered, rng), rng),
            ]
        )

    def _sessions(self, players: Ints, law: Law, rng: np.random.Generator) -> Sessions:
        count = 1 + rng.poisson(law.sessions[players])
        user = np.repeat(players, count)
        minutes = self._world.minutes[user] * rng.lognormal(0, 0.6, len(user))
        return Sessions(
            user=user,
            start=_times_of_day(rng.random(len(user))),
            minutes=np.clip(minutes, 0.1, MAX_MINUTES),
            first=np.cumsum(count) - count,
            count=count,
        )

    def _purchases(self, sessions: Sessions, law: Law, rng: np.random.Generator) -> Events:
        player = np.repeat(
            np.arange(len(sessions.first)), rng.poisson(law.buys[sessions.user[sessions.first]])
        )
        nth = (rng.random(len(player)) * sessions.count[player]).astype(np.int64)
        rows = _inside(sessions, sessions.first[player] + nth, EventType.PURCHASE, rng)
        wanted = self._world.price[rows["user"]] * rng.lognormal(0, PRICE_SPREAD, len(rows))
        rows["detail"] = np.searchsorted(BETWEEN_PRICES, wanted)
        return rows

    def _with_levels(self, events: Events) -> Events:
        """Events with level and stage as the clears bring them about, and the level-ups."""
        order = np.argsort(events["user"].astype(np.int64) * DAY_MS + events["clock"])
        events = events[order]
        clear = events["type"] == EventType.STAGE_CLEAR
        clears = self._count_clears(events["user"], clear)
        events["level"] = _level(clears)
        events["detail"][clear] = np.minimum(clears[clear], STAGES)
        rises = events[clear & (events["level"] > _level(clears - clear))]
        rises["type"], rises["detail"] = EventType.LEVEL_UP, 0
        rises["clock"] = np.minimum(rises["clock"] + 1, DAY_MS - 1)
        return np.concatenate([events, rises])

    def _count_clears(self, user: npt.NDArray[np.int32], clear: npt.NDArray[np.bool_]) -> Ints:
        """Stages that each event's user has cleared in all by then; the state moves on."""
        begins = np.flatnonzero(np.diff(user, prepend=-1))
        until_now = np.cumsum(clear)
        before_today = until_now[begins] - clear[begins] - self._clears[user[begins]]
        count = np.diff(begins, append=len(user))
        clears: Ints = until_now - np.repeat(before_today, count)
        ends = begins + count - 1
        self._clears[user[ends]] = clears[ends]
        return clears


def _stays(playing: Flags, law: Law, fate: Floats) -> Flags:
    """Who is playing today, from who was yesterday and a uniform number of each user."""
    return np.asarray(fate < np.where(playing, 1 - law.leaves, law.returns))


def _draw_events(sessions: Sessions, purchases: Events, rng: np.random.Generator) -> Events:
    each = np.arange(len(sessions.user))
    starts = _inside(sessions, each, EventType.SESSION_START, rng)
    starts["clock"], starts["detail"] = sessions.start, np.rint(sessions.minutes * 10)
    clears = np.repeat(each, rng.poisson(sessions.minutes * CLEARS_A_MINUTE))
    ads = np.repeat(each, rng.poisson(ADS_A_SESSION, len(each)))
    draws = np.repeat(each, rng.poisson(DRAWS_A_SESSION, len(each)))
    clear_rows = _inside(sessions, clears, EventType.STAGE_CLEAR, rng)
    ad_rows = _inside(sessions, ads, EventType.AD_VIEW, rng)
    ad_rows["detail"] = rng.integers(0, len(PLACEMENTS), len(ads))
    draw_rows = _inside(sessions, draws, EventType.GACHA_DRAW, rng)
    draw_rows["detail"] = rng.integers(0, len(DRAWS), len(draws))
    return np.concatenate([starts, clear_rows, ad_rows, draw_rows, purchases])


def _inside(
    sessions: Sessions, which: Ints, event_type: EventType, rng: np.random.Generator
) -> Events:
    """An event of the type at a random time inside each of the sessions `which`."""
    rows = np.zeros(len(which), EVENT)
    rows["user"], rows["type"] = sessions.user[which], event_type
    rows["clock"] = sessions.start[which] + rng.random(len(which)) * sessions.span[which]
    return rows


def _level(clears: Ints) -> Ints:
    return 1 + np.sqrt(clears / 2).astype(np.int64)


def _times_of_day(uniform: Floats) -> Ints:
    """Milliseconds of the day, more of them in its busy hours."""
    quantiles = _quantiles()
    place = uniform * (len(quantiles) - 1)
    left = place.astype(np.int64)
    low, high = quantiles[left], quantiles[left + 1]
    return np.minimum(low + (place - left) * (high - low), DAY_MS - 1).astype(np.int64)


@cache
def _quantiles() -> Floats:
    until = np.concatenate([[0], np.cumsum(_HOURS)]) / sum(_HOURS)
    return np.interp(np.linspace(0, 1, 4097), until, np.linspace(0, DAY_MS, len(until)))
