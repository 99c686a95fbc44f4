"""A user's values in words, as reasons give them: "12 active days in the last 28, 2 in the last 7".

Scope: from numbers to text. Which feature is said in which way is declared in `feature_catalog`.
A value that is None is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Number = int | float | None
"""A user's value of a feature, rounded as it is shown; None where it is missing."""

_LONGEST_NUMBER = 1e15
"""From here on numbers are shown with three digits and a power of ten."""
_FRACTIONS = {
    0.1: "a tenth",
    0.2: "a fifth",
    0.25: "a quarter",
    0.33: "a third",
    0.5: "half",
    0.67: "two thirds",
    0.75: "three quarters",
    0.8: "four fifths",
}
AS_USUAL = (0.9, 1.1)
"""Trends between these are no change worth mentioning."""
_TWICE = 2


@dataclass(frozen=True)
class Amount:
    """How an amount is said.

    Attributes:
        before: Text before the number.
        singular: Text after the number 1.
        plural: Text after any other number.
        nothing: What is said instead of 0.
        again: What is said instead of 0 where the subject has been named already.
        decimals: Digits after the point.
    """

    before: str
    singular: str
    plural: str
    nothing: str
    again: str
    decimals: int


def counted(noun: str) -> Amount:
    """How things are counted, by their name in the singular: "3 purchases", "no purchase"."""
    return Amount("", f" {noun}", f" {noun}s", f"no {noun}", "none", decimals=0)


def summed(subject: str) -> Amount:
    """How a sum is said, by its name: "play minutes 120"."""
    return Amount(f"{subject} ", "", "", f"{subject} 0", "0", decimals=2)


def spent(currency: str | None) -> Amount:
    """How money is said, in its currency where that is known: "9.99 USD spent"."""
    after = f" {currency} spent" if currency else " spent"
    return Amount("", after, after, "nothing spent", "nothing", decimals=2)


PURCHASES = counted("purchase")


def show_number(number: float) -> str:
    """A number with commas between thousands."""
    return f"{number:.3g}" if abs(number) >= _LONGEST_NUMBER else f"{number:,}"


def fill(template: str, value: Number | str) -> str:
    """A template such as `level {}` with the value in it; a missing one is said as `unknown`."""
    before, _, after = template.rpartition("{}")
    if value is None:
        return f"{before}unknown{after}"
    return f"{before}{value if isinstance(value, str) else show_number(value)}{after}"


def membership(kind: str, value: Number | str) -> str:
    """For example "in cluster 3", or "in no cluster"."""
    return f"in no {kind}" if value is None else fill(f"in {kind} {{}}", value)


def amounts_in_windows(amount: Amount, windows: Sequence[int], *sums: Number) -> str:
    """For example "12 active days in the last 28, 2 in the last 7".

    Args:
        amount: How the sums are said.
        windows: Lengths of their windows in days, one or two, the longer first.
        sums: The sums, in the same order.
    """
    unit = "" if amount.plural.endswith("days") else " days"
    first = f"{_show_amount(amount, sums[0])} {in_the_last(windows[0], unit)}"
    if len(sums) == 1 or sums[1] is None or not sums[0]:
        return first
    second = show_number(sums[1]) if sums[1] else amount.again
    return f"{first}, {second} {in_the_last(windows[1], '')}"


def amount_in_all(amount: Amount, value: Number) -> str:
    """For example "12 active days in all"."""
    return f"{_show_amount(amount, value)} in all"


def last_seen(days: Number, gap: Number) -> str:
    """For example "last seen 6 days ago, usually every 1.4 days"."""
    words = f"last seen {_ago(days)}"
    if gap is None:
        return words
    return f"{words}, usually every {'day' if gap == 1 else f'{show_number(gap)} days'}"


def trend(short: int, long: int, ratio: Number) -> str:
    """For example "coming less often: a third of the usual".

    Args:
        short: Length of the recent window in days.
        long: Length of the window that shows what is usual.
        ratio: Active days per day in the short window over those in the long one.
    """
    if not ratio:
        return f"not seen {in_the_last(long if ratio is None else short)}"
    least, most = AS_USUAL
    if ratio > most:
        times = "twice" if ratio == _TWICE else f"{show_number(ratio)} times"
        return f"coming more often: {times} the usual"
    if ratio >= least:
        return "coming as often as usual"
    nearest = min(_FRACTIONS, key=lambda fraction: abs(fraction - ratio))
    return f"coming less often: {_FRACTIONS[nearest]} of the usual"


def purchases(days: int, lookback: int, count: Number, since: Number) -> str:
    """For example "2 purchases in the last 28 days, the latest 3 days ago".

    Args:
        days: Window of the count.
        lookback: Days without a purchase, where no latest one is known.
        count: Purchases in the window.
        since: Days since the latest.
    """
    if since is None and not count:
        return f"no purchase {in_the_last(lookback)}" if lookback else "no purchase known"
    latest = "" if since is None else f"the latest {_ago(since)}"
    if count is None:
        return f"purchases, {latest}"
    words = f"{_show_amount(PURCHASES, count)} {in_the_last(days)}"
    return f"{words}, {latest}" if latest else words


def tenure(lookback: int, days: Number) -> str:
    """For example "first seen 3 days ago"."""
    # From half the look-back on, the day may only be the first one that features can see.
    is_long_ago = days is not None and days * 2 >= lookback > 0
    return f"first seen {_ago(days)}{' or before' if is_long_ago else ''}"


def spoken(name: str) -> str:
    """A name as words: without underscores."""
    return name.replace("_", " ")


def in_the_last(days: int, unit: str = " days") -> str:
    """A trailing window in words: "in the last 7 days", "on the last day"."""
    return "on the last day" if days == 1 else f"in the last {days}{unit}"


def _show_amount(amount: Amount, value: Number) -> str:
    if value is None:
        return f"unknown{amount.plural}" if amount.plural else f"{amount.before}unknown"
    if not value:
        return amount.nothing
    return f"{amount.before}{show_number(value)}{amount.singular if value == 1 else amount.plural}"


def _ago(days: Number) -> str:
    if days is None:
        return "at an unknown time"
    # Seen from the day of the prediction, which is over when its reasons are read.
    near = {0: "on the last day", 1: "on the day before"}
    return near.get(int(days), f"{show_number(days)} days ago")
