"""What lifetime features mean, in plain Python, one user and day at a time."""

import datetime as dt
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ds_assets.core.lifetimes import HALF_LIVES
from ds_assets.game import Game

OTHERS = ("events", "sessions", "purchases", "count_stage", "sum_seconds")
"""Measures of the tests' game that are only added up."""


@dataclass(frozen=True)
class Date:
    """What is known of a user's event date."""

    activities: int = 0
    purchases: int = 0
    spend: float = 0.0
    others: Mapping[str, float] = field(default_factory=dict)


def describe_lifetime(
    dates: Mapping[dt.date, Date], snapshot: dt.date, game: Game
) -> dict[str, float | None]:
    """The lifetime features of a user, given all event dates that count."""

    def since(first: dt.date, last: dt.date = snapshot) -> int:
        days = (first + dt.timedelta(days=n + 1) for n in range((last - first).days))
        closed = sum(day in game.closed_days for day in days)
        return (last - first).days - closed

    active = sorted(day for day, date in dates.items() if date.activities > 0)
    bought = sorted(day for day, date in dates.items() if date.purchases > 0)
    open_active = [day for day in active if day not in game.closed_days]
    sums = {
        "active_days": dict.fromkeys(open_active, 1.0),
        "purchase_days": dict.fromkeys(bought, 1.0),
        "spend": {day: date.spend for day, date in dates.items()},
    }
    others = {
        name: {day: date.others.get(name, 0.0) for day, date in dates.items()} for name in OTHERS
    }
    described: dict[str, float | None] = {
        "lifetime_days": since(active[0]) if active else None,
        **{f"lifetime_{name}": sum(values.values()) for name, values in (sums | others).items()},
        **_rhythm("active", active, open_active, since),
        **_rhythm("purchase", bought, bought, since),
    }
    for name, values in sums.items():
        for half_life in HALF_LIVES:
            decayed = sum(value * 0.5 ** (since(day) / half_life) for day, value in values.items())
            most = (
                sum(0.5 ** (age / half_life) for age in range(since(active[0]) + 1))
                if active
                else None
            )
            described[f"{name}_rate_{half_life}d"] = decayed / most if most else None
    return described


def _rhythm(
    kind: str,
    days: list[dt.date],
    counted: list[dt.date],
    since: Callable[..., int],
) -> dict[str, float | None]:
    """Gaps that end with a counted day; the mean is that of all time between the first and last."""
    gaps = [since(earlier, day) for earlier, day in pairwise(days) if day in set(counted)]
    count = len(counted) - 1
    mean = since(days[0], days[-1]) / count if count > 0 else None
    squares = sum(gap * gap for gap in gaps)
    present = since(days[-1]) if days else None
    return {
        f"lifetime_days_since_{kind}": present,
        f"lifetime_{kind}_gap": mean,
        f"lifetime_{kind}_gap_deviation": (
            math.sqrt(max(squares / count - mean * mean, 0.0))
            if count > 1 and mean is not None
            else None
        ),
        f"longest_lifetime_{kind}_gap": max(gaps, default=None),
        f"lifetime_{kind}_gaps_since": (present / mean if mean and present is not None else None),
    }


def dates_of(rows: Iterable[Any]) -> dict[dt.date, Date]:
    """Add up rows by event date."""
    dates: dict[dt.date, Date] = {}
    for row in rows:
        before = dates.get(row.event_date, Date())
        dates[row.event_date] = Date(
            before.activities + row.activities,
            before.purchases + row.purchases,
            before.spend + row.spend,
            {name: before.others.get(name, 0.0) + getattr(row, name) for name in OTHERS},
        )
    return dates
