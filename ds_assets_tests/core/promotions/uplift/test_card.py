import datetime as dt

from ds_assets.core.cards import card_text, read_card
from ds_assets.core.promotions.uplift.card import UpliftCard
from ds_assets.core.promotions.uplift.release import train_uplift
from ds_assets.core.promotions.uplift.training import Value
from ds_assets_tests.core.promotions.uplift.factories import as_promotion, make_trial


def test_a_card_is_read_as_it_was_written() -> None:
    rows = as_promotion(make_trial(rows=900))
    card = train_uplift(rows, dt.date(2026, 5, 1), Value(cost=0.5)).card
    assert card.state == "ready"
    assert read_card(UpliftCard, card_text(card), "of a test") == card
