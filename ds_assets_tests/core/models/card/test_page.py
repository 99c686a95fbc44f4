import pytest

from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.models.card.page import explain_numbers, list_numbers
from ds_assets_tests.core.models.card_factories import make_card, make_full_card, make_lacking_card

CARDS = [make_card(), make_full_card(), make_lacking_card()]


@pytest.mark.parametrize("card", CARDS)
def test_every_number_is_short_and_explained_and_none_is_empty(card: ModelCard) -> None:
    numbers = list_numbers(card)
    explained = {row.number: row for row in explain_numbers(card)}
    assert set(explained) == set(numbers)
    for name, number in numbers.items():
        assert number is not None
        assert number != ""
        assert explained[name].meaning
        if isinstance(number, float):
            assert number == round(number, 4)


def test_numbers_are_those_of_the_card() -> None:
    numbers = list_numbers(make_full_card())
    assert (numbers["auc"], numbers["drift"], numbers["training_rows"]) == (0.75, 0.412, 2_100)
    assert "reasons" not in numbers
    rows = {row.number: row for row in explain_numbers(make_full_card())}
    assert (rows["auc"].value, rows["auc"].interval) == (
        "0.75",
        "0.700\u00a0to\u00a00.800",
    )
    assert (rows["training_rows"].value, rows["training_rows"].interval) == ("2,100", "")


def test_a_card_without_a_model_has_its_reasons_and_no_measures() -> None:
    numbers = list_numbers(make_lacking_card())
    assert numbers["state"] == "not_enough_data"
    assert str(numbers["reasons"]).startswith("41 users who left, 50 are needed; ")
    assert not {"auc", "drift"} & set(numbers)
