"""What the currencies of amounts are worth."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from ds_assets.onboarding.guess import Guess

_CENT = 0.01


def find_currencies(
    codes: "pd.Series[Any]", amounts: "pd.Series[float]", *, is_in_cents: bool
) -> dict[str, float]:
    """Find the currencies, and what a unit of each is probably worth.

    Args:
        codes: The currency of each line, or None.
        amounts: The amount of each line; NaN where there is none.
        is_in_cents: Whether amounts are in hundredths.

    Returns:
        Worths by currency, as if median purchases in all of them were worth the same.
    """
    unit = _CENT if is_in_cents else 1.0
    named = codes.dropna().astype(str)
    sizes = amounts.abs().where(amounts != 0)[named.index].groupby(named)
    medians = sizes.median()
    if medians.empty:
        return {}
    main = medians.loc[str(sizes.count().idxmax())]
    worths = (unit * main / medians).fillna(unit)  # a currency of no amount is worth anything
    return {str(code): float(f"{worth:.2g}") for code, worth in worths.items()}


def guess_currencies(estimates: Mapping[str, float], given: Mapping[str, float]) -> Iterator[Guess]:
    """Guess `currencies`.

    Args:
        estimates: Currencies in the lines, with their probable worths.
        given: Worths that somebody has named.
    """
    if not estimates:
        return
    estimated = estimates.keys() - given.keys()
    is_certain = not estimated or (len(estimates) == 1 and not given)
    if not estimated:
        evidence = "as you said"
    elif is_certain:
        in_cents = set(estimates.values()) == {_CENT}
        evidence = "amounts are in hundredths" if in_cents else "the only currency"
    else:
        evidence = (
            f"{', '.join(sorted(estimated))} ESTIMATED so that median purchases are worth the "
            "same; write the exchange rates"
        )
    yield Guess("currencies", {**estimates, **given}, evidence, is_certain)
