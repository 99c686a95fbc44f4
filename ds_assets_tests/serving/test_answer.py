"""The one answer about a user: its JSON, its age, and what it is worth."""

import datetime as dt
import json
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.prediction_json import NOTHING, members
from ds_assets.core.tables import PREDICTIONS
from ds_assets.serving.answer import STALE_AFTER, Calendar, Teller, calendar_of, read_answer
from ds_assets_tests.core.factories import make_game
from ds_assets_tests.infra.factories import DAYS, row, table

SEOUL = ZoneInfo("Asia/Seoul")
ACTIVE_DAYS = 10
ZONES = sorted(available_timezones())


def a_calendar(zone: str = "Asia/Seoul") -> Calendar:
    return Calendar(ZoneInfo(zone), ACTIVE_DAYS)


def seoul(day: int, hour: int) -> float:
    return dt.datetime(2026, 3, day, hour, tzinfo=SEOUL).timestamp()


def json_of(**values: Any) -> bytes:
    (found,) = members(table(row("a", **values)).to_batches()[0])
    return found


def test_the_calendar_of_a_game_is_its_own() -> None:
    game = make_game(time_zone="Asia/Seoul", active_days=14)
    assert calendar_of(game) == Calendar(SEOUL, 14)


def test_an_answer_says_of_itself_what_it_is_and_then_what_is_predicted() -> None:
    stored = row("ü \"🎮'\\", cluster_name="naïve 🎮", churn_probability=None)
    (told,) = members(table(stored).to_batches()[0])
    day, now = DAYS[0].toordinal(), int(seoul(2, 1))
    teller = Teller(a_calendar(), day, now)
    found = teller.tell(stored["user_id"], "table", day, told, is_sure=True)
    said = json.loads(found)
    assert list(said) == ["user_id", "status", "source", "age_seconds", *PREDICTIONS.names[1:]]
    assert list(said.values())[:4] == [stored["user_id"], "ok", "table", 3_600]
    read = read_answer(found)
    assert (read.user_id, read.status, read.source) == (stored["user_id"], "ok", "table")
    assert read.age_seconds == 3_600
    stored |= {name: json.loads(stored[name]) for name in ("churn_reasons", "payment_reasons")}
    assert {"user_id": read.user_id, **read.values} == stored


def test_an_answer_about_nobody_has_no_day_and_no_age() -> None:
    teller = Teller(a_calendar(), 0, 0)
    read = read_answer(teller.tell_default("b", 0, NOTHING, is_sure=True))
    assert (read.status, read.source, read.age_seconds) == ("unknown_user", "default", None)
    assert read.values == dict.fromkeys(PREDICTIONS.names[1:])
    unsure = read_answer(teller.tell_default("b", 0, NOTHING, is_sure=False))
    assert unsure.status == "not_enough_data"


predictions = st.tuples(
    st.sampled_from(["cache", "table", "live"]),
    st.integers(-15, 2),
    st.sampled_from([None, 0.25]),
    st.integers(0, 20),
    st.booleans(),
)


@given(told=st.lists(predictions, max_size=20), hours=st.integers(0, 100))
def test_many_answers_of_a_moment_are_each_what_one_alone_would_be(
    told: list[tuple[Any, int, float | None, int, bool]], hours: int
) -> None:
    calendar, newest = a_calendar(), DAYS[0].toordinal()
    now = int(seoul(2, 0)) + hours * 3_600
    teller = Teller(calendar, newest, now)
    for source, offset, chance, ago, is_sure in told:
        day = newest + offset
        seen = dt.date.fromordinal(day - ago)
        content = json_of(churn_probability=chance, payment_probability=chance, last_seen=seen)
        found = read_answer(teller.tell("a", source, day, content, is_sure=is_sure))
        status = calendar.status(day, newest, now, content)
        if status == "inactive" and not is_sure:
            status = "stale"
        assert (found.status, found.source) == (status, source)
        assert found.age_seconds == calendar.age(day, now)
        assert found.values["last_seen"] == seen


@pytest.mark.parametrize(
    ("now", "age"),
    [
        (seoul(2, 0), 0),
        (seoul(4, 6), 54 * 3_600),
        (dt.datetime(2026, 3, 1, 16, tzinfo=dt.UTC).timestamp(), 3_600),
        (seoul(1, 12), 0),
    ],
)
def test_age_counts_from_the_end_of_the_day_where_the_game_is(now: float, age: int) -> None:
    assert a_calendar().age(DAYS[0].toordinal(), now) == age


def test_age_counts_real_seconds_when_the_clocks_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    now = dt.datetime(2026, 3, 30, tzinfo=berlin).timestamp()  # the day before had 23 hours
    day = dt.date(2026, 3, 28).toordinal()
    assert a_calendar("Europe/Berlin").age(day, now) == 23 * 3_600


@given(
    zone=st.sampled_from(ZONES),
    day=st.dates(dt.date(1990, 1, 1), dt.date(2060, 1, 1)),
    later=st.integers(-(10**9), 10**9),
)
def test_age_is_never_negative_never_falls_and_counts_from_the_last_moment_of_the_day(
    zone: str, day: dt.date, later: int
) -> None:
    calendar, place = a_calendar(zone), ZoneInfo(zone)
    noon = dt.datetime.combine(day, dt.time(12), place).timestamp()
    first = next(
        second
        for second in range(int(noon), int(noon) + 40 * 3_600, 60)
        if dt.datetime.fromtimestamp(second, place).date() > day
    )
    number = day.toordinal()
    assert calendar.age(number, noon) == 0
    assert calendar.age(number, first) <= 60
    assert calendar.age(number, first + 3_600) >= 3_600
    assert 0 <= calendar.age(number, noon + later) <= calendar.age(number, noon + later + 60)


@pytest.mark.parametrize(
    ("churn", "payment", "status"),
    [(None, None, "not_enough_data"), (None, 0.1, "ok"), (0.0, None, "ok")],
)
def test_a_user_without_any_probability_has_not_enough_data(
    churn: float | None, payment: float | None, status: str
) -> None:
    told = json_of(churn_probability=churn, payment_probability=payment)
    day = DAYS[0].toordinal()
    assert a_calendar().status(day, day, seoul(2, 0), told) == status


def test_the_newest_day_goes_stale_with_time() -> None:
    day, told = DAYS[0].toordinal(), json_of()
    end = seoul(2, 0) + STALE_AFTER.total_seconds()
    assert a_calendar().status(day, day, end, told) == "ok"
    assert a_calendar().status(day, day, end + 1, told) == "stale"
    assert a_calendar().status(day, day - 1, end, told) == "ok"


@given(ago=st.integers(0, 30), behind=st.integers(1, 30))
def test_who_is_not_of_the_newest_day_is_inactive_from_the_day_on_that_is_too_late(
    ago: int, behind: int
) -> None:
    day = DAYS[0].toordinal()
    told = json_of(last_seen=DAYS[0] - dt.timedelta(ago))
    expected = "inactive" if ago + behind >= ACTIVE_DAYS else "stale"
    assert a_calendar().status(day, day + behind, seoul(2, 0), told) == expected


def test_without_a_day_of_having_been_seen_an_old_prediction_is_stale() -> None:
    day, told = DAYS[0].toordinal(), json_of(last_seen=None)
    assert a_calendar().status(day, day + 100, seoul(2, 0), told) == "stale"
