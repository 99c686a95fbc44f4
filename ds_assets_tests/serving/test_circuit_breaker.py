"""A part that is down is left alone for a while, and is used again when it is back."""

import asyncio
import datetime as dt
import logging
import time
from typing import Any

import pytest

from ds_assets.serving.circuit_breaker import FAILURES, REST_SECONDS, Part, PartDown


def let_rest(part: Part, seconds: float) -> None:
    """Make it that much longer ago that a part was found to be down."""
    since = part._memory.opened_at
    assert since
    part._memory.opened_at = since - dt.timedelta(seconds=seconds)


def state_of(part: Part) -> str:
    return part.state


def a_part(within: float = 5) -> Part:
    return Part("oracle", (LookupError,), within)


async def answers() -> str:
    return "yes"


async def fails() -> str:
    raise LookupError("nobody knows")


async def hangs() -> str:
    await asyncio.sleep(60)
    return "late"


async def ask(part: Part, question: Any) -> Any:
    try:
        return await part.ask(question())
    except PartDown as down:
        return str(down)


async def break_it(part: Part) -> None:
    for _ in range(FAILURES):
        assert await ask(part, fails) == "the oracle does not answer"
    assert state_of(part) == "open"


def test_an_answer_is_passed_on_and_the_part_is_up() -> None:
    part = a_part()
    assert asyncio.run(ask(part, answers)) == "yes"
    assert (part.is_up, state_of(part)) == (True, "closed")


def test_a_fault_is_a_part_that_is_down_and_says_so_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    part = a_part()
    with caplog.at_level(logging.WARNING):
        assert asyncio.run(ask(part, fails)) == "the oracle does not answer"
    assert caplog.messages == ["an answer does without the oracle: nobody knows"]
    assert (part.is_up, state_of(part)) == (False, "closed")
    assert asyncio.run(ask(part, answers)) == "yes"
    assert part.is_up


def test_who_does_not_answer_in_time_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    part = a_part(within=0.01)
    with caplog.at_level(logging.WARNING):
        assert asyncio.run(ask(part, hangs)) == "the oracle does not answer"
    assert caplog.messages == ["an answer does without the oracle: no answer"]
    assert not part.is_up


def test_other_errors_are_not_the_parts_and_are_not_hidden() -> None:
    async def mistake() -> str:
        raise ZeroDivisionError

    part = a_part()
    for _ in range(FAILURES):
        with pytest.raises(ZeroDivisionError):
            asyncio.run(part.ask(mistake()))
    assert part.is_up


def test_after_some_failures_one_after_the_other_it_is_not_asked_for_a_while() -> None:
    async def run() -> None:
        part = a_part()
        for question in (fails, answers, fails, fails):
            await ask(part, question)
        assert state_of(part) == "closed"
        await break_it(a_part())
        await ask(part, fails)
        assert state_of(part) == "open"
        let_rest(part, REST_SECONDS - 0.5)
        assert await ask(part, answers) == f"the oracle is not asked for {REST_SECONDS} s"

    asyncio.run(run())


def test_after_its_rest_it_is_tried_and_used_again_when_it_is_back() -> None:
    async def run() -> None:
        part = a_part()
        await break_it(part)
        let_rest(part, REST_SECONDS)
        assert state_of(part) == "half-open"
        assert await ask(part, answers) == "yes"
        assert (part.is_up, state_of(part)) == (True, "closed")

    asyncio.run(run())


def test_a_try_that_fails_is_a_rest_more() -> None:
    async def run() -> None:
        part = a_part()
        await break_it(part)
        let_rest(part, REST_SECONDS)
        assert await ask(part, fails) == "the oracle does not answer"
        assert state_of(part) == "open"
        let_rest(part, REST_SECONDS)
        assert await ask(part, answers) == "yes"

    asyncio.run(run())


def test_who_stops_waiting_says_nothing_about_the_part() -> None:
    async def stop_waiting(part: Part) -> None:
        asked = asyncio.create_task(part.ask(hangs()))
        await asyncio.sleep(0.01)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

    async def run() -> None:
        part = a_part()
        await ask(part, fails)
        await stop_waiting(part)
        assert not part.is_up
        for _ in range(FAILURES - 1):
            await ask(part, fails)
        assert state_of(part) == "open"
        let_rest(part, REST_SECONDS)
        await stop_waiting(part)
        assert state_of(part) == "half-open"

    asyncio.run(run())


def test_an_answer_that_comes_when_others_have_failed_does_not_end_the_rest() -> None:
    async def slow() -> str:
        await asyncio.sleep(0.02)
        return "late"

    async def run() -> None:
        part = a_part()
        asked = asyncio.create_task(part.ask(slow()))
        await asyncio.sleep(0)
        await break_it(part)
        assert await asked == "late"
        assert state_of(part) == "open"

    asyncio.run(run())


def test_a_process_that_is_too_busy_to_look_does_not_blame_the_part() -> None:
    async def comes_while_nobody_looks() -> str:
        await asyncio.sleep(0)
        time.sleep(0.2)  # noqa: ASYNC251  (that is what is tested)
        await asyncio.sleep(0.01)
        return "yes"

    async def run() -> None:
        part = a_part(within=0.05)
        for _ in range(FAILURES + 1):
            assert await ask(part, comes_while_nobody_looks) == "the oracle does not answer"
        assert (part.is_up, state_of(part)) == (True, "closed")

    asyncio.run(run())
