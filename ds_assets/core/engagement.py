"""What the words of a reason say of a user's engagement: 1 for more of it, -1 for less, 0 neither.

A model splits what it learns between features that move together, so that one of them may push
against what it shows: "coming more often" as a reason to leave. Words that say the opposite of
their effect are not believed, and are left out (`reasons`).

Scope: from the values that words show to a direction. Arrays have shape (rows,), NaN where a value
is missing; the words are those of `wording`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.wording import AS_USUAL

Values = NDArray[np.float64]
Directions = NDArray[np.int8]
Engagement = Callable[..., Directions]
"""Maps the values that a phrase shows, one array each, to directions."""

_RARE_DAYS = 2
"""A user with a longer gap between active days is no frequent one, even if just seen."""
_OVERDUE_GAPS = 2
_ALMOST_ALL = 0.9


def of_last_seen(days: Values, gap: Values) -> Directions:
    """Less if the user is overdue by their own gap; more if a frequent user was just seen."""
    is_more = (days <= 1) & ~(gap > _RARE_DAYS)
    is_less = (days > 1) & (days > _OVERDUE_GAPS * gap)
    return _directions(is_more, is_less)


def of_trend(ratio: Values) -> Directions:
    """More or less than usual, as the words say; a user without a trend was not seen."""
    least, most = AS_USUAL
    return _directions(ratio > most, ~(ratio >= least))


def of_purchases(days: int, count: Values, since: Values) -> Directions:
    """Less without any purchase, more if the latest is in the younger half of the window."""
    is_none = (count == 0) | (np.isnan(count) & np.isnan(since))
    is_recent = ~is_none & (since <= days / 2)
    return _directions(is_recent, is_none)


def of_sums(windows: tuple[int, ...], bound_per_day: float, *sums: Values) -> Directions:
    """Less if a sum is 0, more if all of them are near the most that their windows can hold.

    Args:
        windows: Lengths of the windows in days; none for a sum of the whole history.
        bound_per_day: Largest amount of a day; infinite where there is none.
        sums: Sums over these windows.
    """
    is_none = np.any([values <= 0 for values in sums], axis=0)
    is_full = np.all(
        [
            values >= _ALMOST_ALL * bound_per_day * days
            for days, values in zip(windows, sums, strict=bool(windows))
        ]
        or [np.zeros(len(sums[0]), bool)],
        axis=0,
    )
    return _directions(is_full, is_none)


def _directions(is_more: NDArray[np.bool_], is_less: NDArray[np.bool_]) -> Directions:
    return is_more.astype(np.int8) - is_less.astype(np.int8)
