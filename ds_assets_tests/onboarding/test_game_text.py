"""Guesses are written as YAML with their evidence."""

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.onboarding.game_text import write_game_text
from ds_assets.onboarding.guess import Guess

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUES = st.recursive(
    TEXTS | st.integers() | st.dates() | st.booleans(),
    lambda it: st.lists(it, max_size=3) | st.dictionaries(TEXTS, it, max_size=3),
    max_leaves=5,
)


@given(TEXTS, VALUES, VALUES, TEXTS)
def test_any_value_is_read_back(name: str, first: Any, second: Any, evidence: str) -> None:
    guesses = [
        Guess("key", first, evidence),
        Guess("section.a", second, evidence, is_certain=False),
        Guess("section.b", 1, evidence),
    ]
    read = yaml.safe_load(write_game_text(name, guesses, None))
    assert read == {"name": name, "key": first, "section": {"a": second, "b": 1}}


def test_keys_of_one_section_stand_in_it_at_any_depth() -> None:
    keys = ("a.b", "a.c.d", "a.c.e.f", "a.g", "h")
    text = write_game_text("A game", [Guess(key, 1, "") for key in keys], None)
    assert yaml.safe_load(text) == {
        "name": "A game",
        "a": {"b": 1, "c": {"d": 1, "e": {"f": 1}}, "g": 1},
        "h": 1,
    }


def test_a_key_has_its_evidence_above_it() -> None:
    guesses = [Guess("fields.user_id", "u", "in all lines"), Guess("a", 1, "why", is_certain=False)]
    text = write_game_text("A game", guesses, "a service")
    assert "\nfields:\n  # in all lines\n  user_id: u\n" in text
    assert "\n# PLEASE CHECK: why\na: 1\n" in text
    assert "recognized as an export of a service" in text
