"""Requests that are loaded together: shared, bounded, and none hurts another."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.serving.coalescing import Coalescer


class Source:
    """Answers in capitals once it may, and remembers its calls."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.open = self.most_open = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.error: Exception | None = None

    async def load(self, keys: Sequence[str]) -> Sequence[str | Exception]:
        self.calls.append(list(keys))
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await asyncio.sleep(0)
        await self.may_answer.wait()
        self.open -= 1
        if self.error is not None:
            raise self.error
        return [LookupError(key) if key == "x" else key.upper() for key in keys]


def coalescing(max_size: int = 10, max_calls: int = 2) -> tuple[Source, Coalescer[str, str]]:
    source = Source()
    return source, Coalescer(source.load, max_size, max_calls)


def test_equal_items_are_loaded_once() -> None:
    async def run() -> None:
        source, coalescer = coalescing()
        assert await asyncio.gather(*map(coalescer.get, "aab")) == ["A", "A", "B"]
        assert source.calls == [["a", "b"]]

    asyncio.run(run())


def test_items_that_are_compared_by_identity_are_never_shared() -> None:
    @dataclass(eq=False)
    class Request:
        number: int

    async def load(requests: Sequence[Request]) -> list[int]:
        sizes.append(len(requests))
        return [2 * request.number for request in requests]

    async def run() -> None:
        coalescer: Coalescer[Request, int] = Coalescer(load, 10, 1)
        assert await asyncio.gather(*(coalescer.get(Request(1)) for _ in range(3))) == [2, 2, 2]

    sizes: list[int] = []
    asyncio.run(run())
    assert sizes == [3]


def test_a_call_under_way_is_shared_and_afterwards_the_item_is_loaded_anew() -> None:
    async def run() -> None:
        source, coalescer = coalescing()
        source.may_answer.clear()
        early = coalescer.get("a")
        await asyncio.sleep(0.01)
        late = coalescer.get("a")
        source.may_answer.set()
        assert (await early, await late) == ("A", "A")
        assert await coalescer.get("a") == "A"
        assert source.calls == [["a"], ["a"]]

    asyncio.run(run())


def test_while_all_calls_are_under_way_further_items_wait_and_go_together() -> None:
    async def run() -> None:
        source, coalescer = coalescing(max_size=3, max_calls=2)
        source.may_answer.clear()
        results = []
        for key in "ab":
            results.append(coalescer.get(key))
            await asyncio.sleep(0.01)
        results += map(coalescer.get, "cdefg")
        await asyncio.sleep(0.01)
        assert source.calls == [["a"], ["b"]]
        source.may_answer.set()
        assert await asyncio.gather(*results) == list("ABCDEFG")
        assert source.calls[2:] == [["c", "d", "e"], ["f", "g"]]
        assert source.most_open == 2

    asyncio.run(run())


def test_within_an_interval_items_wait_and_then_go_together() -> None:
    async def load_twice(interval: float) -> tuple[Source, list[asyncio.Future[str]]]:
        source = Source()
        coalescer: Coalescer[str, str] = Coalescer(source.load, 3, 1, interval)
        assert await coalescer.get("a") == "A"
        return source, [*map(coalescer.get, "bcdefgh")]

    async def run() -> None:
        source, results = await load_twice(interval=3_600)
        await asyncio.sleep(0.05)
        assert source.calls == [["a"]]
        for result in results:
            result.cancel()
        source, results = await load_twice(interval=0.05)
        assert await asyncio.gather(*results) == list("BCDEFGH")
        assert source.calls == [["a"], ["b", "c", "d"], ["e", "f", "g"], ["h"]]

    asyncio.run(run())


def test_a_batch_is_bounded_by_the_sizes_of_its_items_and_a_larger_item_goes_alone() -> None:
    async def run() -> None:
        source, coalescer = coalescing(max_size=10, max_calls=1)
        sizes = {"a": 4, "b": 6, "c": 1, "d": 25, "e": 9}
        results = [coalescer.get(key, size) for key, size in sizes.items()]
        assert await asyncio.gather(*results) == list("ABCDE")
        assert source.calls == [["a", "b"], ["c"], ["d"], ["e"]]

    asyncio.run(run())


