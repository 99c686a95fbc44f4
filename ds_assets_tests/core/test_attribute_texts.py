from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.attribute_texts import MAX_ATTRIBUTE_LENGTH, shorten

LONG_TEXTS = st.text(min_size=MAX_ATTRIBUTE_LENGTH + 1, max_size=400)


@given(st.text(max_size=MAX_ATTRIBUTE_LENGTH))
def test_a_text_within_the_bound_stays_as_it_is(text: str) -> None:
    assert shorten(text) == text


@given(LONG_TEXTS)
def test_a_longer_text_keeps_its_beginning_and_is_cut_once(text: str) -> None:
    short = shorten(text)
    assert len(short) == MAX_ATTRIBUTE_LENGTH
    assert short.startswith(text[:80])
    assert shorten(short) == short


def test_texts_that_differ_only_at_their_ends_stay_different() -> None:
    assert shorten("x" * 70_000 + "a") != shorten("x" * 70_000 + "b")
