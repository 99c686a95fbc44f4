import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.arrivals import (
    RETRY_AFTER,
    RETRY_GIVEN_UP_AFTER,
    SETTLED_AFTER,
    Arrival,
    Attempt,
    Outcome,
    RunDecision,
    decide_run,
    is_given_up,
)

DAY = dt.date(2026, 3, 7)
NOW = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


def make_arrival(**changes: object) -> Arrival:
    """New files that have rested."""
    fields: dict[str, object] = {
        "day": DAY,
        "newest": NOW - SETTLED_AFTER,
        "complete": None,
        "used": False,
        "busy": False,
        **changes,
    }
    return Arrival(**fields)  # type: ignore[arg-type]


def failed(*ago: dt.timedelta) -> tuple[Attempt, ...]:
    return tuple(Attempt(Outcome.FAILED, NOW - age) for age in ago)


def decide(**changes: object) -> RunDecision:
    return decide_run(make_arrival(**changes), {DAY}, NOW)


def test_new_files_that_have_rested_are_run() -> None:
    assert decide() is RunDecision.RUN


def test_a_day_without_a_partition_is_held() -> None:
    assert decide_run(make_arrival(), set(), NOW) is RunDecision.HELD


def test_young_files_wait_for_the_rest_of_them() -> None:
    assert decide(newest=NOW - SETTLED_AFTER + SECOND) is RunDecision.ARRIVING


def test_with_a_marker_there_is_no_waiting_and_without_it_there_is_no_end_of_it() -> None:
    assert decide(complete=True, newest=NOW) is RunDecision.RUN
    assert decide(complete=False, newest=NOW - dt.timedelta(days=9)) is RunDecision.ARRIVING


def test_what_is_stored_of_these_files_is_not_run_again() -> None:
    assert decide(used=True) is RunDecision.DONE


def test_a_run_of_the_day_for_whatever_files_is_waited_for() -> None:
    assert decide(busy=True) is RunDecision.RUNNING
    assert decide(attempts=(Attempt(Outcome.RUNNING, NOW),)) is RunDecision.RUNNING


def test_a_run_that_succeeded_is_the_last_one() -> None:
    attempts = (*failed(SECOND), Attempt(Outcome.SUCCEEDED, NOW))
    assert decide(attempts=attempts) is RunDecision.DONE


def test_what_a_run_stored_and_was_lost_is_made_again_a_day_later() -> None:
    for ago, decision in (
        (RETRY_GIVEN_UP_AFTER - SECOND, RunDecision.DONE),
        (RETRY_GIVEN_UP_AFTER, RunDecision.RUN),
    ):
        succeeded = (Attempt(Outcome.SUCCEEDED, NOW - ago),)
        assert decide(attempts=succeeded) is decision
        assert decide(attempts=succeeded, used=True) is RunDecision.DONE


def test_a_run_that_failed_after_its_first_step_is_not_taken_for_done() -> None:
    assert decide(used=True, attempts=failed(RETRY_AFTER[0])) is RunDecision.RUN


@pytest.mark.parametrize("times", range(1, len(RETRY_AFTER) + 1))
def test_after_each_failure_there_is_a_pause_and_then_a_new_attempt(times: int) -> None:
    pause = RETRY_AFTER[times - 1]
    before = [dt.timedelta(days=1)] * (times - 1)
    assert decide(attempts=failed(*before, pause - SECOND)) is RunDecision.PAUSED
    assert decide(attempts=failed(*before, pause)) is RunDecision.RUN


@pytest.mark.parametrize("more", range(3))
def test_after_the_last_pause_a_day_is_given_up_and_tried_again_once_a_day(more: int) -> None:
    before = [dt.timedelta(days=9)] * (len(RETRY_AFTER) + more)
    for ago, decision in (
        (RETRY_GIVEN_UP_AFTER - SECOND, RunDecision.GIVEN_UP),
        (RETRY_GIVEN_UP_AFTER, RunDecision.RUN),
    ):
        attempts = failed(*before, ago)
        assert decide(attempts=attempts) is decision
        assert is_given_up(attempts)


def test_a_day_is_not_given_up_before_its_last_retry_or_after_one_that_succeeds() -> None:
    assert not is_given_up(failed(*[SECOND] * len(RETRY_AFTER)))
    enough = failed(*[SECOND] * (len(RETRY_AFTER) + 1))
    assert not is_given_up((*enough, Attempt(Outcome.SUCCEEDED, NOW)))
    assert not is_given_up((*enough, Attempt(Outcome.RUNNING, NOW)))


seconds = st.integers(0, 10_000).map(lambda n: n * SECOND)
attempts = st.lists(
    st.builds(Attempt, outcome=st.sampled_from(Outcome), at=seconds.map(lambda ago: NOW - ago)),
    max_size=6,
).map(tuple)
arrivals = st.builds(
    Arrival,
    day=st.just(DAY),
    newest=seconds.map(lambda ago: NOW - ago),
    complete=st.none() | st.booleans(),
    used=st.booleans(),
    busy=st.booleans(),
    attempts=attempts,
)


@given(arrival=arrivals)
def test_nothing_is_run_while_a_run_is_under_way_or_after_one_that_succeeded(
    arrival: Arrival,
) -> None:
    if decide_run(arrival, {DAY}, NOW) is RunDecision.RUN:
        assert not arrival.busy
        assert not arrival.attempts or arrival.attempts[-1].outcome is Outcome.FAILED
        assert arrival.complete is not False


@given(arrival=arrivals)
def test_asking_again_later_never_ends_in_a_wait_without_end(arrival: Arrival) -> None:
    later = decide_run(arrival, {DAY}, NOW + dt.timedelta(days=1))
    waits = (
        arrival.busy
        or arrival.complete is False
        or any(attempt.outcome is Outcome.RUNNING for attempt in arrival.attempts[-1:])
    )
    assert waits or later in {RunDecision.RUN, RunDecision.DONE, RunDecision.GIVEN_UP}
