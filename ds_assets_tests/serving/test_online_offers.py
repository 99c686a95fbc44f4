"""Offers by user, as those who answer look them up."""

from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.user_offers import select_offers
from ds_assets.serving.online_offers import OnlineOffers
from ds_assets_tests.infra.factories import assignment, assignments, control, offer

USERS = st.text("aü🎮", min_size=1, max_size=3)
PROMOTED = ("first", "second")


@given(st.dictionaries(USERS, st.sets(st.sampled_from(PROMOTED), min_size=1)), USERS)
def test_a_user_has_the_offers_of_that_user_in_the_order_of_priority(
    promoted: dict[str, set[str]], other: str
) -> None:
    rows = [
        assignment(user, promotion=name, offer=name)
        for user, names in promoted.items()
        for name in names
    ]
    offers = OnlineOffers(select_offers(assignments(*rows, control("kept")), PROMOTED))
    for user in (*promoted, other, "kept"):
        names = promoted.get(user, ())
        assert offers.find(user) == [offer(name, user) for name in PROMOTED if name in names]
