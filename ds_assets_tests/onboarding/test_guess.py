"""Values are shown without harm, and names are compared by their words and abbreviations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.onboarding.guess import is_abbreviation, plain_name, show_value


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("SessionStart", "session_start"),
        ("sessão iniciada", "sessao_iniciada"),
        ("[App] Opened", "_app_opened"),
    ],
)
def test_a_plain_name_has_underscores_between_words_and_no_accents(text: str, name: str) -> None:
    assert plain_name(text) == name


@pytest.mark.parametrize(
    ("name", "word"),
    [("ctry", "country"), ("plat", "platform"), ("prc", "price"), ("ses", "session")],
)
def test_an_abbreviation_is_a_beginning_or_has_no_vowels(name: str, word: str) -> None:
    assert is_abbreviation(name, word)


@pytest.mark.parametrize(
    ("name", "word"), [("co", "country"), ("pie", "price"), ("try", "country"), ("prx", "price")]
)
def test_other_names_are_no_abbreviations(name: str, word: str) -> None:
    assert not is_abbreviation(name, word)


@given(st.text())
def test_a_shown_value_is_short_and_controls_no_terminal(text: str) -> None:
    assert len(show_value(text)) <= 40
    assert show_value(text).isprintable()
