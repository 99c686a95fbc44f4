import datetime as dt
import json

from ds_assets.core.cards import (
    card_text,
    read_card,
)
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets_tests.core.models.card_factories import (
    DAY,
    make_card,
    make_full_card,
    make_lacking_card,
)


def test_hyper_parameters_keep_their_types_in_json() -> None:
    stored = {"learning_rate": 0.05, "num_iterations": 120, "early_stopping": False}
    card = make_card(hyper_parameters=stored)  # cards of earlier versions have switches, too
    again = read_card(ModelCard, card_text(card), "card.json").hyper_parameters
    assert {name: type(value) for name, value in again.items()} == {
        "learning_rate": float,
        "num_iterations": int,
        "early_stopping": bool,
    }


def test_a_card_says_how_good_its_model_is_on_the_latest_snapshot() -> None:
    card = make_full_card()
    assert card.evaluation == card.folds[0]
    assert card.folds[0].measures == card.folds[0].contenders["delivered"]
    assert card.folds[0].base_rate == 330 / 1_100
    assert make_lacking_card().evaluation is None


def test_what_is_missing_is_said_with_its_day() -> None:
    assert make_lacking_card().missing == (
        "not enough data: 41 users who left, 50 are needed; 9 users who stayed, 20 are needed; "
        "expected on 2024-06-05"
    )


def test_a_day_that_nobody_knows_is_not_made_up() -> None:
    missing = make_lacking_card(enough_on=None).missing
    assert missing.endswith("; no estimate available")


def test_days_are_read_as_days() -> None:
    again = read_card(ModelCard, card_text(make_full_card()), "card.json")
    assert (again.as_of, again.folds[0].snapshot) == (DAY, DAY - dt.timedelta(days=14))


def test_a_card_of_an_earlier_version_is_read_without_the_numbers_of_pictures() -> None:
    stored = json.loads(card_text(make_full_card()))
    for name in ("importance", "drifts"):
        del stored[name]
    for fold in stored["folds"]:
        del fold["curves"]
    card = read_card(ModelCard, json.dumps(stored), "card.json")
    assert (card.importance, card.drifts, card.drift) == ({}, {}, {})
    assert card.folds[0].curves is None
