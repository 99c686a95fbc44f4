"""A user's offers beside the user's predictions: all of them, in order, and nothing of an arm."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.user_offers import PROMOTIONS, join_offers, select_offers
from ds_assets_tests.infra.factories import assignment, assignments, control, offer, row, table

PROMOTED = ("first", "second", "third")


def offers_of(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    offers: list[dict[str, Any]] = select_offers(assignments(*rows), PROMOTED).to_pylist()
    return offers


@given(
    predicted=st.sets(st.text("aü🎮", min_size=1, max_size=3)),
    promoted=st.dictionaries(
        st.text("aü🎮", min_size=1, max_size=3), st.sets(st.sampled_from(PROMOTED))
    ),
    size=st.integers(1, 5),
)
def test_each_predicted_user_has_the_offers_of_that_user_however_predictions_are_cut_into_batches(
    predicted: set[str], promoted: dict[str, set[str]], size: int
) -> None:
    in_effect = assignments(
        *(
            assignment(user, promotion=promotion, offer=promotion)
            for user, own in promoted.items()
            for promotion in own
        )
    )
    predictions = table(*map(row, sorted(predicted)))
    offers = select_offers(in_effect, PROMOTED)
    batches = join_offers(predictions.to_batches(size), offers)
    joined = [record for batch in batches for record in batch.to_pylist()]
    assert {record["user_id"]: record.pop(PROMOTIONS) for record in joined} == {
        user: [offer(name, user) for name in PROMOTED if name in promoted.get(user, ())]
        for user in predicted
    }
    assert joined == predictions.to_pylist()


def test_a_user_that_is_kept_without_an_offer_is_like_one_whom_no_promotion_concerns() -> None:
    assert offers_of(control("a"), control("b", arm="holdout"), assignment("c")) == [
        {"user_id": "c", **offer(user_id="c")}
    ]


def test_offers_are_in_the_order_of_priority_and_say_nothing_of_the_arm() -> None:
    before = assignment("a", promotion="first", arm="as_before", offer="old bundle")
    shown = offers_of(assignment("a", promotion="second"), before)
    assert [it["offer"] for it in shown] == ["old bundle", "bundle"]
    assert {name for it in shown for name in it} == {"user_id", "offer", "assignment_id", "until"}
