"""Random numbers of the simulator: one independent stream for each part and day.

If a part draws more or fewer numbers, or an option is switched on, nothing changes in other parts
and on other days.
"""

from enum import IntEnum

import numpy as np


class Part(IntEnum):
    """What draws random numbers; the value is part of every stream's seed."""

    PEOPLE = 1
    CALENDAR = 2
    GAME = 3
    MESS = 4
    RESPONSES = 5
    OFFERS = 6


def stream(seed: int, part: Part, day: int = 0) -> np.random.Generator:
    """The stream of one part on one day: the same numbers for the same arguments, always."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, part, day])))
