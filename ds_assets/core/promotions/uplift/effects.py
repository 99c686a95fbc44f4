"""The effect of a promotion on each user, calibrated against what was measured.

Scope: from a trial to effects with intervals, and whether they differ between users at all.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.evaluation.metrics import Measure
from ds_assets.core.promotions.uplift.arms import (
    FittedArms,
    LearntArms,
    RawArms,
    choose_own_share,
    fit_levels,
)
from ds_assets.core.promotions.uplift.trial import Trial, effect_scores

NORMAL_95 = 1.96
"""Standard deviations on both sides of the mean that hold 95 % of a normal distribution."""
NEEDED_DEVIATIONS = 2**0.5 * NORMAL_95
"""Standard errors above 0 of a slope that is used.

Where effects do not differ, the standard error of a slope in cross-fitting is up to a root of two
too small: folds that agree by chance count twice, as each is predicted from the others."""
_FLAT = 1e-12
"""Standard deviation of effects that are the same for all users but for rounding."""


class EffectLine(BaseModel):
    """Effects that were measured as a line over those that two models predict.

    Attributes:
        centre: Mean of the difference of the two models.
        level: Mean effect that was measured.
        level_deviation: Its standard error.
        measured_slope: How much of the predicted differences between users came true.
        slope_deviation: Its standard error.
        slope: The slope that is used: 0 where effects do not differ beyond noise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    centre: float
    level: float
    level_deviation: float
    measured_slope: float
    slope_deviation: float
    slope: float

    @property
    def differs(self) -> bool:
        """Whether effects differ between users beyond noise."""
        return self.slope > 0

    @property
    def relative_deviation(self) -> float:
        """Standard error of the slope that is used, as a share of it; 0 where none is used."""
        return self.slope_deviation / self.slope if self.differs else 0.0

    @property
    def average(self) -> Measure:
        """The average effect with its 95 % interval."""
        distance = NORMAL_95 * self.level_deviation
        return Measure(value=self.level, low=self.level - distance, high=self.level + distance)

    def effects(self, differences: Floats) -> Floats:
        """Effect on each user, shape (rows,).

        Args:
            differences: Expected outcome with less that without treatment, shape (rows,).
        """
        return self.level + self.slope * (differences - self.centre)

    def intervals(self, differences: Floats) -> tuple[Floats, Floats]:
        """Ends of the 95 % interval of the mean effect on users with such differences.

        Users differ from others with the same prediction in ways that no data can show, so that an
        interval is about the mean of such users.
        """
        distance = differences - self.centre
        slope_deviation = self.slope_deviation if self.differs else 0.0
        deviation = np.hypot(self.level_deviation, slope_deviation * distance)
        effects = self.effects(differences)
        return effects - NORMAL_95 * deviation, effects + NORMAL_95 * deviation


def fit_line(differences: Floats, scores: Floats, weights: Floats) -> EffectLine:
    """Fit the best linear predictor of effects, whose slope also tests whether they differ.

    Chernozhukov, Demirer, Duflo and Fernández-Val, Fisher-Schultz Lecture: Generic Machine Learning
    Inference on Heterogeneous Treatment Effects, 2025. Effects differ where the slope is
    `NEEDED_DEVIATIONS` standard errors above 0, which allow for unequal variances (White, A
    Heteroskedasticity-Consistent Covariance Matrix Estimator, 1980). A slope that was large enough
    to be used is too large on average, so it is shrunk (James and Stein, Estimation with Quadratic
    Loss, 1961).

    Args:
        differences: What models that have not seen the row predict, shape (rows,).
        scores: What `effect_scores` returned, shape (rows,).
        weights: Users whom each row stands for, shape (rows,).
    """
    total = weights.sum()
    centre, level = float(weights @ differences / total), float(weights @ scores / total)
    distance = differences - centre
    spread = float(weights @ distance**2)
    if spread <= total * _FLAT**2:
        slope, slope_deviation = 0.0, 0.0
        residuals = scores - level
    else:
        slope = float(weights @ (distance * scores)) / spread
        residuals = scores - level - slope * distance
        slope_deviation = float(np.sqrt(((weights * residuals * distance) ** 2).sum())) / spread
    return EffectLine(
        centre=centre,
        level=level,
        level_deviation=float(np.sqrt(((weights * residuals) ** 2).sum())) / float(total),
        measured_slope=slope,
        slope_deviation=slope_deviation,
        slope=_shrink(slope, slope_deviation),
    )


def _shrink(slope: float, deviation: float) -> float:
    if slope <= NEEDED_DEVIATIONS * deviation:
        return 0.0
    return slope * (1 - (deviation / slope) ** 2)


@dataclass(frozen=True)
class EffectModel:
    """A model of the effect on an outcome.

    Attributes:
        arms: The two models, of all rows.
        line: Their calibration.
        without: Expected outcome of each row without treatment, by models that have not seen it.
        scores: What `effect_scores` returned for the rows, by the same models.
    """

    arms: FittedArms
    line: EffectLine
    without: Floats
    scores: Floats

    def differences(self, trial: Trial) -> Floats:
        """Expected outcome with less that without treatment, shape (rows,)."""
        without, treated = self.arms.expected(trial)
        return treated - without

    def effects(self, trial: Trial) -> Floats:
        """Calibrated effect on each row, shape (rows,)."""
        return self.line.effects(self.differences(trial))


Fit = Callable[[Trial, int], LearntArms | None]
"""Learns the models of an outcome from some rows; None where there are too few."""


def fit_effect(trial: Trial, outcomes: Floats, fit: Fit, seed: int) -> EffectModel | None:
    """Learn the effect on an outcome from all rows; None where there are too few.

    How much the arms are pooled, and how far their differences come true, is learnt from rows that
    the models have not seen (cross-fitting; Chernozhukov et al., Double/Debiased Machine Learning,
    2018).

    Args:
        trial: The rows.
        outcomes: The outcome that `fit` learns, shape (rows,).
        fit: `fit_arms` or `fit_spend_arms`.
        seed: Makes training repeatable.
    """
    learnt, held_out = fit(trial, seed), _cross_fit(trial, fit, seed)
    if learnt is None or held_out is None:
        return None
    happened = outcomes > 0
    own_share = choose_own_share(held_out, happened, trial.treated)
    levels = fit_levels(held_out, own_share, happened, trial.treated)
    without, treated = held_out.expected(own_share, levels)
    scores = effect_scores(trial, outcomes, without, treated)
    line = fit_line(treated - without, scores, trial.row_weights)
    levels = fit_levels(learnt.raw(trial), own_share, happened, trial.treated)
    return EffectModel(FittedArms(learnt, own_share, levels), line, without, scores)


def _cross_fit(trial: Trial, fit: Fit, seed: int) -> RawArms | None:
    """Apply models to rows that they were not trained on; None where a fold has too few rows."""
    whole, own, amounts = np.empty(len(trial)), np.empty((len(trial), 2)), np.empty(len(trial))
    for training, inside in trial.splits():
        learnt = fit(trial.rows(training), seed)
        if learnt is None:
            return None
        raw = learnt.raw(trial.rows(inside))
        whole[inside], own[inside], amounts[inside] = raw.whole, raw.own, raw.amounts
    return RawArms(whole, own, amounts)
