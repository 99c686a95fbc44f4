"""What came out of a promotion, or what is missing, in one sentence.

Scope: from effects and waves to text for a producer.
"""

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ds_assets.core.promotions.assignment import CONTROL, TREATED
from ds_assets.core.promotions.effects import MIN_USERS_PER_ARM, Effect
from ds_assets.core.promotions.waves import Wave

_ORDINALS = {1: "first", 2: "second", 3: "third"}


@dataclass(frozen=True)
class Outcome:
    """How an outcome is said.

    Attributes:
        name: Its name.
        unit: `points` of a share, the currency of an amount, or an empty text where it is unknown.
        better: 1 if more of it is better, -1 if less is.
    """

    name: str
    unit: str
    better: Literal[1, -1] = 1

    @property
    def is_share(self) -> bool:
        """Whether it is true or not of each user."""
        return self.unit == "points"


def describe_effect(outcome: Outcome, effect: Effect) -> str:
    """What the comparison of two arms says: "less churn: -0.8 points (-1.3 to -0.3); ..."."""
    interval = (
        f"{_difference(outcome, effect)} ({_range(outcome, effect)}); {_means(outcome, effect)}"
    )
    if effect.p_value is None:
        return f"{outcome.name}: {_difference(outcome, effect)}; {_means(outcome, effect)}"
    if not effect.is_finding:
        return f"no change of {outcome.name} beyond noise: {interval}"
    direction = "more" if effect.value > 0 else "less"
    is_good = effect.value * outcome.better > 0
    return f"{direction} {outcome.name}, which is {'better' if is_good else 'worse'}: {interval}"


def describe_shown(outcome: Outcome, effect: Effect, share: float) -> str:
    """What the offer changed for users who saw it."""
    return (
        f"of those who saw it ({share:.0%} of those with it): {outcome.name} "
        f"{_difference(outcome, effect)} ({_range(outcome, effect)})"
    )


def describe_progress(wave: Wave, as_of: dt.date) -> str:
    """What a wave still needs."""
    change = f"a change of {100 * wave.terms.detects:g} points"
    if wave.planned is None:
        return (
            f"not yet: {wave.count(TREATED):,} players with it and {wave.count(CONTROL):,} without "
            f"are too few to plan the sample for {change}"
        )
    missing = max(wave.planned - wave.users, 1)
    days = math.ceil(missing * ((as_of - wave.first).days + 1) / max(wave.users, 1))
    players, wait = _count(missing, "more player"), _count(days, "more day")
    return f"not yet: {players} or {wait} for {change}"


def describe_confirmation(over: Wave, waiting: Wave | None, as_of: dt.date) -> str:
    """Which wave a result is of, and what the next one needs; empty for a first and only one."""
    parts = []
    if over.number > 1:
        parts.append(f"of the {_ORDINALS.get(over.number, f'{over.number}th')} wave of players")
    if waiting is not None:
        progress = describe_progress(waiting, as_of).removeprefix("not yet: ")
        parts.append(f"a further wave is to confirm it: {progress}")
    return "".join(f"; {part}" for part in parts)


def describe_misfit(wave: Wave, arm: str, p_value: float) -> str:
    """Why a result is withheld whose arms do not have the planned shares."""
    shares = [wave.terms.shares[it] for it in (arm, CONTROL)]
    planned = " and ".join(f"{share / sum(shares):.1%}" for share in shares)
    return (
        f"withheld: {wave.count(arm):,} players with it and {wave.count(CONTROL):,} without do not "
        f"fit the planned {planned} (p = {p_value:.2g}); no number of it can be trusted until the "
        "cause is known"
    )


def describe_shortage(treated: int, control: int) -> str:
    """Why a result is withheld that has too few users."""
    return (
        f"withheld: {treated:,} players with it and {control:,} without; at least "
        f"{MIN_USERS_PER_ARM} of each are needed, not all with the same outcome"
    )


def describe_withdrawals(times: Iterable[dt.datetime]) -> str:
    """When offers of compared users were withdrawn; empty without any."""
    days = sorted({f"{time:%Y-%m-%d}" for time in times})
    return f"; withdrawn on {' and '.join(days)}, players count as assigned" if days else ""


def _difference(outcome: Outcome, effect: Effect) -> str:
    if outcome.is_share:
        return f"{100 * effect.value:+.1f} points"
    relative = effect.relative[0]
    share = f", {relative:+.0%}" if effect.is_finding and 0 < abs(relative) < math.inf else ""
    return f"{effect.value:+,.3f} {outcome.unit}".rstrip() + f" per player{share}"


def _range(outcome: Outcome, effect: Effect) -> str:
    if outcome.is_share:
        return f"{100 * effect.low:+.1f} to {100 * effect.high:+.1f}"
    return f"{effect.low:+,.3f} to {effect.high:+,.3f}"


def _means(outcome: Outcome, effect: Effect) -> str:
    both = (effect.treated, effect.control)
    treated, control = (f"{it:.1%}" if outcome.is_share else f"{it:,.3f}" for it in both)
    return (
        f"{treated} of {effect.users_treated:,} players with it, "
        f"{control} of {effect.users_control:,} without"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
