"""Storing the reports of clients that an offer was shown.

Scope: reports that arrive within a second are written together, and within a time limit. How they
are stored is in `infra/lake/shown_offers.py`.

A write makes an object, which has to be listed and read later: one for each of 200 requests a
second would be 700,000 in an hour. So a worker begins at most one write per second. The first
report after a quiet second is written at once; others wait until the second is over.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ds_assets.errors import InputError, Unavailable
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.shown_offers import ShownOffer, store_shown_offers
from ds_assets.serving.answer import Calendar
from ds_assets.serving.coalescing import Coalescer

TIMEOUT_S = 10.0
"""Seconds within which reports are stored or refused; a lake with retries takes some."""
INTERVAL_S = 1.0
"""Seconds between two objects of the lake that a worker begins to write."""
_MAX_REPORTS, _MAX_WRITES = 10_000, 2
"""Reports in one object, and objects that are written at the same time."""
_MAX_WAITING = 50_000
"""Reports that wait to be stored, about 20 MB; beyond it they are refused at once."""


class OffersNotStored(Unavailable):
    """Reports cannot be stored now, and may or may not have been; the client sends them again."""


@dataclass(frozen=True, eq=False)
class _Request:
    """The reports of one request; compared by identity, as each waits for its own."""

    offers: Sequence[ShownOffer]


class ShownOffers:
    """Stores reports in a lake, for one event loop.

    Args:
        lake: The lake.
        calendar: When days end: reports belong to the day on which they arrive.
        timeout: Seconds after which a report counts as not stored.
        clock: Seconds since 1970-01-01, UTC.
        interval: Seconds between two objects.
    """

    def __init__(
        self,
        lake: Lake,
        calendar: Calendar,
        timeout: float = TIMEOUT_S,
        clock: Callable[[], float] = time.time,
        interval: float = INTERVAL_S,
    ) -> None:
        self._lake, self._calendar, self._timeout, self._clock = lake, calendar, timeout, clock
        self._threads = ThreadPoolExecutor(_MAX_WRITES, "ds-assets-shown-offers")
        self._writes = Coalescer(self._write, _MAX_REPORTS, _MAX_WRITES, interval)
        self._waiting = 0

    async def store(self, offers: Sequence[ShownOffer]) -> None:
        """Store reports; when this returns, they are safe.

        Raises:
            OffersNotStored: the lake cannot be used, or takes too long.
        """
        if not offers:
            return
        if self._waiting >= _MAX_WAITING:
            raise OffersNotStored("too many shown offers wait to be stored in the lake")
        self._waiting += len(offers)
        try:
            async with asyncio.timeout(self._timeout):
                await self._writes.get(_Request(offers), len(offers))
        except (InputError, Unavailable, OSError) as error:  # of which TimeoutError is one
            raise OffersNotStored("shown offers cannot be stored in the lake now") from error
        finally:
            self._waiting -= len(offers)

    async def _write(self, requests: Sequence[_Request]) -> Sequence[None]:
        offers = [offer for request in requests for offer in request.offers]
        day = self._calendar.today(self._clock())
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, store_shown_offers, offers, day, self._lake)
        return [None] * len(requests)

    def close(self) -> None:
        """Stop the threads, once they have written what they are writing."""
        self._threads.shutdown(wait=False)
