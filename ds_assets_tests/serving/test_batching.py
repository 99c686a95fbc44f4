"""Questions that come while others are answered are answered together, each to who asked it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.errors import InputError
from ds_assets.serving.batching import Batcher

MOST = 10


class Doubler:
    """Doubles numbers, remembers its calls, and has its troubles with some."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.calls.append(list(numbers))
        await asyncio.sleep(0)
        if 13 in numbers:
            raise InputError("13 cannot be doubled")
        if 99 in numbers:
            raise ZeroDivisionError
        return [2 * one for one in numbers]


def run(work: Callable[[Batcher[int, int]], Awaitable[None]]) -> list[list[int]]:
    """Calls that were made for some work."""
    doubler = Doubler()

    async def whole() -> None:
        await work(Batcher(doubler, MOST))

    asyncio.run(whole())
    return doubler.calls


@given(st.lists(st.lists(st.integers(100, 999), max_size=MOST + 5), max_size=20))
def test_everybody_is_answered_in_the_order_asked_and_no_call_is_too_large(
    questions: list[list[int]],
) -> None:
    async def work(batcher: Batcher[int, int]) -> None:
        found = await asyncio.gather(*map(batcher.ask, questions))
        assert found == [[2 * one for one in asked] for asked in questions]

    calls = run(work)
    assert list(chain(*calls)) == list(chain(*questions))
    assert all(len(call) <= MOST or call in questions for call in calls)


def test_what_comes_while_a_call_is_made_goes_together_with_the_next() -> None:
    async def work(batcher: Batcher[int, int]) -> None:
        first = batcher.ask([1])
        await asyncio.sleep(0)
        others = [batcher.ask([2]), batcher.ask([3, 4])]
        assert await asyncio.gather(first, *others) == [[2], [4], [6, 8]]
        assert await batcher.ask([5]) == [10]

    assert run(work) == [[1], [2, 3, 4], [5]]


def test_the_mistake_of_one_is_told_to_that_one_alone() -> None:
    async def work(batcher: Batcher[int, int]) -> None:
        asked = [[1], [13, 2], [3]]
        first, wrong, last = await asyncio.gather(*map(batcher.ask, asked), return_exceptions=True)
        assert (first, last) == ([2], [6])
        assert isinstance(wrong, InputError)

    assert run(work) == [[1, 13, 2, 3], [1], [13, 2], [3]]


def test_what_fails_for_all_is_told_to_all_and_the_next_are_answered() -> None:
    async def work(batcher: Batcher[int, int]) -> None:
        found = await asyncio.gather(*map(batcher.ask, [[1], [99]]), return_exceptions=True)
        assert [type(one) for one in found] == [ZeroDivisionError] * 2
        assert await batcher.ask([2]) == [4]

    run(work)


def test_who_goes_away_is_not_asked_for_and_takes_no_answer_from_others() -> None:
    async def work(batcher: Batcher[int, int]) -> None:
        first, gone, last = (batcher.ask([number]) for number in (1, 2, 3))
        gone.cancel()
        assert [*await asyncio.gather(first, last)] == [[2], [6]]
        with pytest.raises(asyncio.CancelledError):
            await gone

    assert run(work) == [[1, 3]]
