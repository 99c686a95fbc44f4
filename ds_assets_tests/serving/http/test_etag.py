"""The entity tag of an answer: it changes with what the answer says, and with its age by steps."""

import datetime as dt
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.prediction_json import NO_PREDICTION, encode_record
from ds_assets.serving.answer import Answer, AnswerEncoder, Calendar, Source
from ds_assets.serving.http.etag import AGE_STEP_S, tag_of
from ds_assets_tests.infra.factories import DAYS, row
from ds_assets_tests.serving.factories import ACTIVE_DAYS, end_of

CALENDAR = Calendar(dt.UTC, ACTIVE_DAYS)


def answer(age: int = 5, user_id: str = "u1", source: Source = "cache", **values: Any) -> Answer:
    prediction = encode_record(row(user_id, **values))
    now = int(end_of(DAYS[0])) + age
    encoder = AnswerEncoder(CALENDAR, prediction.as_of, now)
    return encoder.encode(user_id, source, prediction, is_conclusive=True)


def unknown(*, is_conclusive: bool) -> Answer:
    encoder = AnswerEncoder(CALENDAR, 0, 0)
    return encoder.encode_default("u1", 0, NO_PREDICTION, is_conclusive=is_conclusive)


def test_a_tag_is_a_weak_one() -> None:
    assert tag_of(answer()).startswith('W/"')
    assert tag_of(answer()).endswith('"')


@given(age=st.integers(0, 10**9))
def test_it_changes_with_the_age_by_the_minute_only(age: int) -> None:
    start = age - age % AGE_STEP_S
    assert (tag_of(answer(age)) == tag_of(answer(start))) == (
        answer(age).header.status == answer(start).header.status
    )
    assert tag_of(answer(start + AGE_STEP_S)) != tag_of(answer(start))


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_it_changes_with_everything_else(text: str) -> None:
    assert (tag_of(answer(cluster_name=text)) == tag_of(answer(cluster_name="some"))) == (
        text == "some"
    )
    assert (tag_of(answer(user_id=text)) == tag_of(answer(user_id="u1"))) == (text == "u1")
    assert tag_of(answer(source="table")) != tag_of(answer(source="cache"))
    assert tag_of(unknown(is_conclusive=True)) != tag_of(unknown(is_conclusive=False))


def test_an_answer_without_an_age_has_a_tag_too() -> None:
    assert tag_of(unknown(is_conclusive=True)) == tag_of(unknown(is_conclusive=True))
    assert tag_of(unknown(is_conclusive=True)) != tag_of(answer())
