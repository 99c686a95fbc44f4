"""Events of a request that cannot be used: all of them at once, by position."""

from collections.abc import Mapping
from itertools import islice

from ds_assets.errors import InputError

MAX_EVENTS_NAMED = 20
"""Events that are named with their reasons; the others are counted."""


class UnusableEventsError(InputError):
    """Events of a request cannot be used.

    Args:
        reasons: Why, by position among all events of the request, counted from 0; at least one.

    Attributes:
        named: The reasons of the first of them, at most `MAX_EVENTS_NAMED`.
        others: The number of the others.
    """

    def __init__(self, reasons: Mapping[int, str]) -> None:
        self.named = dict(islice(sorted(reasons.items()), MAX_EVENTS_NAMED))
        self.others = len(reasons) - len(self.named)
        named = [f"event {position + 1}: {reason}" for position, reason in self.named.items()]
        if self.others:
            named.append(f"and {self.others:,} others")
        events = "an event" if len(reasons) == 1 else f"{len(reasons):,} events"
        super().__init__(f"{events} of the request cannot be used: {'; '.join(named)}")
