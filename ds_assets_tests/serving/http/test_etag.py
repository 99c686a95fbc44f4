import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ds_assets.serving.http.etag import STEP_SECONDS, tag_of


def answer(age: int | None, **values: Any) -> bytes:
    told = {"user_id": "u1", "status": "ok", "age_seconds": age, "cluster": 1}
    return json.dumps(told | values, separators=(",", ":")).encode()


def test_a_tag_is_a_weak_one() -> None:
    assert tag_of(answer(5)).startswith('W/"')
    assert tag_of(answer(5)).endswith('"')


@given(age=st.integers(0, 10**9))
def test_it_changes_with_the_age_by_the_minute_only(age: int) -> None:
    start = age - age % STEP_SECONDS
    assert tag_of(answer(age)) == tag_of(answer(start))
    assert tag_of(answer(start + STEP_SECONDS)) != tag_of(answer(start))


@given(text=st.text(max_size=20))
def test_it_changes_with_everything_else(text: str) -> None:
    assert (tag_of(answer(5, status=text)) == tag_of(answer(5))) == (text == "ok")
    assert tag_of(answer(5, cluster=text)) != tag_of(answer(5))
    assert tag_of(answer(5, user_id=text)) != tag_of(answer(5)) or text == "u1"


def test_what_looks_like_an_age_inside_of_a_text_is_none() -> None:
    def tag(number: int) -> str:
        return tag_of(answer(None, status=f'"age_seconds":{number},'))

    assert tag(1) != tag(2)


def test_an_answer_without_an_age_has_a_tag_too() -> None:
    assert tag_of(answer(None)) != tag_of(answer(0))
    assert tag_of(b"{}") == tag_of(b"{}")
