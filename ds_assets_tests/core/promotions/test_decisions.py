import datetime as dt

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.promotions.assignment import is_withdrawn
from ds_assets.core.promotions.decisions import (
    Choice,
    PromotionDecision,
    Withdrawal,
    find_withdrawals,
    newest_decisions,
    read_name,
)
from ds_assets.core.stored_documents import read_document
from ds_assets_tests.core.promotions.factories import day_of

AT = dt.datetime(2026, 3, 1, 9, tzinfo=dt.UTC)


def decide(
    choice: Choice, hour: int = 0, since: int | None = None, promotion: str = "bundle"
) -> PromotionDecision:
    return PromotionDecision(
        promotion=promotion,
        choice=choice,
        reason="too generous",
        by="anna",
        at=AT + dt.timedelta(hours=hour),
        since=None if since is None else day_of(since),
    )


def withdrawals(*decisions: PromotionDecision) -> list[Withdrawal]:
    return [*find_withdrawals(it.name for it in decisions)]


def test_the_newest_decision_counts_and_a_record_is_read_as_it_was_written() -> None:
    paused, resumed = decide(Choice.PAUSED), decide(Choice.RESUMED, 1, since=4)
    other = "other.20260301T090000000000.paused.json"
    strays = ["stray", ".x", "bundle.now.paused.json", "bundle.20260401T090000000000.gone.json"]
    newest = newest_decisions([resumed.name, paused.name, other, *strays])
    assert {name: it.file for name, it in newest.items()} == {
        "bundle": resumed.name,
        "other": other,
    }
    assert read_document(PromotionDecision, paused.model_dump_json(), "here") == paused


@given(
    st.sampled_from(Choice),
    st.integers(0, 10**16),
    st.none() | st.dates(),
)
def test_a_name_says_what_was_decided_when_and_since_when(
    choice: Choice, microseconds: int, since: dt.date | None
) -> None:
    at = AT + dt.timedelta(microseconds=microseconds)
    decision = decide(choice).model_copy(update={"at": at, "since": since})
    name = read_name(decision.name)
    assert name is not None
    assert (name.promotion, name.choice, name.at, name.since) == ("bundle", choice, at, since)


def test_a_withdrawal_lasts_until_the_promotion_is_resumed_whatever_else_is_decided() -> None:
    withdrawn, paused = decide(Choice.WITHDRAWN, 1, since=2), decide(Choice.PAUSED, 2)
    (withdrawal,) = withdrawals(withdrawn, paused, decide(Choice.RESUMED, 3, 9, "other"))
    assert withdrawal == Withdrawal("bundle", day_of(2), dt.date.max, withdrawn.at)
    assert withdrawal.is_open
    decisions = [decide(Choice.RESUMED, hour, since=hour) for hour in (0, 5, 8)]
    (withdrawal,) = withdrawals(withdrawn, paused, *decisions)
    assert withdrawal == Withdrawal("bundle", day_of(2), day_of(5), withdrawn.at)


def test_a_promotion_may_be_withdrawn_again_and_what_was_withdrawn_stays_so() -> None:
    decisions = [
        decide(choice, number, since=2 * number)
        for number, choice in enumerate([Choice.WITHDRAWN, Choice.RESUMED, Choice.WITHDRAWN])
    ]
    days = pd.DataFrame({"promotion": "bundle", "as_of": [day_of(number) for number in range(6)]})
    taken_back = withdrawals(*decisions)
    assert [*is_withdrawn(days, taken_back)] == [True, True, False, False, True, True]
    assert not is_withdrawn(days.assign(promotion="other"), taken_back).any()
    assert is_withdrawn(days.head(0), taken_back).empty


def test_a_withdrawal_that_is_repeated_takes_nothing_back_from_the_first_one() -> None:
    first, again = decide(Choice.WITHDRAWN, 1, since=2), decide(Choice.WITHDRAWN, 2, since=6)
    resumed = decide(Choice.RESUMED, 3, since=7)
    days = pd.DataFrame({"promotion": "bundle", "as_of": [day_of(number) for number in range(9)]})
    taken_back = withdrawals(resumed, again, first)
    assert [*is_withdrawn(days, taken_back)] == [2 <= number < 7 for number in range(9)]
