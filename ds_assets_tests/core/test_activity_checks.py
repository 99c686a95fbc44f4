"""The rules by which a day of activity is refused."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest

from ds_assets.core.activity_checks import describe_checks, find_problems
from ds_assets.core.activity_report import ActivityReport, TypeLines
from ds_assets.core.events import NO_USER_ID
from ds_assets.game import Fields
from ds_assets_tests.core.factories import FIRST_DAY, make_game


def report(
    number: int, events: int, quarantined: int = 0, users: int = 10, late: int = 0
) -> ActivityReport:
    return ActivityReport(
        day=FIRST_DAY + dt.timedelta(days=number),
        raw_fingerprint="",
        files=1,
        lines=events + quarantined,
        events=events,
        duplicates=0,
        late_events=late,
        quarantined={"not JSON": quarantined} if quarantined else {},
        users=users,
        rows=events,
    )


def problems(
    number: int, events: int, past: Mapping[int, int], quarantined: int = 0, **game: Any
) -> dict[str, str]:
    """What is wrong with a day after days with the given events."""
    reports = {it.day: it for it in (report(n, count) for n, count in past.items())}
    return find_problems(report(number, events, quarantined), reports.get, make_game(**game))


def launch(events: int, half_life_days: float, days: int) -> dict[int, int]:
    """Events of a game that halve again and again, to a tenth of those of its first day."""
    return {n: round(events * (0.1 + 0.9 * 0.5 ** (n / half_life_days))) for n in range(days)}


def test_a_launch_that_loses_most_of_its_events_in_days_is_not_refused() -> None:
    for half_life_days in (1, 1.5, 2, 3, 7):
        events = launch(100_000, half_life_days, 60)
        for number, count in events.items():
            past = {n: it for n, it in events.items() if n < number}
            assert problems(number, count, past) == {}, (half_life_days, number)


def test_an_outage_during_a_launch_is_refused() -> None:
    events = launch(100_000, 2, 60)
    for number in range(7, 28):
        past = {n: it for n, it in events.items() if n < number}
        assert list(problems(number, events[number] // 20, past)) == ["has_enough_events"]


def test_a_refusal_during_a_launch_names_the_days_before() -> None:
    past = {0: 1000, 1: 200, 2: 200, 3: 200, 4: 200, 5: 200, 6: 200}
    assert problems(7, 49, past) == {
        "has_enough_events": "49 events, where the days before it usually had 200"
    }
    assert problems(7, 50, past) == {}


def test_after_four_weeks_a_busy_weekday_is_compared_with_its_own_kind_alone() -> None:
    past = {n: 10_000 if n % 7 == 0 else 1_000 for n in range(28)}
    assert problems(28, 2_499, past) == {
        "has_enough_events": "2499 events, where this weekday usually has 10000"
    }


def problems_of_users(users: int, past: Mapping[int, int], **limits: float) -> dict[str, str]:
    """What is wrong with day 28, with enough events, after days with the given users."""
    reports = {it.day: it for it in (report(n, 100, users=count) for n, count in past.items())}
    return find_problems(report(28, 100, users=users), reports.get, make_game(checks=limits))


def test_a_day_that_lacks_most_of_the_usual_users_is_refused() -> None:
    past = dict.fromkeys(range(28), 200)
    assert problems_of_users(50, past) == {}
    assert problems_of_users(49, past) == {
        "has_enough_users": "49 users, where this weekday usually has 200; is fields.user_id the "
        "id of a user?"
    }
    assert problems_of_users(49, past, max_lost_user_share=0.8) == {}
    assert list(problems_of_users(179, past, max_lost_user_share=0.1)) == ["has_enough_users"]
    assert problems_of_users(0, past, max_lost_user_share=1) == {}


def test_users_of_a_launch_may_fall_like_its_events() -> None:
    users = launch(10_000, 2, 60)
    for number in range(7, 28):
        past = {day: users[number - 28 + day] for day in range(28) if number - 28 + day >= 0}
        assert problems_of_users(users[number], past) == {}, number


def test_few_events_explain_few_users() -> None:
    reports = {it.day: it for it in (report(n, 1000, users=100) for n in range(28))}
    few = report(28, 10, users=1)
    assert list(find_problems(few, reports.get, make_game())) == ["has_enough_events"]


def test_late_events_are_limited_by_the_game_file_alone() -> None:
    late, nothing = report(3, 100, late=41), dict[dt.date, ActivityReport]()
    assert find_problems(late, nothing.get, make_game()) == {}
    enough = make_game(checks={"max_late_event_share": 0.41})
    assert find_problems(late, nothing.get, enough) == {}
    stricter = make_game(checks={"max_late_event_share": 0.4})
    assert find_problems(late, nothing.get, stricter) == {
        "is_mostly_on_time": "41 of 100 events are dated before the day; are fields.event_time and "
        "time_zone right?"
    }


def test_nothing_is_usual_on_a_closed_day() -> None:
    past = dict.fromkeys(range(28), 1000)
    closed = [FIRST_DAY + dt.timedelta(days=28)]
    assert problems(28, 0, past, closed_days=closed) == {}


def test_the_limits_are_those_of_the_game_file() -> None:
    past = dict.fromkeys(range(28), 100)
    assert problems(28, 60, past) == {}
    stricter = {"checks": {"min_event_share": 0.7, "max_quarantined_share": 0.01}}
    assert list(problems(28, 60, past, quarantined=2, **stricter)) == [
        "has_enough_events",
        "is_mostly_valid",
    ]
    laxer = {"checks": {"min_event_share": 0, "max_quarantined_share": 1}}
    assert problems(28, 1, past, quarantined=1000, **laxer) == {}


def test_the_descriptions_name_the_limits_of_the_game_file() -> None:
    game = make_game(checks={"max_quarantined_share": 0.2})
    descriptions = describe_checks(game)
    assert descriptions["is_mostly_valid"].startswith("At most 20% of a day's lines")
    assert "25%" in descriptions["has_enough_events"]


EVENTS = {"purchases": ["purchase"], "refunds": ["refund"], "sessions": ["login"]}


def problem_of_type(
    name: str, quarantined: int, lines: int, reason: str = "no time", **limits: float
) -> str | None:
    """What is wrong with a day of many lines with one type that has lines in quarantine."""
    counts = TypeLines(lines=lines, quarantined={reason: quarantined})
    of_day = report(0, 1_000_000).model_copy(update={"quarantined_types": {name: counts}})
    fields = Fields(user_id="user", event_time="time", event_type="type", amount="amount")
    game = make_game(fields=fields, events=EVENTS, checks=limits)
    return find_problems(of_day, lambda _: None, game).get("is_mostly_valid")


def test_a_day_without_its_purchases_is_refused_however_few_its_lines_are() -> None:
    assert problem_of_type("purchase", 8, 8, "the amount is not a number") == (
        "8 of 8 lines of the type purchase are in quarantine, most often: the amount is not a "
        "number"
    )


@pytest.mark.parametrize(
    ("name", "lines", "tolerated"),
    [
        ("purchase", 2, 2),
        ("purchase", 3, 2),
        ("refund", 20, 5),
        ("purchase", 200, 21),
        ("purchase", 10_000, 569),
        ("login", 9, 9),
        ("login", 10, 9),
        ("other", 20, 17),
        ("other", 200, 122),
        ("login", 10_000, 5_155),
    ],
)
def test_a_type_is_refused_from_the_number_that_chance_does_not_explain(
    name: str, lines: int, tolerated: int
) -> None:
    assert problem_of_type(name, tolerated, lines) is None
    if tolerated < lines:
        assert problem_of_type(name, tolerated + 1, lines) is not None


def test_lines_without_a_user_count_for_types_that_the_game_file_names() -> None:
    assert problem_of_type("server_start", 1_000, 1_000, NO_USER_ID) is None
    for name in ("purchase", "login"):
        assert problem_of_type(name, 1_000, 1_000, NO_USER_ID) is not None


def test_a_type_follows_the_limit_of_the_game_file() -> None:
    assert problem_of_type("purchase", 30, 100, max_quarantined_share=0.3) is None
    assert problem_of_type("login", 80, 100, max_quarantined_share=0.8) is None
    assert problem_of_type("purchase", 100, 100, max_quarantined_share=1) is None
    assert problem_of_type("purchase", 1, 100, max_quarantined_share=0) is not None


def test_the_message_names_all_lines_and_the_largest_types() -> None:
    types = {f"type{n}": TypeLines(lines=100 + n, quarantined={"no time": 100}) for n in range(7)}
    of_day = report(0, 1_000, 700).model_copy(update={"quarantined_types": types})
    problem = find_problems(of_day, lambda _: None, make_game())["is_mostly_valid"]
    all_lines, *of_types = problem.split("; ")
    assert all_lines.startswith("41.2% of the lines")
    assert [text.split(" are ")[0] for text in of_types] == [
        f"100 of {100 + n} lines of the type type{n}" for n in (6, 5, 4, 3, 2)
    ]
