"""Differences between the arms of a promotion, with intervals: the statistics are tea-tasting's.

Scope: two arms, one outcome. An arm is described by moments, which can be added up over days, so
that no user has to be read twice. Which days are compared, and when, is in `waves`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # the library takes longer to import than all of Dagster
    from tea_tasting.aggr import Aggregates

    Moments: TypeAlias = Aggregates
else:
    Moments = Any
"""Number of users, means, variances and covariance of an outcome and its covariate; their sum is
that of both groups of users together."""

ALPHA = 0.05
"""Share of false alarms where a promotion changes nothing; intervals are those of 95 %."""
POWER = 0.8
"""Chance of finding a difference as large as a promotion's `detects`."""
RATIO_ALPHA = 0.01
"""Chance of sizes of arms as unlikely as these below which they do not fit."""
MIN_USERS_PER_ARM = 50
"""Fewer users are not compared: the intervals are those of large samples."""

_VALUE, _COVARIATE = "value", "covariate"
_ERRORS_ABOVE_ZERO = 4
"""Standard errors that a mean must lie above 0 to be divided by."""


@dataclass(frozen=True)
class Effect:
    """A difference between two arms.

    Attributes:
        users_treated: Users with the promotion.
        users_control: Users without it.
        treated: Mean outcome with the promotion, as observed.
        control: Mean outcome without it, as observed.
        value: Difference of the means, less what the covariate explains of it.
        low: Lower end of its interval.
        high: Upper end of its interval.
        p_value: Chance of a difference as large if there is none; none where nothing varies.
        relative: Difference as a share of the mean without the promotion, with the ends of its
            interval by the delta method; NaN where that mean may be 0.
    """

    users_treated: int
    users_control: int
    treated: float
    control: float
    value: float
    low: float
    high: float
    p_value: float | None
    relative: tuple[float, float, float] = (math.nan, math.nan, math.nan)

    @property
    def is_finding(self) -> bool:
        """Whether the interval leaves out no difference."""
        return self.low > 0 or self.high < 0

    def scaled(self, factor: float) -> "Effect":
        """The effect with its interval, times a factor above 0."""
        value, low, high = (factor * number for number in (self.value, self.low, self.high))
        return replace(self, value=value, low=low, high=high, relative=(math.nan,) * 3)


def moments_of(
    users: int,
    mean: float,
    variance: float,
    covariate_mean: float = 0.0,
    covariate_variance: float = 0.0,
    covariance: float = 0.0,
) -> Moments:
    """The moments of an outcome and of the covariate that was known before.

    Args:
        users: Number of users.
        mean: Mean outcome.
        variance: Sample variance of the outcome.
        covariate_mean: Mean of the covariate.
        covariate_variance: Its sample variance; 0 where there is no covariate.
        covariance: Sample covariance of both.
    """
    return _make_moments(
        users,
        {_VALUE: mean, _COVARIATE: covariate_mean},
        {_VALUE: variance, _COVARIATE: covariate_variance},
        {(_VALUE, _COVARIATE): covariance},
    )


def mean_of(moments: Moments) -> float:
    """Mean outcome."""
    return float(moments.mean(_VALUE))


def variance_of(moments: Moments) -> float:
    """Sample variance of the outcome."""
    return float(moments.var(_VALUE))


def compare(treated: Moments, control: Moments, alpha: float = ALPHA) -> Effect:
    """Compare two arms by Welch's test, after CUPED where there is a covariate.

    CUPED subtracts from the outcome what a prediction from before the assignment explains of it
    (Deng et al. 2013), which leaves the difference as it is and makes its interval narrower.

    Args:
        treated: Users with the promotion.
        control: Users without it.
        alpha: Share of false alarms; the interval is that of 1 - alpha.
    """
    import tea_tasting as tt  # noqa: PLC0415  (slow to import)

    if variance_of(treated) <= 0 and variance_of(control) <= 0:
        return _without_noise(treated, control)
    metric = tt.Mean(_VALUE, _covariate(treated + control), confidence_level=1 - alpha)
    has_ratio = _is_above_zero(treated) and _is_above_zero(control)
    arms = {"treated": treated, "control": control}
    if not has_ratio:  # its logarithm would be beyond all numbers
        arms = _raised(arms)
    result = metric.analyze(arms, "control", "treated")
    effect = Effect(
        treated.count(),
        control.count(),
        mean_of(treated),
        mean_of(control),
        float(result.effect_size),
        float(result.effect_size_ci_lower),
        float(result.effect_size_ci_upper),
        float(result.pvalue),
    )
    relative = (
        float(result.rel_effect_size),
        float(result.rel_effect_size_ci_lower),
        float(result.rel_effect_size_ci_upper),
    )
    return replace(effect, relative=relative) if has_ratio else effect


