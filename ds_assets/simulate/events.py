"""The form of an event: its columns inside the simulator, its types, and its JSON properties.

Scope: what the game, the mess and the writer of lines share.
"""

from enum import IntEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

DAY_MS = 86_400_000

EVENT = np.dtype(
    [
        ("id", np.int64),
        ("ts", np.int64),  # event time: milliseconds since the first day's start
        ("clock", np.int32),  # arrival: millisecond of the arrival day
        ("user", np.int32),
        ("level", np.int32),
        ("detail", np.int32),  # which of the type's properties: index into `properties`
        ("type", np.int8),
        ("app", np.int8),  # 1 for an event that carries the new fields
        ("kind", np.int8),
    ],
    align=True,
)

Flags: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Events: TypeAlias = npt.NDArray[np.void]
"""Array of EVENT."""


class EventType(IntEnum):
    """Event types; the last two are those that `game.yaml` does not name."""

    SESSION_START = 0
    STAGE_CLEAR = 1
    LEVEL_UP = 2
    AD_VIEW = 3
    GACHA_DRAW = 4
    PURCHASE = 5
    GUILD_CHAT = 6
    PET_FED = 7


UNKNOWN_TYPES = (EventType.GUILD_CHAT, EventType.PET_FED)


class Kind(IntEnum):
    """What was done to a line; the broken ones come last."""

    CLEAN = 0
    LATE = 1
    SKEWED_WITHIN = 2
    SKEWED_BEYOND = 3
    DUPLICATES = 4
    UNKNOWN_TYPES = 5
    BROKEN_TRUNCATED = 6
    BROKEN_NO_USER_ID = 7
    BROKEN_NO_TIME = 8
    BROKEN_GARBAGE_TIME = 9
    BROKEN_WRONG_TYPE = 10


FIRST_ADDED = Kind.DUPLICATES
"""This kind and those after it are lines beside the events of the game."""
FIRST_BROKEN = Kind.BROKEN_TRUNCATED

PRICES = (0.99, 1.99, 4.99, 9.99, 19.99, 49.99, 99.99)
"""Price points in US dollars; a purchase's detail is an index into them."""
BETWEEN_PRICES = np.sqrt(np.array(PRICES[:-1]) * np.array(PRICES[1:]))
"""Where the nearest price point changes, on the scale of ratios."""
MAX_MINUTES = 180
STAGES = 10_000
"""The last stage is played again and again."""
PLACEMENTS = ("extra_life", "double_coins", "daily_chest")
DRAWS = (1, 10)


def properties(event_type: EventType) -> list[str]:
    """JSON of a type's properties (and of a purchase's amount), one text for each detail."""
    match event_type:
        case EventType.SESSION_START:  # the detail is the length in tenths of a minute
            texts = [f'{{"minutes":{tenths / 10}}}' for tenths in range(MAX_MINUTES * 10 + 1)]
        case EventType.STAGE_CLEAR:
            texts = [f'{{"stage":{stage}}}' for stage in range(STAGES + 1)]
        case EventType.AD_VIEW:
            texts = [f'{{"placement":"{placement}"}}' for placement in PLACEMENTS]
        case EventType.GACHA_DRAW:
            texts = [f'{{"draws":{draws}}}' for draws in DRAWS]
        case EventType.PURCHASE:
            texts = [
                f'{{"item":"pack_{number}"}},"amount":{price},"currency":"USD"'
                for number, price in enumerate(PRICES)
            ]
        case _:
            texts = ["{}"]
    return texts
