"""Attributes of users, and numbers that are summed, are found by names and values."""

from typing import Any

import pytest

from ds_assets.onboarding.attributes import guess_attributes
from ds_assets_tests.onboarding.games import make_lines, play


def guessed(**more: Any) -> dict[str, Any]:
    return {it.key: it.value for it in guess_attributes(make_lines(play(**more)), ["user_id"])}


@pytest.mark.parametrize(
    ("field", "attribute"),
    [
        ("country", "country"),
        ("geo_country_code", "country"),
        ("Platform", "platform"),
        ("os_name", "os"),
        ("locale", "language"),
        ("media_source", "channel"),
        ("device_model", "device"),
        ("país", "country"),
        ("ctry", "country"),
        ("plat", "platform"),
    ],
)
def test_a_text_of_few_values_is_an_attribute(field: str, attribute: str) -> None:
    guesses = guessed(**{field: lambda n: f"v{n % 3}"})
    assert guesses == {f"attributes.{attribute}": {"field": field}}


@pytest.mark.parametrize("value", ["the same", None, 7, lambda n: f"id{n}", lambda n: [n]])
def test_a_constant_a_number_or_an_id_is_none(value: Any) -> None:
    assert guessed(country=value) == {}


@pytest.mark.parametrize("field", ["level", "Player Level", "lvl"])
def test_a_level_is_a_number(field: str) -> None:
    level = {"field": field, "type": "number"}
    assert guessed(**{field: lambda n: n % 9}) == {"attributes.level": level}
    assert guessed(**{field: lambda n: f"stage {n % 9}"}) == {}


def test_a_number_is_no_attribute_that_is_abbreviated() -> None:
    assert guessed(cou=lambda n: f"{n % 3}") == {}


def test_durations_and_scores_are_summed_unless_they_are_totals() -> None:
    guesses = guessed(battle_duration=3, Score=lambda n: f"{n}", total_playtime=9, is_score=True)
    assert guesses == {
        "properties.battle_duration": "battle_duration",
        "properties.score": "Score",
    }
