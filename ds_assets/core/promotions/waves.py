"""When a promotion is compared: at set times only, so that looking daily raises no false alarm.

Scope: the sequence of waves of one version of a promotion, day by day. What is shown of it is in
`results`.

A wave is a group of users who are assigned one after the other. Its size is planned from outcomes
of both arms together, before any difference between arms is computed. When the wave is full, or the
promotion has ended, the arms are compared once, and the result stays. The next wave, of new users,
begins only if the result was a finding, and confirms it or not. So the chance of any false alarm
over the whole life of a version is that of one test: the first wave has to raise one (a fixed
sequence of tests, Westfall and Krishen 2001).
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from ds_assets.core.models.evaluation.metrics import ALL
from ds_assets.core.promotions.assignment import CONTROL, TREATED
from ds_assets.core.promotions.effects import (
    MIN_USERS_PER_ARM,
    RATIO_ALPHA,
    Effect,
    Moments,
    compare,
    required_users,
    sample_ratio_p_value,
    variance_of,
)
from ds_assets.core.promotions.moments import Cell, add

_PILOT_USERS = 200
_PILOT_EVENTS = 20
"""Users, and variance of a share times users, that a plan is made from: about 20 users of the rarer
outcome."""

State = Literal["not_yet", "result", "withheld"]


@dataclass(frozen=True)
class Terms:
    """What is fixed about a version of a promotion before any outcome.

    Attributes:
        target: The outcome that the promotion is meant to change.
        detects: Smallest difference of it that a result must be able to show.
        shares: Planned share of each arm; empty where another program has assigned.
        ends: Last day of assignments; none without an end.
    """

    target: str
    detects: float
    shares: Mapping[str, float]
    ends: dt.date | None = None

    def ratio(self, arm: str) -> float | None:
        """Planned number of users in an arm for each one in control; none if it is unknown."""
        return self.shares[arm] / self.shares[CONTROL] if self.shares else None


@dataclass(frozen=True)
class Day:
    """The users that were first assigned on a day, and their outcomes.

    Attributes:
        date: The day of the assignments.
        terms: The terms of the version on that day.
        cells: Moments of each outcome by segment and arm.
    """

    date: dt.date
    terms: Terms
    cells: Mapping[Cell, Moments]


@dataclass(frozen=True)
class Wave:
    """Users who are compared together.

    Attributes:
        number: Which wave of the version it is, from 1.
        first: Day of its first assignments.
        last: Day of its latest ones.
        terms: The terms; `detects` is that of the first day of the version.
        cells: Moments of all its days.
        planned: Users that it needs; none until there are enough to plan with.
    """

    number: int
    first: dt.date
    last: dt.date
    terms: Terms
    cells: Mapping[Cell, Moments]
    planned: int | None = None

    def of(self, outcome: str, arm: str, segment: str = ALL) -> Moments | None:
        """Moments of an outcome; none without users."""
        return self.cells.get(Cell(segment, arm, outcome))

    def count(self, arm: str) -> int:
        """Users in an arm."""
        moments = self.of(self.terms.target, arm)
        return 0 if moments is None else moments.count()

    @property
    def users(self) -> int:
        """Users in the two arms that are compared."""
        return self.count(TREATED) + self.count(CONTROL)

    @property
    def is_full(self) -> bool:
        """Whether it has the users that were planned."""
        return self.planned is not None and self.users >= self.planned

    def ratio_p_value(self, arm: str = TREATED) -> float | None:
        """How likely the sizes of an arm and of control are; none if their shares are unknown."""
        ratio = self.terms.ratio(arm)
        return (
            None
            if ratio is None
            else sample_ratio_p_value(self.count(arm), self.count(CONTROL), ratio)
        )

    @cached_property
    def state(self) -> State:
        """What may be shown of it once it is over."""
        p_value = self.ratio_p_value()
        has_few = min(self.count(TREATED), self.count(CONTROL)) < MIN_USERS_PER_ARM
        is_withheld = has_few or (p_value is not None and p_value < RATIO_ALPHA)
        return "withheld" if is_withheld else "result"

    @cached_property
    def effect(self) -> Effect | None:
        """The effect on the promotion's own target; none where a result is withheld."""
        if self.state == "withheld":
            return None
        treated, control = (self.of(self.terms.target, arm) for arm in (TREATED, CONTROL))
        return None if treated is None or control is None else compare(treated, control)


