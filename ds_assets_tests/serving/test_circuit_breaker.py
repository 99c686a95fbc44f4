"""A dependency that is down is not called for a while, and is used again when it is back."""

import asyncio
import logging
import time
from typing import Any

import pytest

from ds_assets.serving import circuit_breaker
from ds_assets.serving.circuit_breaker import (
    MAX_FAILURES,
    RESET_TIMEOUT_S,
    CircuitBreaker,
    Dependency,
    DependencyUnavailable,
)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def oracle(clock: Clock) -> Dependency:
    return an_oracle(clock)


def an_oracle(clock: Clock, timeout: float = 5) -> Dependency:
    dependency = Dependency("oracle", (LookupError,), timeout)
    dependency.breaker = CircuitBreaker(clock)
    return dependency


def state_of(dependency: Dependency) -> tuple[bool, str]:
    return dependency.breaker.is_healthy, dependency.breaker.state


async def answers() -> str:
    return "yes"


async def fails() -> str:
    raise LookupError("nobody knows")


async def hangs() -> str:
    await asyncio.sleep(60)
    return "late"


async def call(dependency: Dependency, what: Any) -> Any:
    try:
        return await dependency.call(what())
    except DependencyUnavailable as error:
        return str(error)


async def break_it(dependency: Dependency) -> None:
    for _ in range(MAX_FAILURES):
        assert await call(dependency, fails) == "the oracle is unavailable"
    assert state_of(dependency) == (False, "open")


def test_a_result_is_passed_on_and_the_dependency_is_healthy(oracle: Dependency) -> None:
    assert asyncio.run(call(oracle, answers)) == "yes"
    assert state_of(oracle) == (True, "closed")


def test_a_failure_makes_it_unavailable_and_is_logged(
    oracle: Dependency, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert asyncio.run(call(oracle, fails)) == "the oracle is unavailable"
    assert caplog.messages == ["oracle unavailable; answering without it: nobody knows"]
    assert state_of(oracle) == (False, "closed")
    assert asyncio.run(call(oracle, answers)) == "yes"
    assert state_of(oracle) == (True, "closed")


def test_a_call_that_takes_too_long_is_given_up(
    clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit_breaker, "_LATE_S", 60)  # a busy machine may notice it late
    oracle = an_oracle(clock, timeout=0.01)
    with caplog.at_level(logging.WARNING):
        assert asyncio.run(call(oracle, hangs)) == "the oracle is unavailable"
    assert caplog.messages == ["oracle unavailable; answering without it: timed out"]
    assert not oracle.breaker.is_healthy


def test_other_errors_are_not_its_failures_and_are_not_hidden(oracle: Dependency) -> None:
    async def mistake() -> str:
        raise ZeroDivisionError

    for _ in range(MAX_FAILURES):
        with pytest.raises(ZeroDivisionError):
            asyncio.run(oracle.call(mistake()))
    assert state_of(oracle) == (True, "closed")


def test_only_consecutive_failures_open_the_circuit_which_then_lets_no_call_through(
    oracle: Dependency, clock: Clock
) -> None:
    async def run() -> None:
        for what in (fails, answers, fails, fails):
            await call(oracle, what)
        assert state_of(oracle) == (False, "closed")
        await call(oracle, fails)
        assert state_of(oracle) == (False, "open")
        clock.now += RESET_TIMEOUT_S - 0.5
        expected = f"the oracle is not called for {RESET_TIMEOUT_S} s"
        assert await call(oracle, answers) == expected

    asyncio.run(run())


def test_after_the_reset_timeout_it_is_tried_and_used_again_when_it_is_back(
    oracle: Dependency, clock: Clock
) -> None:
    async def run() -> None:
        await break_it(oracle)
        clock.now += RESET_TIMEOUT_S
        assert oracle.breaker.state == "half-open"
        assert await call(oracle, answers) == "yes"
        assert state_of(oracle) == (True, "closed")

    asyncio.run(run())


def test_a_trial_call_that_fails_opens_the_circuit_again(oracle: Dependency, clock: Clock) -> None:
    async def run() -> None:
        await break_it(oracle)
        clock.now += RESET_TIMEOUT_S
        assert await call(oracle, fails) == "the oracle is unavailable"
        assert oracle.breaker.state == "open"
        clock.now += RESET_TIMEOUT_S
        assert await call(oracle, answers) == "yes"

    asyncio.run(run())


def test_a_caller_who_is_cancelled_says_nothing_about_it(oracle: Dependency, clock: Clock) -> None:
    async def cancel() -> None:
        task = asyncio.create_task(oracle.call(hangs()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def run() -> None:
        await call(oracle, fails)
        await cancel()
        assert state_of(oracle) == (False, "closed")
        for _ in range(MAX_FAILURES - 1):
            await call(oracle, fails)
        assert state_of(oracle) == (False, "open")
        clock.now += RESET_TIMEOUT_S
        await cancel()
        assert state_of(oracle) == (False, "half-open")

    asyncio.run(run())


def test_an_answer_to_an_earlier_call_does_not_close_the_circuit(oracle: Dependency) -> None:
    async def slow() -> str:
        await asyncio.sleep(0.02)
        return "late"

    async def run() -> None:
        task = asyncio.create_task(oracle.call(slow()))
        await asyncio.sleep(0)
        await break_it(oracle)
        assert await task == "late"
        assert state_of(oracle) == (False, "open")

    asyncio.run(run())


def test_a_failure_of_an_earlier_call_does_not_keep_the_circuit_open_for_longer(
    oracle: Dependency, clock: Clock
) -> None:
    async def fails_slowly() -> str:
        await asyncio.sleep(0.02)
        return await fails()

    async def run() -> None:
        task = asyncio.create_task(call(oracle, fails_slowly))
        await asyncio.sleep(0)
        await break_it(oracle)
        clock.now += RESET_TIMEOUT_S - 0.5
        assert await task == "the oracle is unavailable"
        clock.now += 0.5
        assert oracle.breaker.state == "half-open"

    asyncio.run(run())


@pytest.mark.slow
def test_a_process_that_is_too_busy_to_look_does_not_blame_the_dependency(clock: Clock) -> None:
    async def answers_unnoticed() -> str:
        await asyncio.sleep(0)
        time.sleep(0.2)  # noqa: ASYNC251  (that is what is tested)
        await asyncio.sleep(0.01)
        return "yes"

    async def run() -> None:
        oracle = an_oracle(clock, timeout=0.05)
        for _ in range(MAX_FAILURES + 1):
            assert await call(oracle, answers_unnoticed) == "the oracle is unavailable"
        assert state_of(oracle) == (True, "closed")

    asyncio.run(run())
