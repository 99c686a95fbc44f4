"""The oracle: the best predictions that are possible from the logs, as a reference.

Scope: filtering what the logs reveal about each user, and the resulting probabilities.

The oracle knows the world (parameters, release calendar, each user's hidden parameters) and has
seen who was active on which day, but not whether an inactive user has left. Given the hidden state,
sessions and purchases of an active user carry no further information about it, so it filters
activity only. The filter is the forward algorithm of a hidden Markov model with two states
(Rabiner, A Tutorial on Hidden Markov Models, 1989, section III.A).
"""

from collections import deque
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import replace
from typing import NamedTuple, Self

import numpy as np

from ds_assets.simulate.events import Floats, Ints
from ds_assets.simulate.responses import Offers, ResponseType
from ds_assets.simulate.world import Law, World

NEVER = -1_000_000


class Effects(NamedTuple):
    """What offers change in the horizon, an array of shape (users,) each."""

    churn: Floats
    """Change of P(no activity)."""
    payment: Floats
    """Change of P(at least one purchase)."""
    spend: Floats
    """Change of the expected spend, in US dollars."""


class Oracle:
    """What is known of each user so far: O(users), however many days it has seen."""

    def __init__(self, world: World, horizon: int, active_days: int) -> None:
        self._world, self._active_days = world, active_days
        self._playing = world.playing_at_first
        self._last_seen = np.full(world.users, NEVER)
        self._day = -1
        self._coming = deque((world.law(day) for day in range(horizon)), maxlen=horizon + 1)

    def next_law(self) -> Law:
        """The law of the day after the last observed one, without offers."""
        return self._coming[0]

    def observe(self, players: Ints, offers: Offers | None = None) -> None:
        """See who was active on the next day, and which offers were in effect on it."""
        law = self._world.respond(self._coming.popleft(), offers)
        self._day += 1
        self._coming.append(self._world.law(self._day + len(self._coming) + 1))
        playing = self._playing * (1 - law.leaves) + (1 - self._playing) * law.returns
        unseen = 1 - playing * law.plays
        # Nobody whose activity was certain is unseen, so what stands for 0 / 0 is not used.
        self._playing = np.divide(
            playing * (1 - law.plays), unseen, out=np.ones_like(unseen), where=unseen > 0
        )
        self._playing[players] = 1.0
        self._last_seen[players] = self._day

    def active_users(self) -> Ints:
        """Users seen in the last `active_days`, ascending."""
        return np.flatnonzero(self._last_seen > self._day - self._active_days)

    def churn(self, offers: Offers | None = None) -> Floats:
        """P(no activity in the horizon) of every account, with these offers in effect in it."""
        return _never(self._playing, ((law, law.plays) for law in self._laws(offers)))

    def payment(self, offers: Offers | None = None) -> Floats:
        """P(at least one purchase in the horizon) of every account, likewise."""
        return 1 - _never(self._playing, ((law, law.pays) for law in self._laws(offers)))

    def spend(self, offers: Offers | None = None) -> Floats:
        """Expected spend of every account in the horizon, likewise, in US dollars."""
        days = ((law, law.plays * law.buys) for law in self._laws(offers))
        return _expect(self._playing, days) * self._world.mean_price

    def effects(self, offers: Offers) -> Effects:
        """What these offers change in the horizon of every account, its response type known."""
        outcomes = (self.churn, self.payment, self.spend)
        return Effects(*(outcome(offers) - outcome() for outcome in outcomes))

    def expected_effects(self, offers: Offers) -> Effects:
        """The same, with nothing known of a response type but what goes with other parameters.

        This is the most that can be learnt about the effect on a user from an experiment.
        """
        of_types = zip(*(self._responding(it).effects(offers) for it in ResponseType), strict=True)
        shares = self._world.response_shares.T
        return Effects(*((shares * np.array(effects)).sum(axis=0) for effects in of_types))

    def _responding(self, response: ResponseType) -> Self:
        """An oracle that takes all users to be of one response type."""
        oracle = copy(self)
        of_type = np.full(self._world.users, response)
        oracle._world = replace(self._world, response=of_type)  # noqa: SLF001  (of this class)
        return oracle

    def _laws(self, offers: Offers | None) -> Iterator[Law]:
        return (self._world.respond(law, offers) for law in self._coming)


def _never(playing: Floats, days: Iterable[tuple[Law, Floats]]) -> Floats:
    """P(it happens on none of the days), where each day says how probable it is if playing."""
    gone = 1 - playing
    for law, happens in days:
        left = playing * law.leaves
        back = gone * law.returns
        playing, gone = (playing - left + back) * (1 - happens), gone - back + left
    return playing + gone


def _expect(playing: Floats, days: Iterable[tuple[Law, Floats]]) -> Floats:
    """Expected number on all days, where each day says how many it brings if playing."""
    expected = np.zeros_like(playing)
    for law, brings in days:
        playing = playing * (1 - law.leaves) + (1 - playing) * law.returns
        expected += playing * brings
    return expected