@dataclass(frozen=True)
class Progress:
    """How far the comparison of a version has come.

    Attributes:
        open: The wave whose users are still collected; none if there is none.
        over: The latest wave that was compared; none if there is none.
    """

    open: Wave | None = None
    over: Wave | None = None

    @property
    def may_begin(self) -> bool:
        """Whether a new wave may begin: the first one, or one that follows a finding."""
        if self.open is not None or self.over is None:
            return self.open is None
        effect = self.over.effect
        return effect is not None and effect.is_finding

    def closed(self) -> "Progress":
        """Compare the arms of the open wave.

        A wave that was to confirm an earlier one counts only if it is full: with fewer users it
        would hardly be able to.
        """
        wave = self.open
        if wave is None or (self.over is not None and not wave.is_full):
            return Progress(over=self.over)
        return Progress(over=wave)


def follow(days: Iterable[Day]) -> Iterator[Progress]:
    """Follow a version from day to day.

    Args:
        days: Its days, ascending, whose outcomes are all known.

    Yields:
        What may be known at each of them.
    """
    progress = Progress()
    for day in days:
        progress = _advance(progress, day)
        yield progress


def progress_on(days: Iterable[Day], as_of: dt.date, *, is_current: bool) -> Progress:
    """How far a version has come on a day.

    Args:
        days: Its days up to that day.
        as_of: The day.
        is_current: Whether the game still has this version; otherwise it has ended.
    """
    progress = Progress()
    for progress in follow(days):  # noqa: B007  (the last one counts)
        pass
    has_ended = not is_current or (progress.open is not None and _is_past(progress.open, as_of))
    return progress.closed() if has_ended else progress


def _advance(progress: Progress, day: Day) -> Progress:
    wave = progress.open
    if wave is not None and _is_past(wave, day.date - dt.timedelta(days=1)):
        progress, wave = progress.closed(), None  # assignments that follow an end are others
    if wave is None:
        if not progress.may_begin:
            return progress
        wave = _begin(progress, day)
    else:
        terms = replace(wave.terms, ends=day.terms.ends)
        wave = replace(wave, last=day.date, terms=terms, cells=add(wave.cells, day.cells))
    wave = _plan(wave)
    progress = replace(progress, open=wave)
    return progress.closed() if wave.is_full else progress


def _begin(progress: Progress, day: Day) -> Wave:
    before = progress.over
    if before is None:
        return Wave(1, day.date, day.date, day.terms, day.cells)
    terms = replace(day.terms, detects=before.terms.detects)
    return Wave(before.number + 1, day.date, day.date, terms, day.cells)


def _plan(wave: Wave) -> Wave:
    """Fix the size of a wave as soon as there are enough users to plan with.

    Both arms are taken together, so that the plan does not depend on their difference.
    """
    treated, control = (wave.of(wave.terms.target, arm) for arm in (TREATED, CONTROL))
    if wave.planned is not None or treated is None or control is None:
        return wave
    both = treated + control
    if both.count() < _PILOT_USERS or both.count() * variance_of(both) < _PILOT_EVENTS:
        return wave
    ratio = wave.terms.ratio(TREATED) or treated.count() / control.count()
    return replace(wave, planned=required_users(both, wave.terms.detects, ratio))


def _is_past(wave: Wave, day: dt.date) -> bool:
    return wave.terms.ends is not None and wave.terms.ends <= day
