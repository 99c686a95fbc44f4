"""Questions that are asked together, and none that hurts another."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.serving.coalescing import Coalescer


class Source:
    """Answers in capitals once it may, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.open = self.most_open = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.fault: BaseException | None = None

    async def load(self, keys: Sequence[str]) -> Sequence[str]:
        self.asked.append(list(keys))
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await asyncio.sleep(0)
        await self.may_answer.wait()
        self.open -= 1
        if self.fault is not None:
            raise self.fault
        return [key.upper() for key in keys]


def asking(most: int = 10, at_once: int = 2) -> tuple[Source, Coalescer[str]]:
    source = Source()
    return source, Coalescer(source.load, most, at_once)


def test_who_asks_for_the_same_gets_the_same_answer_of_one_question() -> None:
    async def ask() -> None:
        source, coalescer = asking()
        assert await asyncio.gather(*map(coalescer.get, "aab")) == ["A", "A", "B"]
        assert source.asked == [["a", "b"]]

    asyncio.run(ask())


def test_a_question_that_is_being_asked_is_shared_and_then_asked_anew() -> None:
    async def ask() -> None:
        source, coalescer = asking()
        source.may_answer.clear()
        early = coalescer.get("a")
        await asyncio.sleep(0.01)
        late = coalescer.get("a")
        source.may_answer.set()
        assert (await early, await late) == ("A", "A")
        assert await coalescer.get("a") == "A"
        assert source.asked == [["a"], ["a"]]

    asyncio.run(ask())


def test_while_all_questions_are_open_others_wait_and_go_together() -> None:
    async def ask() -> None:
        source, coalescer = asking(most=3, at_once=2)
        source.may_answer.clear()
        found = []
        for key in "ab":
            found.append(coalescer.get(key))
            await asyncio.sleep(0.01)
        found += map(coalescer.get, "cdefg")
        await asyncio.sleep(0.01)
        assert source.asked == [["a"], ["b"]]
        source.may_answer.set()
        assert await asyncio.gather(*found) == list("ABCDEFG")
        assert source.asked[2:] == [["c", "d", "e"], ["f", "g"]]
        assert source.most_open == 2

    asyncio.run(ask())


def test_everybody_hears_of_an_error_and_the_next_question_is_asked() -> None:
    async def ask() -> None:
        source, coalescer = asking(at_once=1)
        source.fault = LookupError("gone")
        found = await asyncio.gather(*map(coalescer.get, "aab"), return_exceptions=True)
        assert [repr(one) for one in found] == ["LookupError('gone')"] * 3
        source.fault = None
        assert await coalescer.get("a") == "A"

    asyncio.run(ask())


def test_values_that_are_too_few_are_an_error_and_nobody_waits_for_ever() -> None:
    async def none(_: Sequence[str]) -> Sequence[str]:
        return []

    async def ask() -> None:
        coalescer = Coalescer(none, 10, 1)
        for _ in range(2):
            with pytest.raises(ValueError, match="zip"):
                await asyncio.wait_for(coalescer.get("a"), 1)

    asyncio.run(ask())


@pytest.mark.parametrize("goes_away", ["before it is asked", "while it is asked"])
def test_who_goes_away_hurts_nobody(goes_away: str) -> None:
    async def wait_for(coalescer: Coalescer[str], key: str) -> str:
        return await coalescer.get(key)

    async def ask() -> None:
        source, coalescer = asking(at_once=1)
        source.may_answer.clear()
        leaves, stays = (asyncio.create_task(wait_for(coalescer, "a")) for _ in range(2))
        await asyncio.sleep(0 if goes_away == "before it is asked" else 0.01)
        leaves.cancel()
        source.may_answer.set()
        with pytest.raises(asyncio.CancelledError):
            await leaves
        assert await stays == "A"
        assert await coalescer.get("b") == "B"

    asyncio.run(ask())


@given(
    keys=st.lists(st.sampled_from("abcdefgh"), max_size=30),
    pauses=st.lists(st.booleans(), min_size=30, max_size=30),
    left=st.sets(st.integers(0, 29)),
    most=st.integers(1, 5),
    at_once=st.integers(1, 3),
)
def test_whoever_stays_is_answered_for_their_key_within_the_bounds(
    keys: list[str], pauses: list[bool], left: set[int], most: int, at_once: int
) -> None:
    async def ask() -> None:
        source, coalescer = asking(most, at_once)
        found: list[asyncio.Future[str]] = []
        for key, pause in zip(keys, pauses, strict=False):
            found.append(coalescer.get(key))
            if pause:
                await asyncio.sleep(0)
        for number in left & set(range(len(found))):
            found[number].cancel()
        answers: list[Any] = await asyncio.gather(*found, return_exceptions=True)
        for key, answer in zip(keys, answers, strict=True):
            assert answer == key.upper() or isinstance(answer, asyncio.CancelledError)
        assert all(len(one) == len(set(one)) <= most for one in source.asked)
        assert source.most_open <= at_once

    asyncio.run(ask())
