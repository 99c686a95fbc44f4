import datetime as dt

import pytest

from ds_assets.core.promotions.uplift.card import UpliftCard
from ds_assets.core.promotions.uplift.markdown import describe_uplift_pictures, format_uplift_card
from ds_assets.core.promotions.uplift.pictures import draw_uplift
from ds_assets.core.promotions.uplift.release import train_uplift
from ds_assets.core.promotions.uplift.training import Value
from ds_assets_tests.core.promotions.uplift.factories import (
    as_promotion,
    helps_all_alike,
    make_trial,
)

DAY = dt.date(2026, 5, 1)


@pytest.fixture(scope="module")
def card() -> UpliftCard:
    return train_uplift(as_promotion(make_trial(rows=2_500)), DAY, Value(cost=0.5)).card


def test_the_page_names_effects_groups_and_the_policy(card: UpliftCard) -> None:
    page = format_uplift_card(card)
    for words in (
        "**welcome_back**: its effect on each user, towards less churn, as of 2026-05-01.",
        "Effects differ between users beyond noise. Calibration slope",
        "persuadable: do what is wanted because of it",
        "sleeping dog: would have done it without",
        "Users are chosen by expected profit",
        "| by risk |",
    ):
        assert words in page
    assert page.count("| tenth by predicted effect |") == 2


def test_the_page_claims_no_order_where_effects_do_not_differ() -> None:
    rows = as_promotion(make_trial(helps_all_alike, rows=1_500))
    page = format_uplift_card(train_uplift(rows, DAY, Value(cost=0.5)).card)
    assert "no order is claimed to be better" in page
    assert "The rule chooses all who qualify: effects do not differ" in page
    assert "persuadable" not in page


def test_the_page_says_what_is_missing_for_a_model() -> None:
    card = train_uplift(as_promotion(make_trial(rows=100), days=1), DAY, Value()).card
    page = format_uplift_card(card)
    assert "There is no model yet: matured assignments of 1 day, where 2 are needed" in page
    assert not draw_uplift(card)
    assert not describe_uplift_pictures(card)


def test_every_picture_is_a_png_with_words(card: UpliftCard) -> None:
    pictures = draw_uplift(card)
    assert pictures.keys() == describe_uplift_pictures(card).keys() == {"qini", "tenths"}
    assert all(png.startswith(b"\x89PNG") for png in pictures.values())
