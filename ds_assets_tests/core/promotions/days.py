"""Days of promotions with outcomes that tests choose."""

import datetime as dt
from collections.abc import Iterator, Mapping

import numpy as np

from ds_assets.core.promotions.assignment import CONTROL, TREATED
from ds_assets.core.promotions.effects import Moments, moments_of
from ds_assets.core.promotions.moments import Cell
from ds_assets.core.promotions.waves import Day, Terms

FIRST = dt.date(2026, 1, 1)
TERMS = Terms("churn", detects=0.1, shares={TREATED: 0.5, CONTROL: 0.5})


def date(number: int) -> dt.date:
    return FIRST + dt.timedelta(days=number)


def share(users: int, positive: int) -> Moments:
    """Users, some of them with the outcome."""
    mean = positive / users
    return moments_of(users, mean, users * mean * (1 - mean) / (users - 1))


def arms_of(
    treated: tuple[int, int], control: tuple[int, int], segment: str = "all", outcome: str = "churn"
) -> dict[Cell, Moments]:
    """Users of both arms, and how many of them have an outcome."""
    return {
        Cell(segment, TREATED, outcome): share(*treated),
        Cell(segment, CONTROL, outcome): share(*control),
    }


def day_of(
    number: int,
    treated: tuple[int, int] = (100, 50),
    control: tuple[int, int] = (100, 50),
    terms: Terms = TERMS,
    more: Mapping[Cell, Moments] | None = None,
) -> Day:
    return Day(date(number), terms, {**arms_of(treated, control), **(more or {})})


def drawn_days(
    rng: np.random.Generator, days: int, users: int, effect: float = 0.0
) -> Iterator[Day]:
    """Days of users that churn half of the time, more of them with the promotion by `effect`."""
    for number in range(days):
        treated = int(rng.binomial(users, 0.5))
        churned = rng.binomial([treated, users - treated], [0.5 + effect, 0.5]).tolist()
        yield day_of(number, (treated, churned[0]), (users - treated, churned[1]))
