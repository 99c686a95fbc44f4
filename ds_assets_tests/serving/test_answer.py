"""The answer about a user: its JSON, age and status."""

import datetime as dt
import json
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.prediction_json import NO_PREDICTION, EncodedPrediction, encode_rows
from ds_assets.core.tables import PREDICTIONS
from ds_assets.serving.answer import STALE_AFTER, AnswerEncoder, Calendar, calendar_of
from ds_assets_tests.core.factories import make_game
from ds_assets_tests.infra.factories import DAYS, offer, row, table, table_with_offers

SEOUL = ZoneInfo("Asia/Seoul")
ACTIVE_DAYS = 10
ZONES = sorted(available_timezones())


def a_calendar(zone: str = "Asia/Seoul") -> Calendar:
    return Calendar(ZoneInfo(zone), ACTIVE_DAYS)


def seoul(day: int, hour: int) -> float:
    return dt.datetime(2026, 3, day, hour, tzinfo=SEOUL).timestamp()


def predicted(as_of: dt.date = DAYS[0], **values: Any) -> EncodedPrediction:
    (prediction,) = encode_rows(table(row("a", as_of, **values)).to_batches()[0])
    return prediction


def test_the_calendar_of_a_game_is_its_own() -> None:
    last_day = dt.date(2026, 12, 31)
    game = make_game(time_zone="Asia/Seoul", active_days=14, last_day=last_day)
    assert calendar_of(game) == Calendar(SEOUL, 14, last_day)


@pytest.mark.parametrize(
    ("day", "hour", "last_day", "lag_days"),
    [
        (1, 23, None, 0),  # the day itself
        (2, 0, None, 0),
        (2, 23, None, 0),  # the next day is not over yet
        (3, 0, None, 1),
        (31, 1, None, 29),
        (31, 1, dt.date(2026, 3, 1), 0),  # the game has ended since
        (31, 1, dt.date(2026, 3, 4), 3),
        (31, 1, dt.date(2026, 12, 31), 29),
    ],
)
def test_a_day_lags_behind_the_newest_day_of_the_game_that_has_ended(
    day: int, hour: int, last_day: dt.date | None, lag_days: int
) -> None:
    calendar = Calendar(SEOUL, ACTIVE_DAYS, last_day)
    as_of = dt.date(2026, 3, 1).toordinal()
    assert calendar.lag_days(as_of, seoul(day, hour)) == lag_days


@pytest.mark.parametrize(("hour", "offers"), [(23, ["bundle", "gems"]), (24, ["gems"]), (48, [])])
def test_an_offer_is_in_an_answer_through_its_last_day_in_the_games_zone(
    hour: int, offers: list[str]
) -> None:
    own = [offer(until=DAYS[1]), offer("gems", until=DAYS[2])]
    (prediction,) = encode_rows(table_with_offers(row("a", promotions=own)).to_batches()[0])
    now = int(seoul(2, 0)) + 3_600 * hour
    encoder = AnswerEncoder(a_calendar(), DAYS[0].toordinal(), now)
    answer = encoder.encode("a", "cache", prediction, is_conclusive=True)
    assert [it["offer"] for it in json.loads(answer.to_json()).get("promotions", [])] == offers
    assert answer.to_prediction().values.get("promotions", []) == own[2 - len(offers) :]


def test_an_answer_says_what_it_is_and_then_what_is_predicted() -> None:
    stored = row("ü \"🎮'\\", cluster_name="naïve 🎮", churn_probability=None)
    (prediction,) = encode_rows(table(stored).to_batches()[0])
    encoder = AnswerEncoder(a_calendar(), DAYS[0].toordinal(), int(seoul(2, 1)))
    answer = encoder.encode(stored["user_id"], "table", prediction, is_conclusive=True)
    parsed = json.loads(answer.to_json())
    assert list(parsed) == ["user_id", "status", "source", "age_seconds", *PREDICTIONS.names[1:]]
    assert list(parsed.values())[:4] == [stored["user_id"], "ok", "table", 3_600]
    plain = answer.to_prediction()
    assert (plain.user_id, plain.status, plain.source) == (stored["user_id"], "ok", "table")
    assert plain.age_seconds == 3_600
    stored |= {name: json.loads(stored[name]) for name in ("churn_reasons", "payment_reasons")}
    assert {"user_id": plain.user_id, **plain.values} == stored


