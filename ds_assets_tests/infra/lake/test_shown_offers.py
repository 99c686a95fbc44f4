"""Reports that offers were shown, in every kind of lake."""

import datetime as dt

from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.shown_offers import ShownOffer, read_shown_offers, store_shown_offers
from ds_assets_tests.infra.factories import DAYS

SHOWN_AT = dt.datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=dt.timezone(dt.timedelta(hours=9)))


def test_what_is_stored_of_a_day_is_read_back(lake: Lake) -> None:
    offers = [ShownOffer(user, f"{user}-1", SHOWN_AT) for user in ("a", "ü🎮", '"')]
    store_shown_offers(offers[:2], DAYS[0], lake)
    store_shown_offers(offers[2:], DAYS[0], lake)
    store_shown_offers(offers, DAYS[1], lake)
    assert sorted(read_shown_offers(DAYS[0], lake), key=offers.index) == offers
    assert read_shown_offers(DAYS[2], lake) == []


def test_a_user_id_is_read_in_the_form_in_which_it_is_stored(lake: Lake) -> None:
    store_shown_offers([ShownOffer("123.0", "a1", SHOWN_AT)], DAYS[0], lake)
    assert [it.user_id for it in read_shown_offers(DAYS[0], lake)] == ["123"]
