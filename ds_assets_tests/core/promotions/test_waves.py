import datetime as dt
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_assets.core.promotions.assignment import CONTROL, TREATED
from ds_assets.core.promotions.waves import Day, Progress, Terms, Wave, follow, progress_on
from ds_assets_tests.core.promotions.days import FIRST, TERMS, date, day_of, drawn_days


def seen_daily(days: Iterable[Day]) -> list[Wave | None]:
    """The latest result on each day."""
    return [progress.over for progress in follow(days)]


def is_finding(wave: Wave | None) -> bool:
    return wave is not None and wave.effect is not None and wave.effect.is_finding


def quiet_days(count: int, terms: Terms = TERMS) -> list[Day]:
    return [day_of(number, terms=terms) for number in range(count)]


def better_days(count: int, first: int = 0) -> list[Day]:
    return [day_of(number, treated=(100, 20)) for number in range(first, first + count)]


def test_nothing_is_shown_before_the_planned_sample_is_there() -> None:
    shown = seen_daily(better_days(10))
    full = [wave is not None for wave in shown]
    assert full == sorted(full)
    assert not full[2]
    assert full[-1]
    first = next(wave for wave in shown if wave is not None)
    assert first.planned is not None
    assert first.users - 200 < first.planned <= first.users


def test_the_plan_does_not_depend_on_the_difference_between_the_arms() -> None:
    differing = [day_of(0, treated=(100, 70), control=(100, 30))]
    alike = [day_of(0, treated=(100, 50), control=(100, 50))]
    plans = [next(follow(days)).open for days in (differing, alike)]
    assert plans[0] is not None
    assert plans[1] is not None
    assert plans[0].planned == plans[1].planned


def test_the_plan_stays_when_later_days_vary_more() -> None:
    days = [day_of(0, (200, 20), (200, 20)), *quiet_days(3)]
    plans = [(progress.open or progress.over) for progress in follow(days)]
    assert len({wave.planned for wave in plans if wave is not None}) == 1


def test_a_result_without_a_finding_stays_for_ever() -> None:
    shown = [wave for wave in seen_daily(quiet_days(40)) if wave is not None]
    assert len(shown) > 30
    assert {wave.last for wave in shown} == {shown[0].last}


def test_a_finding_is_confirmed_by_a_wave_of_new_users() -> None:
    shown = [wave for wave in seen_daily(better_days(30)) if wave is not None]
    first, second = shown[0], next(wave for wave in shown if wave.number == 2)
    assert second.first == first.last + dt.timedelta(days=1)
    assert is_finding(second)


def test_a_finding_that_was_noise_does_not_last() -> None:
    days = [*better_days(9), *(day_of(number) for number in range(9, 40))]
    shown = [wave for wave in seen_daily(days) if wave is not None]
    assert is_finding(shown[0])
    assert not is_finding(shown[-1])


def test_until_the_next_wave_is_full_the_result_before_it_is_shown() -> None:
    shown = [wave for wave in seen_daily(better_days(7)) if wave is not None]
    assert {wave.number for wave in shown} == {1}
    assert len(shown) > 1


@pytest.mark.parametrize(("ends", "is_over"), [(3, True), (4, False)])
def test_the_end_of_a_promotion_is_the_time_of_its_result(ends: int, is_over: bool) -> None:
    terms = replace(TERMS, ends=date(ends), detects=0.01)
    progress = progress_on(quiet_days(3, terms), date(3), is_current=True)
    assert (progress.over is not None) == is_over


def test_a_version_that_was_replaced_has_ended() -> None:
    terms = replace(TERMS, detects=0.01)
    days = quiet_days(3, terms)
    assert progress_on(days, date(2), is_current=True).over is None
    assert progress_on(days, date(2), is_current=False).over is not None