def test_an_answer_about_an_unknown_user_has_no_day_and_no_age() -> None:
    encoder = AnswerEncoder(a_calendar(), 0, 0)
    answer = encoder.encode_default("b", 0, NO_PREDICTION, is_conclusive=True)
    assert json.loads(answer.to_json())["age_seconds"] is None
    plain = answer.to_prediction()
    assert (plain.status, plain.source, plain.age_seconds) == ("unknown_user", "default", None)
    assert plain.values == dict.fromkeys(PREDICTIONS.names[1:])
    unsure = encoder.encode_default("b", 0, NO_PREDICTION, is_conclusive=False)
    assert unsure.header.status == "not_enough_data"


predictions = st.tuples(
    st.sampled_from(["cache", "table", "live"]),
    st.integers(-15, 2),
    st.sampled_from([None, 0.25]),
    st.sampled_from(["1", "early-1"]),
    st.integers(0, 20),
    st.booleans(),
)


@pytest.mark.slow
@given(drawn=st.lists(predictions, max_size=20), hours=st.integers(0, 100))
def test_answers_of_the_same_second_are_each_what_one_alone_would_be(
    drawn: list[tuple[Any, int, float | None, str, int, bool]], hours: int
) -> None:
    calendar, newest = a_calendar(), DAYS[0].toordinal()
    now = int(seoul(2, 0)) + hours * 3_600
    encoder = AnswerEncoder(calendar, newest, now)
    for source, offset, chance, model, ago, is_conclusive in drawn:
        day = DAYS[0] + dt.timedelta(offset)
        last_seen = day - dt.timedelta(ago)
        sigmoid = {"churn_probability": chance, "payment_probability": chance}
        models = {"churn_model": model, "payment_model": model}
        prediction = predicted(day, **sigmoid, **models, last_seen=last_seen)
        answer = encoder.encode("a", source, prediction, is_conclusive=is_conclusive)
        status = calendar.status(prediction, newest, now)
        if status == "inactive" and not is_conclusive:
            status = "stale"
        parsed = json.loads(answer.to_json())
        assert (parsed["status"], parsed["source"]) == (status, source)
        assert parsed["age_seconds"] == calendar.age(day.toordinal(), now)
        assert parsed["last_seen"] == last_seen.isoformat()


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
    prediction = predicted(churn_probability=churn, payment_probability=payment)
    assert a_calendar().status(prediction, DAYS[0].toordinal(), seoul(2, 0)) == status


@pytest.mark.parametrize(
    ("churn_model", "payment_model", "status"),
    [("early-1", "early-2", "early"), ("early-1", "2", "ok"), ("1", "2", "ok")],
)
def test_a_user_whose_probabilities_are_all_early_ones_has_an_early_answer(
    churn_model: str, payment_model: str, status: str
) -> None:
    prediction = predicted(churn_model=churn_model, payment_model=payment_model)
    assert a_calendar().status(prediction, DAYS[0].toordinal(), seoul(2, 0)) == status


def test_a_missing_probability_does_not_make_an_early_answer_ok() -> None:
    prediction = predicted(churn_model="early-1", payment_probability=None)
    assert a_calendar().status(prediction, DAYS[0].toordinal(), seoul(2, 0)) == "early"


def test_an_early_answer_that_is_too_old_is_stale() -> None:
    prediction = predicted(churn_model="early-1", payment_model="early-2")
    end = seoul(2, 0) + STALE_AFTER.total_seconds()
    assert a_calendar().status(prediction, DAYS[0].toordinal(), end + 1) == "stale"


def test_the_newest_day_goes_stale_with_time() -> None:
    day, prediction = DAYS[0].toordinal(), predicted()
    end = seoul(2, 0) + STALE_AFTER.total_seconds()
    assert a_calendar().status(prediction, day, end) == "ok"
    assert a_calendar().status(prediction, day, end + 1) == "stale"
    assert a_calendar().status(prediction, day - 1, end) == "ok"


@given(ago=st.integers(0, 30), behind=st.integers(1, 30))
def test_a_user_without_a_prediction_of_the_newest_day_is_inactive_once_unseen_for_too_long(
    ago: int, behind: int
) -> None:
    prediction = predicted(last_seen=DAYS[0] - dt.timedelta(ago))
    expected = "inactive" if ago + behind >= ACTIVE_DAYS else "stale"
    newest = DAYS[0].toordinal() + behind
    assert a_calendar().status(prediction, newest, seoul(2, 0)) == expected


def test_an_old_prediction_without_last_seen_is_stale() -> None:
    newest = DAYS[0].toordinal() + 100
    assert a_calendar().status(predicted(last_seen=None), newest, seoul(2, 0)) == "stale"
