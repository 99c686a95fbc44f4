"""Currencies get worths by which their median purchases are alike."""

from typing import Any

import pandas as pd
import pytest

from ds_assets.onboarding.currencies import find_currencies, guess_currencies


def estimate(*paid: tuple[str | None, float], is_in_cents: bool = False) -> dict[str, float]:
    codes = pd.Series([code for code, _ in paid], dtype=object)
    amounts = pd.Series([amount for _, amount in paid], dtype=float)
    return find_currencies(codes, amounts, is_in_cents=is_in_cents)


def test_the_currency_of_most_purchases_is_worth_1() -> None:
    paid = [("USD", 5.0), ("USD", 5), ("KRW", 7_000), (None, 3)]
    assert estimate(*paid) == {"KRW": 0.00071, "USD": 1}
    assert estimate(*paid, is_in_cents=True) == {"KRW": 0.0000071, "USD": 0.01}


def test_every_currency_has_a_worth() -> None:
    paid = ("USD", 2.0), ("EUR", -2.0), ("JPY", 0), ("BRL", float("nan"))
    assert estimate(*paid) == {"BRL": 1, "EUR": 1, "JPY": 1, "USD": 1}
    assert estimate((None, 3)) == {}


@pytest.mark.parametrize(
    ("currencies", "given", "worths", "is_certain", "evidence"),
    [
        ({"USD": 1.0}, {}, {"USD": 1}, True, "the only currency"),
        ({"USD": 0.01}, {}, {"USD": 0.01}, True, "amounts are in hundredths"),
        ({"USD": 1, "EUR": 1}, {}, {"USD": 1, "EUR": 1}, False, "EUR, USD ESTIMATED"),
        ({"USD": 1, "EUR": 1}, {"EUR": 1.1}, {"USD": 1, "EUR": 1.1}, False, "USD ESTIMATED"),
        ({"USD": 1, "EUR": 1}, {"EUR": 2, "USD": 3}, {"USD": 3, "EUR": 2}, True, "as you said"),
    ],
)
def test_what_is_estimated_is_marked(
    currencies: Any, given: Any, worths: Any, is_certain: bool, evidence: str
) -> None:
    (guess,) = guess_currencies(currencies, given)
    assert (guess.value, guess.is_certain) == (worths, is_certain)
    assert guess.evidence.startswith(evidence)
    assert [*guess_currencies({}, given)] == []
