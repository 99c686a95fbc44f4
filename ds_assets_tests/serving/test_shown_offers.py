"""Reports that an offer was shown: stored before they are acknowledged, or refused in time."""

import asyncio
import datetime as dt
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ds_assets.infra.lake.base import LakeUnavailable
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.shown_offers import SHOWN_OFFERS, ShownOffer, read_shown_offers
from ds_assets.serving import shown_offers as module
from ds_assets.serving.answer import Calendar
from ds_assets.serving.shown_offers import OffersNotStored, ShownOffers
from ds_assets_tests.infra.factories import DAYS
from ds_assets_tests.serving.factories import ACTIVE_DAYS, PATIENCE, end_of

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def shown(number: int) -> ShownOffer:
    return ShownOffer(f"u{number}", f"a{number}", NOON)


def shown_offers(
    lake: Any,
    timeout: float = PATIENCE,
    now: float = NOON.timestamp(),
    interval: float = 0.0,
) -> ShownOffers:
    return ShownOffers(lake, Calendar(dt.UTC, ACTIVE_DAYS), timeout, lambda: now, interval)


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    return FolderLake(tmp_path / "lake")


def test_reports_are_stored_on_the_day_on_which_they_arrive(lake: FolderLake) -> None:
    asyncio.run(shown_offers(lake).store([shown(1), shown(2)]))
    asyncio.run(shown_offers(lake, now=end_of(DAYS[0])).store([shown(3)]))
    assert read_shown_offers(DAYS[0], lake) == [shown(1), shown(2)]
    assert read_shown_offers(DAYS[1], lake) == [shown(3)]
    assert read_shown_offers(DAYS[2], lake) == []


def test_reports_that_come_while_others_are_written_are_written_together(lake: FolderLake) -> None:
    async def many() -> None:
        offers = shown_offers(lake)
        await asyncio.gather(*(offers.store([shown(number)]) for number in range(500)))

    asyncio.run(many())
    assert {it.user_id for it in read_shown_offers(DAYS[0], lake)} == {f"u{n}" for n in range(500)}
    assert len(lake.objects(SHOWN_OFFERS)) < 50


def test_a_worker_begins_one_object_per_interval_and_the_first_at_once(lake: FolderLake) -> None:
    async def long_after() -> None:
        offers = shown_offers(lake, interval=PATIENCE)
        await offers.store([shown(0)])
        later = asyncio.create_task(offers.store([shown(1)]))
        await asyncio.sleep(0.05)
        assert not later.done()
        later.cancel()

    async def one_after_the_other(count: int) -> float:
        offers, begun = shown_offers(lake, interval=0.05), time.monotonic()
        tasks = []
        for number in range(count):
            tasks.append(asyncio.create_task(offers.store([shown(number)])))
            await asyncio.sleep(0.002)
        await asyncio.gather(*tasks)
        return time.monotonic() - begun

    asyncio.run(long_after())
    assert read_shown_offers(DAYS[0], lake) == [shown(0)]
    seconds = asyncio.run(one_after_the_other(100))
    assert {it.user_id for it in read_shown_offers(DAYS[0], lake)} == {f"u{n}" for n in range(100)}
    assert len(lake.objects(SHOWN_OFFERS)) <= 1 + 1 + seconds / 0.05


def test_an_empty_list_writes_nothing(lake: FolderLake) -> None:
    asyncio.run(shown_offers(lake).store([]))
    assert lake.objects("") == []


class LostLake:
    """A lake that cannot be used."""

    def write(self, name: str, content: bytes) -> None:
        raise LakeUnavailable(f"no room for {len(content)} bytes of {name}")


class SlowLake:
    """A lake that does not answer until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def write(self, name: str, content: bytes) -> None:
        del name, content
        self.released.wait(PATIENCE)


def test_reports_that_are_not_stored_are_never_acknowledged() -> None:
    with pytest.raises(OffersNotStored, match="cannot be stored in the lake now"):
        asyncio.run(shown_offers(LostLake()).store([shown(1)]))
    slow = SlowLake()
    with pytest.raises(OffersNotStored):
        asyncio.run(shown_offers(slow, timeout=0.05).store([shown(1)]))
    slow.released.set()


def test_reports_beyond_what_may_wait_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_WAITING", 3)
    slow = SlowLake()

    async def many() -> list[Any]:
        offers = shown_offers(slow)
        waiting = [asyncio.create_task(offers.store([shown(n), shown(n)])) for n in range(3)]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        slow.released.set()
        assert done == {waiting[2]}
        results = await asyncio.gather(*waiting, return_exceptions=True)
        await offers.store([shown(4)])
        return results

    *stored, refused = asyncio.run(many())
    assert stored == [None, None]
    assert isinstance(refused, OffersNotStored)
    assert "too many shown offers wait" in str(refused)
