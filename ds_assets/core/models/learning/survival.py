"""When users leave: a discrete-time hazard model on top of the probability of leaving.

A user has left once the label of a snapshot is positive: there was no activity in the horizon after
it. The first such snapshot bounds the last active day from above. The hazard of a step from one
snapshot to the next is the share of users that have left by the latter, of those that had not by
the former. Its log-odds are a line through the log-odds of the probability of leaving (Allison,
Discrete-Time Methods for the Analysis of Event Histories, 1982; Tutz and Schmid, Modeling Discrete
Time-to-Event Data, 2016, chapters 3 and 5), with another slope beyond the mean of all users: one
who was nearly gone and did not leave is a user like others. The lines are shared by more and
more steps, as fewer and fewer users are left: 1, 2, 3 and 4, 5 to 8, and so on.

At time 0 the survival is 1 less the probability of leaving, so that both never disagree. Survival
depends on a user by that probability alone, which makes days left a table lookup.

Scope: the fit, given each row's log-odds and the step in which its user left, and survival and days
left, given probabilities.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats, Labels
from ds_assets.core.models.evaluation.survival_measures import SurvivalCheck
from ds_assets.core.models.learning.calibration import sigmoid

MIN_LEAVERS = 50
"""Users who leave after their snapshot, without which there are no hazards."""
SUPPORT = 2
"""Days left are given for up to so many times the time over which users were followed."""
_MEANS, _DEVIATIONS = np.array([-2.0, 0.5, 0.5]), np.array([3.0, 1.0, 1.0])
"""Prior distribution of the first line's coefficients."""
_CHANGE = 0.5
"""Standard deviation of what a coefficient differs by from that of the line before."""
_BINS = 200
_BOUND = 30.0
"""Log-odds beyond which a probability is 0 or 1 in double precision."""
_HALVINGS, _SMALLEST = 60, 1e-6


class Hazard(BaseModel):
    """The hazard of some steps: its log-odds are a broken line through those of leaving.

    Slopes are at least 0, so that a higher chance of leaving never means more days left.

    Attributes:
        first_step: First step that it applies to; it ends before that of the next one.
        level: Log-odds at the knot of the curve.
        slope_below: Slope for users with a lower chance of leaving.
        slope_above: Slope for users with a higher one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    first_step: int
    level: float
    slope_below: float
    slope_above: float


class SurvivalCurve(BaseModel):
    """How the probability of not having left falls with time, for any probability of leaving.

    Attributes:
        step_days: Mean number of open days from one snapshot to the next.
        steps: Steps over which users were followed. The last hazard applies to as many again.
        knot: Log-odds of leaving at which the lines are broken: those of the mean probability.
        hazards: By their first step, ascending.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    step_days: float
    steps: int
    knot: float
    hazards: tuple[Hazard, ...]

    @property
    def longest_days(self) -> int:
        """Days up to which survival is given."""
        return int(SUPPORT * self.steps * self.step_days)

    @property
    def step_ends(self) -> Floats:
        """Open days at each step from 0 to `SUPPORT` times the observed ones."""
        return np.arange(SUPPORT * self.steps + 1, dtype=np.float64) * self.step_days

    def survival(self, probabilities: Floats, days: Floats) -> Floats:
        """Probability that the last active day of users lies more than so many days ahead.

        The hazard within a step is constant, so that the logarithm is linear between snapshots.

        Args:
            probabilities: Of leaving, shape (users,).
            days: Open days from 0 to `longest_days`, shape (days,).

        Returns:
            Array of shape (users, days); it never increases along a row.
        """
        at_steps = self._log_survival(_log_odds(probabilities))
        before, part = self._places(days)
        between = at_steps[:, before + 1] - at_steps[:, before]
        return np.asarray(np.exp(at_steps[:, before] + part * between))

    def days_left(self, probabilities: Floats) -> Floats:
        """Median of the open days to the last active day of users, shape (users,).

        It depends on the probability alone: with so few days left or fewer, it has a least value.

        Args:
            probabilities: Of leaving, shape (users,); not a number where none is known.

        Returns:
            Whole numbers; 0 for users who have more likely left than not, and not a number where
            survival does not fall to one half within `longest_days`.
        """
        days = np.searchsorted(-self.least_probabilities, -probabilities, "left")
        is_given = np.isfinite(probabilities) & (days <= self.longest_days)
        return np.where(is_given, days, np.nan)

    @cached_property
    def least_probabilities(self) -> Floats:
        """Least probability of leaving with at most so many days left, by days from 0."""
        days = np.arange(self.longest_days + 1.0)
        before, part = self._places(days)
        own = np.arange(len(days))
        low, high = np.full(len(days), -_BOUND), np.zeros(len(days))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            at_steps = self._log_survival(middle)
            between = at_steps[own, before + 1] - at_steps[own, before]
            is_above = at_steps[own, before] + part * between > np.log(0.5)
            low, high = np.where(is_above, middle, low), np.where(is_above, high, middle)
        is_any = high < _SMALLEST - _BOUND  # nobody has more days left
        return np.asarray(np.minimum.accumulate(np.where(is_any, 0.0, sigmoid(high))))

    def _log_survival(self, log_odds: Floats) -> Floats:
        """Logarithm of survival at each step from 0 on, shape (users, steps)."""
        steps = np.arange(1, SUPPORT * self.steps + 1)
        places = np.searchsorted([hazard.first_step for hazard in self.hazards], steps, "right") - 1
        lines = [(it.level, it.slope_below, it.slope_above) for it in self.hazards]
        of_steps = _break(log_odds, self.knot) @ np.array(lines)[places].T
        # The logarithm of 1 less a probability, from its log-odds.
        stays = -np.logaddexp(0.0, np.concatenate([log_odds[:, None], of_steps], axis=1))
        return np.asarray(np.cumsum(stays, axis=1))

    def _places(self, days: Floats) -> tuple[NDArray[np.intp], Floats]:
        """Last step before each day, and how much of the next one has passed, shape (days,)."""
        passed = days / self.step_days
        before = np.minimum(passed.astype(np.intp), SUPPORT * self.steps - 1)
        return before, passed - before