def test_an_end_that_is_put_off_after_it_has_passed_gives_no_second_look() -> None:
    short = replace(TERMS, ends=date(2), detects=0.01)
    longer = replace(short, ends=date(30))
    days = [*quiet_days(3, short), *(day_of(number, terms=longer) for number in range(3, 30))]
    progress = progress_on(days, date(29), is_current=True)
    assert progress.open is None
    assert progress.over is not None
    assert progress.over.last == date(2)


def test_an_end_that_is_put_off_before_it_has_passed_counts() -> None:
    short = replace(TERMS, ends=date(4), detects=0.01)
    longer = replace(short, ends=date(30))
    days = [*quiet_days(3, short), *(day_of(number, terms=longer) for number in range(3, 10))]
    assert progress_on(days, date(9), is_current=True).over is None


def test_a_smaller_difference_to_detect_does_not_enlarge_a_wave_afterwards() -> None:
    demanding = replace(TERMS, detects=0.01)
    days = [*quiet_days(2), *(day_of(number, terms=demanding) for number in range(2, 12))]
    waves = [progress.open or progress.over for progress in follow(days)]
    assert {wave.terms.detects for wave in waves if wave is not None} == {TERMS.detects}
    assert waves[-1] is not None
    assert waves[-1].is_full


def test_a_wave_to_confirm_a_finding_that_stays_small_changes_nothing() -> None:
    terms = replace(TERMS, ends=date(7))
    days = [replace(day, terms=terms) for day in better_days(7)]
    progress = progress_on(days, date(8), is_current=True)
    assert progress.over is not None
    assert progress.over.number == 1
    assert is_finding(progress.over)


def test_a_result_whose_arms_do_not_fit_is_withheld_with_all_that_follow() -> None:
    days = [day_of(number, treated=(150, 20)) for number in range(30)]
    progress = progress_on(days, date(29), is_current=True)
    assert progress.open is None
    assert progress.over is not None
    assert progress.over.state == "withheld"
    assert progress.over.effect is None


def test_arms_of_another_program_are_compared_without_known_shares() -> None:
    days = [
        day_of(number, treated=(150, 20), terms=replace(TERMS, shares={})) for number in range(30)
    ]
    progress = progress_on(days, date(29), is_current=True)
    assert progress.over is not None
    assert progress.over.state == "result"


def test_a_promotion_that_ends_with_a_handful_of_users_has_no_result() -> None:
    terms = replace(TERMS, ends=FIRST)
    progress = progress_on([day_of(0, (20, 10), (20, 10), terms)], FIRST, is_current=True)
    assert progress.over is not None
    assert progress.over.state == "withheld"


def test_without_days_there_is_no_progress() -> None:
    assert progress_on([], FIRST, is_current=True) == Progress()


def test_arms_may_differ_in_size_as_planned() -> None:
    terms = Terms("churn", 0.1, {TREATED: 0.9, CONTROL: 0.1})
    days = [day_of(number, (900, 450), (100, 50), terms) for number in range(10)]
    progress = progress_on(days, date(9), is_current=True)
    assert progress.over is not None
    assert progress.over.state == "result"


@pytest.mark.slow
def test_looking_daily_raises_no_more_false_alarms_than_one_look() -> None:
    rng, games = np.random.default_rng(1), 300
    terms = replace(TERMS, detects=0.05)
    alarms = 0
    for _ in range(games):
        days = [replace(day, terms=terms) for day in drawn_days(rng, 40, 120)]
        alarms += any(map(is_finding, seen_daily(days)))
    assert 0.02 < alarms / games < 0.09


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(10, 90), st.integers(10, 90)), min_size=1, max_size=15))
def test_what_is_known_on_a_day_does_not_depend_on_later_days(
    positives: list[tuple[int, int]],
) -> None:
    days = [
        day_of(number, (100, treated), (100, control))
        for number, (treated, control) in enumerate(positives)
    ]
    shown = list(follow(days))
    for number in range(len(days)):
        assert repr(list(follow(days[: number + 1]))[-1]) == repr(shown[number])
