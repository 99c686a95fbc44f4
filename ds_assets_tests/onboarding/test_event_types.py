"""What event types mean is guessed from their names and amounts."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.game import Events
from ds_assets.onboarding.event_types import guess_events

NO_AMOUNT = float("nan")


def events_of(types: list[str], amounts: list[float] | None = None) -> dict[str, Any]:
    numbers = pd.Series(amounts or [NO_AMOUNT] * len(types), dtype=float)
    guesses = guess_events(pd.Series(types, dtype=object), numbers)
    return {it.key.removeprefix("events."): it.value for it in guesses}


@pytest.mark.parametrize(
    "kind",
    [
        *("purchase", "IAP", "in_app_purchase", "Order Completed", "PaymentSuccess", "buy"),
        *("recharge", "compra_aprovada", "Kauf abgeschlossen"),
    ],
)
def test_a_purchase_is_found_by_its_name(kind: str) -> None:
    assert events_of([kind, "play"])["purchases"] == [kind]


@pytest.mark.parametrize(
    "kind",
    [
        "purchase_failed",
        "checkout_started",
        "ad_revenue_impression",
        "border_crossed",
        "reorder",
        "verkauf",
        *("payment_error", "payment_details", "checkout_bug", "order page"),
    ],
)
def test_what_only_sounds_like_a_purchase_is_none(kind: str) -> None:
    assert "purchases" not in events_of([kind, "play"])


def test_a_purchase_is_found_by_its_amounts() -> None:
    assert events_of(["achat", "play"], [2.5, NO_AMOUNT])["purchases"] == ["achat"]


def test_revenue_of_advertisements_is_no_purchase() -> None:
    types = ["ad_impression", "purchase", "play"]
    assert events_of(types, [0.01, 5, NO_AMOUNT])["purchases"] == ["purchase"]


def test_a_refund_is_no_purchase() -> None:
    assert events_of(["refund", "refund"], [2, 3]) == {"refunds": ["refund"]}
    events = events_of(["order", "order_refunded", "chargeback"], [2, -2, -2])
    assert (events["purchases"], events["refunds"]) == (
        ["order"],
        ["order_refunded", "chargeback"],
    )
    assert "refunds" not in events_of(["avoid_trap", "purchase"], [NO_AMOUNT, 2])


@pytest.mark.parametrize(
    "kind",
    ["session_start", "SessionBegin", "app_open", "game_start", "gameStarted", "LOGIN", "Visit"],
)
def test_a_session_is_found_by_its_name(kind: str) -> None:
    assert events_of([kind, "play"])["sessions"] == [kind]


def test_the_clearest_begin_of_a_session_counts() -> None:
    assert events_of(["login", "session_start"])["sessions"] == ["session_start"]


def test_what_happens_to_users_is_no_activity() -> None:
    assert events_of(["push_sent", "play"])["passive"] == ["push_sent"]
    assert "passive" not in events_of(["play"])


def test_frequent_types_are_counted_by_plain_names() -> None:
    assert events_of(["play", "quest"])["counted"] == ["play", "quest"]
    assert events_of(["Play Now", "1st"])["counted"] == {"play_now": "Play Now", "type_1st": "1st"}


@pytest.mark.slow
@given(st.lists(st.tuples(st.text(min_size=1, max_size=60), st.floats(-5, 5) | st.just(NO_AMOUNT))))
def test_every_guess_is_valid(lines: list[tuple[str, float]]) -> None:
    types, amounts = [kind for kind, _ in lines], [amount for _, amount in lines]
    Events.model_validate(events_of(types, amounts))


@pytest.mark.parametrize(
    "kind", ["session_start", "sesStrt", "sessão_iniciada", "sesion_iniciada", "debut_session"]
)
def test_the_begin_of_a_session_is_found_in_other_languages_and_abbreviated(kind: str) -> None:
    assert events_of([kind, "play", "star_collected"])["sessions"] == [kind]
