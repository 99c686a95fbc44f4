import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.cards import (
    card_text,
    library_versions,
    read_card,
    sha256_of,
    version_of,
)
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.errors import InputError
from ds_assets_tests.core.models.card_factories import (
    DAY,
    make_card,
    make_evaluation,
    make_full_card,
    make_measures,
)


@given(st.floats(allow_nan=False, allow_infinity=False), st.text())
def test_a_card_survives_json_exactly(value: float, reason: str) -> None:
    judged = make_evaluation(0, delivered=make_measures(value))
    card = make_full_card().model_copy(
        update={"folds": (judged,), "base_rate": value, "reasons": (reason,)}
    )
    again = read_card(ModelCard, card_text(card), "card.json")
    assert again == card
    assert card_text(again) == card_text(card)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"target": "churn"}', b"\xff\xfe"])
def test_a_damaged_card_is_named(text: str | bytes) -> None:
    with pytest.raises(InputError, match=r"models/churn/card\.json has \d+ mistake"):
        read_card(ModelCard, text, "models/churn/card.json")


def test_every_mistake_in_a_card_is_listed_at_once() -> None:
    text = card_text(make_card()).replace('"horizon": 14', '"horizon": "soon"')
    text = text.replace('"seed": 0', '"seed": "x"')
    with pytest.raises(InputError, match="2 mistakes") as caught:
        read_card(ModelCard, text, "card.json")
    assert "horizon" in str(caught.value)
    assert "seed" in str(caught.value)


def test_a_version_says_what_went_in_and_nothing_else() -> None:
    assert version_of(a=1, day=DAY) == version_of(day=DAY, a=1)
    assert version_of(a=1) != version_of(a=2)
    assert version_of(a=1) != version_of(b=1)
    assert len(version_of(a=1)) == 12


def test_a_hash_does_not_depend_on_how_bytes_are_cut() -> None:
    assert sha256_of([b"ab", memoryview(b"c")]) == sha256_of([b"abc"])


def test_libraries_are_named_with_their_versions() -> None:
    assert {"lightgbm", "scikit-learn", "numpy"} <= set(library_versions())


def test_a_card_knows_no_key_that_it_does_not_name() -> None:
    text = card_text(make_card()).replace('"seed"', '"sead"')
    with pytest.raises(InputError, match="sead"):
        read_card(ModelCard, text, "card.json")
