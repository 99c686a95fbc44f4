"""The oracle: the best predictions that are possible from the logs, as a reference.

Scope: filtering what the logs reveal about each user, and the resulting probabilities.

The oracle knows the world (parameters, release calendar, each user's hidden parameters) and has
seen who was active on which day, but not whether an inactive user has left. Given the hidden state,
sessions and purchases of an active user carry no further information about it, so it filters
activity only. The filter is the forward algorithm of a hidden Markov model with two states
(Rabiner, A Tutorial on Hidden Markov Models, 1989, section III.A).
"""

from collections import deque
from collections.abc import Iterable

import numpy as np

from ds_assets.simulate.events import Floats, Ints
from ds_assets.simulate.world import Law, World

NEVER = -1_000_000


class Oracle:
    """What is known of each user so far: O(users), however many days it has seen."""

    def __init__(self, world: World, horizon: int, active_days: int) -> None:
        self._world, self._active_days = world, active_days
        self._playing = world.playing_at_first
        self._last_seen = np.full(world.users, NEVER)
        self._day = -1
        self._coming = deque((world.law(day) for day in range(horizon)), maxlen=horizon + 1)

    def next_law(self) -> Law:
        """The law of the day after the last observed one."""
        return self._coming[0]

    def observe(self, players: Ints) -> None:
        """See who was active on the next day."""
        law = self._coming.popleft()
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

    def churn(self) -> Floats:
        """P(no activity in the horizon) of every account."""
        return _never(self._playing, ((law, law.plays) for law in self._coming))

    def payment(self) -> Floats:
        """P(at least one purchase in the horizon) of every account."""
        return 1 - _never(self._playing, ((law, law.pays) for law in self._coming))


def _never(playing: Floats, days: Iterable[tuple[Law, Floats]]) -> Floats:
    """P(it happens on none of the days), where each day says how probable it is if playing."""
    gone = 1 - playing
    for law, happens in days:
        left = playing * law.leaves
        back = gone * law.returns
        playing, gone = (playing - left + back) * (1 - happens), gone - back + left
    return playing + gone