def test_a_call_that_fails_fails_all_that_wait_and_the_next_is_made() -> None:
    async def run() -> None:
        source, coalescer = coalescing(max_calls=1)
        source.error = LookupError("gone")
        results = await asyncio.gather(*map(coalescer.get, "aab"), return_exceptions=True)
        assert [repr(result) for result in results] == ["LookupError('gone')"] * 3
        source.error = None
        assert await coalescer.get("a") == "A"

    asyncio.run(run())


def test_an_error_as_the_result_of_one_item_fails_that_item_only() -> None:
    async def run() -> None:
        source, coalescer = coalescing()
        results = await asyncio.gather(*map(coalescer.get, "axb"), return_exceptions=True)
        assert [repr(result) for result in results] == ["'A'", "LookupError('x')", "'B'"]
        assert source.calls == [["a", "x", "b"]]

    asyncio.run(run())


def test_too_few_results_are_an_error_and_nobody_waits_for_ever() -> None:
    async def none(_: Sequence[str]) -> Sequence[str]:
        return []

    async def run() -> None:
        coalescer: Coalescer[str, str] = Coalescer(none, 10, 1)
        for _ in range(2):
            with pytest.raises(ValueError, match="zip"):
                await asyncio.wait_for(coalescer.get("a"), 1)

    asyncio.run(run())


@pytest.mark.parametrize("leaves", ["before the call", "during the call"])
def test_a_cancelled_request_hurts_no_other(leaves: str) -> None:
    async def wait_for(coalescer: Coalescer[str, str], key: str) -> str:
        return await coalescer.get(key)

    async def run() -> None:
        source, coalescer = coalescing(max_calls=1)
        source.may_answer.clear()
        leaving, staying = (asyncio.create_task(wait_for(coalescer, "a")) for _ in range(2))
        await asyncio.sleep(0 if leaves == "before the call" else 0.01)
        leaving.cancel()
        source.may_answer.set()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert await staying == "A"
        assert await coalescer.get("b") == "B"

    asyncio.run(run())


def test_an_item_that_nobody_waits_for_any_more_is_not_loaded() -> None:
    async def run() -> None:
        source, coalescer = coalescing()
        first, gone, last = map(coalescer.get, "abc")
        gone.cancel()
        assert [await first, await last] == ["A", "C"]
        assert source.calls == [["a", "c"]]
        assert await coalescer.get("b") == "B"

    asyncio.run(run())


@given(
    keys=st.lists(st.sampled_from("abcdefgh"), max_size=30),
    pauses=st.lists(st.booleans(), min_size=30, max_size=30),
    left=st.sets(st.integers(0, 29)),
    max_size=st.integers(1, 5),
    max_calls=st.integers(1, 3),
)
def test_whoever_stays_gets_the_result_of_their_item_within_the_bounds(
    keys: list[str], pauses: list[bool], left: set[int], max_size: int, max_calls: int
) -> None:
    async def run() -> None:
        source, coalescer = coalescing(max_size, max_calls)
        futures: list[asyncio.Future[str]] = []
        for key, pause in zip(keys, pauses, strict=False):
            futures.append(coalescer.get(key))
            if pause:
                await asyncio.sleep(0)
        for number in left & set(range(len(futures))):
            futures[number].cancel()
        results: list[Any] = await asyncio.gather(*futures, return_exceptions=True)
        for key, result in zip(keys, results, strict=True):
            assert result == key.upper() or isinstance(result, asyncio.CancelledError)
        assert all(len(call) == len(set(call)) <= max_size for call in source.calls)
        assert source.most_open <= max_calls

    asyncio.run(run())


@given(
    items=st.lists(
        st.tuples(st.text("abcdefgh", min_size=1, max_size=3), st.integers(0, 15)),
        max_size=20,
        unique_by=lambda item: item[0],
    )
)
def test_no_batch_is_too_large_and_the_order_of_the_requests_is_kept(
    items: list[tuple[str, int]],
) -> None:
    async def run() -> None:
        source, coalescer = coalescing(max_size=10, max_calls=1)
        results = await asyncio.gather(*(coalescer.get(*item) for item in items))
        assert results == [key.upper() for key, _ in items]
        sizes = dict(items)
        assert [key for call in source.calls for key in call] == [key for key, _ in items]
        assert all(len(call) == 1 or sum(sizes[key] for key in call) <= 10 for call in source.calls)

    asyncio.run(run())