def compare_segments(arms: Mapping[str, tuple[Moments, Moments]]) -> dict[str, Effect]:
    """Compare arms in several segments of users, corrected for looking at all of them.

    P-values are corrected by Holm's method, which holds however segments overlap; each interval is
    as wide as its corrected test.

    Args:
        arms: By segment, the users with the promotion and those without it.
    """
    import tea_tasting as tt  # noqa: PLC0415  (slow to import)

    plain = {segment: compare(*both) for segment, both in arms.items()}
    tested = {
        segment: tt.experiment.ExperimentResult({"effect": {"pvalue": effect.p_value}})
        for segment, effect in plain.items()
        if effect.p_value is not None
    }
    if not tested:
        return plain
    corrected = tt.adjust_fwer(tested, alpha=ALPHA, arbitrary_dependence=True, method="bonferroni")
    return plain | {
        segment: _corrected(*arms[segment], result["effect"])
        for segment, result in corrected.items()
    }


def sample_ratio_p_value(treated: int, control: int, ratio: float) -> float:
    """Chance of sizes of arms as unlikely as these, given their planned ratio.

    Args:
        treated: Users with the promotion.
        control: Users without it.
        ratio: Planned number of users with the promotion for each one without it.
    """
    import tea_tasting as tt  # noqa: PLC0415  (slow to import)

    arms = {"treated": _make_moments(treated), "control": _make_moments(control)}
    return float(tt.SampleRatio(ratio).analyze(arms, "control", "treated").pvalue)


def required_users(both_arms: Moments, difference: float, ratio: float) -> int:
    """Users of both arms together that a difference needs to be found, after CUPED.

    Args:
        both_arms: Some users of both arms together: it must not matter which arm a user is in.
        difference: Smallest difference that has to be found, with the chance `POWER`.
        ratio: Number of users with the promotion for each one without it.
    """
    import tea_tasting as tt  # noqa: PLC0415  (slow to import)

    metric = tt.Mean(
        _VALUE,
        _covariate(both_arms),
        effect_size=difference,
        ratio=ratio,
        alpha=ALPHA,
        power=POWER,
        use_t=False,
    )
    needed = float(metric.solve_power(both_arms, "n_obs")[0].n_obs)
    least = MIN_USERS_PER_ARM * (1 + ratio) / min(1, ratio)
    return math.ceil(max(needed, least))


def _make_moments(*parts: Any) -> Moments:
    from tea_tasting.aggr import Aggregates  # noqa: PLC0415  (slow to import)

    return Aggregates(*parts)


def _covariate(both_arms: Moments) -> str | None:
    return _COVARIATE if both_arms.var(_COVARIATE) > 0 else None


def _is_above_zero(moments: Moments) -> bool:
    """Whether a mean is above 0 beyond noise, so that one can divide by it."""
    error = math.sqrt(variance_of(moments) / moments.count())
    return mean_of(moments) > _ERRORS_ABOVE_ZERO * error


def _raised(arms: Mapping[str, Moments]) -> dict[str, Moments]:
    """Arms with as much added to each outcome as brings all means above 0.

    It changes no difference.
    """
    spread = math.sqrt(max(map(variance_of, arms.values())))
    amount = _ERRORS_ABOVE_ZERO * spread - min(map(mean_of, arms.values()))
    return {
        arm: _make_moments(
            moments.count(),
            {_VALUE: mean_of(moments) + amount, _COVARIATE: moments.mean(_COVARIATE)},
            moments.var_,
            moments.cov_,
        )
        for arm, moments in arms.items()
    }


def _corrected(treated: Moments, control: Moments, result: Mapping[str, Any]) -> Effect:
    effect = compare(treated, control, result["alpha_adj"])
    return replace(effect, p_value=float(result["pvalue_adj"]))


def _without_noise(treated: Moments, control: Moments) -> Effect:
    """The difference of arms without any variance, as costs have it."""
    means = mean_of(treated), mean_of(control)
    difference = means[0] - means[1]
    counts = treated.count(), control.count()
    return Effect(*counts, *means, difference, difference, difference, None)