class SurvivalCard(BaseModel):
    """Description of when users leave.

    Attributes:
        curve: Survival, given the probability of leaving.
        rows: Rows that it was fitted to: users of snapshots.
        leavers: Rows whose users left after their snapshot.
        mean: Mean survival of the users of the latest snapshot at each step from 0 on.
        typical: The 10 %, 50 % and 90 % quantiles of their probabilities of leaving.
        check: How good a curve that was made in the same way was; None where there is no later
            snapshot to measure it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    curve: SurvivalCurve
    rows: int
    leavers: int
    mean: tuple[float, ...]
    typical: tuple[float, ...]
    check: SurvivalCheck | None = None


@dataclass(frozen=True)
class Departures:
    """When the users of some snapshots left, a row for each user of each snapshot.

    Attributes:
        log_odds: Of the probability of leaving, as predicted on the snapshot, shape (rows,).
        steps: Steps from the snapshot to the one by which the user had left; for others the steps
            over which they were followed, shape (rows,).
        has_left: Whether the user had left by then, shape (rows,).
    """

    log_odds: Floats
    steps: NDArray[np.intp]
    has_left: Labels

    @property
    def leavers(self) -> int:
        """Rows whose users left after their snapshot."""
        return int((self.has_left & (self.steps > 0)).sum())


def fit_survival(departures: Departures, step_days: float) -> SurvivalCurve | None:
    """Fit the hazards of greatest posterior likelihood; None where too few users left.

    Log-odds are grouped, so that the time does not depend on the number of rows. A prior
    distribution keeps each line close to the one before (smooth hazards: Tutz and Schmid, 2016,
    section 5.2).

    Args:
        departures: When users left.
        step_days: Mean number of open days from one snapshot to the next.
    """
    if departures.leavers < MIN_LEAVERS:
        return None
    last = int(departures.steps.max())
    odds, at_risk, left = _count_by_step(departures, last)
    firsts = _first_steps(last)
    groups = [slice(first - 1, end - 1) for first, end in pairwise([*firsts, last + 1])]
    knot = float(_log_odds(sigmoid(departures.log_odds).mean(keepdims=True))[0])
    lines = _fit_lines(
        _break(odds, knot),
        np.array([at_risk[group].sum(axis=0) for group in groups]),
        np.array([left[group].sum(axis=0) for group in groups]),
    )
    hazards = (
        Hazard(first_step=first, level=level, slope_below=below, slope_above=above)
        for first, (level, below, above) in zip(firsts, lines.tolist(), strict=True)
    )
    return SurvivalCurve(step_days=step_days, steps=last, knot=knot, hazards=tuple(hazards))


def _first_steps(last: int) -> list[int]:
    """First steps of the lines: 1, 2, 3, 5, 9, 17 and so on."""
    return [1, *(2**n + 1 for n in range(last.bit_length()) if 2**n < last)]


def _count_by_step(departures: Departures, last: int) -> tuple[Floats, Floats, Floats]:
    """Group rows by their log-odds, and count those at risk, and those who left, in each step.

    Returns:
        Mean log-odds of the groups, shape (groups,); both counts, shape (steps, groups).
    """
    edges = np.unique(np.quantile(departures.log_odds, np.linspace(0, 1, _BINS + 1)[1:-1]))
    group = np.searchsorted(edges, departures.log_odds)
    groups = len(edges) + 1
    rows = np.bincount(group, minlength=groups)
    odds = np.bincount(group, departures.log_odds, groups) / np.maximum(rows, 1)
    place = departures.steps * groups + group
    shape = last + 1, groups
    followed = np.bincount(place, minlength=shape[0] * groups).reshape(shape)
    left = np.bincount(place[departures.has_left], minlength=shape[0] * groups).reshape(shape)
    at_risk = followed[::-1].cumsum(axis=0)[::-1]
    return odds, at_risk[1:].astype(np.float64), left[1:].astype(np.float64)


def _fit_lines(design: Floats, at_risk: Floats, left: Floats) -> Floats:
    """Coefficients of each group of steps, shape (lines, coefficients).

    Args:
        design: What the coefficients apply to, by group of rows, shape (groups, coefficients).
        at_risk: Users at risk, shape (lines, groups).
        left: Those of them who left, shape (lines, groups).
    """
    from scipy.optimize import minimize  # noqa: PLC0415  # slow to import

    shape = len(at_risk), design.shape[1]

    def loss(flat: Floats) -> tuple[float, Floats]:
        lines = flat.reshape(shape)
        log_odds = lines @ design.T
        first, change = (lines[0] - _MEANS) / _DEVIATIONS, np.diff(lines, axis=0) / _CHANGE
        total = (at_risk * np.logaddexp(0.0, log_odds) - left * log_odds).sum()
        total += ((first**2).sum() + (change**2).sum()) / 2
        gradient = (at_risk * sigmoid(log_odds) - left) @ design
        gradient[0] += first / _DEVIATIONS
        gradient[1:] += change / _CHANGE
        gradient[:-1] -= change / _CHANGE
        return float(total), gradient.ravel()

    bounds = [(None, None), (0.0, None), (0.0, None)] * len(at_risk)
    start = np.tile(_MEANS, len(at_risk))
    solution = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B")
    return np.asarray(solution.x).reshape(shape)


def _break(log_odds: Floats, knot: float) -> Floats:
    """What level and slopes of a line apply to, shape (users, 3)."""
    away = log_odds - knot
    return np.column_stack([np.ones(len(away)), np.minimum(away, 0.0), np.maximum(away, 0.0)])


def _log_odds(probabilities: Floats) -> Floats:
    """Log-odds of probabilities, finite also for 0 and 1."""
    with np.errstate(divide="ignore"):
        log_odds = np.log(probabilities) - np.log1p(-probabilities)
    return np.asarray(np.clip(log_odds, -_BOUND, _BOUND))
