"""Where days stand in words: what needs a person, and what happens next."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.day_status import DayStatus, count_days, find_attention, find_next

START = dt.date(2026, 1, 1)


def day(number: int) -> dt.date:
    return START + dt.timedelta(days=number)


def finished_day(number: int, **changes: object) -> DayStatus:
    """A day that was delivered and compared with outcomes."""
    done = DayStatus(
        day=day(number),
        logs="collected",
        activity="stored",
        predicted=True,
        delivered=True,
        compared=True,
    )
    return DayStatus.model_validate(done.model_dump() | changes)


WAITING = {"logs": "in_source", "activity": "none", "predicted": False, "delivered": False}


def attention(*days: DayStatus, newest_due: int) -> list[str]:
    return list(find_attention(days, day(newest_due)))


@given(st.lists(st.sampled_from(["collected", "in_source", "missing", "closed"]), max_size=20))
def test_each_day_is_counted_by_where_its_logs_are(logs: list[str]) -> None:
    counts = count_days([finished_day(n, logs=kind) for n, kind in enumerate(logs)])
    if counts is None:
        assert logs == []
        return
    assert (counts.first, counts.last, counts.days) == (day(0), day(len(logs) - 1), len(logs))
    assert counts.collected + counts.in_source + counts.missing + counts.closed == len(logs)


def test_nothing_needs_a_person_where_every_day_is_delivered() -> None:
    assert attention(finished_day(0), finished_day(1), newest_due=2) == []


def test_a_day_that_a_check_has_refused_needs_a_person_until_one_has_decided() -> None:
    refused = finished_day(0, activity="refused", reason="refused by the checks: 3 events")
    assert attention(refused, newest_due=0) == []
    (sentence,) = attention(refused.model_copy(update={"awaits_decision": True}), newest_due=0)
    assert sentence == (
        "2026-01-01 is refused by the checks: 3 events: replace its files, or decide with "
        "`ds-assets accept 2026-01-01 --reason REASON` or "
        "`ds-assets refuse 2026-01-01 --reason REASON`"
    )


def test_gaps_need_a_person_and_the_newest_day_may_still_come() -> None:
    days = [finished_day(0), finished_day(1, logs="missing"), finished_day(2)]
    late = finished_day(3, logs="missing")
    assert attention(*days, late, newest_due=3) == [
        (
            "there are no logs of 2026-01-02: upload them, or add the days to closed_days if "
            "the game was offline"
        )
    ]
    assert attention(*days, late, newest_due=4)[1:] == [
        "the newest logs are of 2026-01-03, and those of 2026-01-05 are due"
    ]


def test_runs_that_failed_alike_are_named_in_one_sentence() -> None:
    days = [finished_day(n, run="failed", error="no space left") for n in range(3)]
    assert attention(*days, newest_due=2) == [
        "the newest run of 2026-01-01 to 2026-01-03 has failed: no space left"
    ]


def test_days_that_wait_are_run_by_a_command_without_a_daemon_and_else_by_the_sensors() -> None:
    days = [finished_day(0), *(finished_day(n, **WAITING) for n in (1, 3))]
    assert list(find_next(days, has_daemon=False)) == [
        (
            "`ds-assets run 2026-01-02 2026-01-04` would make 2 days; Dagster's daemon, which "
            "would, is not alive"
        )
    ]
    assert list(find_next(days, has_daemon=True)) == [
        "the sensors collect and run 2 days: 2026-01-02, 2026-01-04"
    ]


def test_a_day_that_waits_for_its_files_says_until_when_and_a_running_one_is_not_run_again() -> (
    None
):
    note = "until its files have not changed for a minute"
    days = [finished_day(0), finished_day(1, **WAITING, note=note)]
    assert list(find_next(days, has_daemon=True)) == [f"collecting 2026-01-02 waits {note}"]
    running = finished_day(1, **WAITING, run="running")
    assert list(find_next([running], has_daemon=True)) == ["a run of 2026-01-02 is in progress"]


def test_days_with_newer_inputs_are_made_again_and_outcomes_come_on_a_day() -> None:
    days = [
        finished_day(0, outdated=("user_features", "rds_results")),
        finished_day(1, compared=False, outcomes_on=day(9)),
        finished_day(2, compared=False, outcomes_on=day(10)),
    ]
    assert list(find_next(days, has_daemon=False)) == [
        (
            "`ds-assets refresh --yes` makes 2026-01-01 again, which lack deliveries or have newer "
            "inputs"
        ),
        "predictions of 2026-01-02 can be compared with outcomes once 2026-01-10 is stored",
    ]


def test_days_of_which_only_the_logs_are_read_can_be_predicted_by_a_command() -> None:
    days = [finished_day(n, predicted=False, compared=False) for n in range(3)]
    assert list(find_next([*days, finished_day(3)], has_daemon=True)) == [
        (
            "`ds-assets run 2026-01-01 2026-01-03` would predict 3 days of which only the logs are "
            "read, to compare more predictions with outcomes"
        )
    ]
