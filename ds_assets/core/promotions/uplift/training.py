"""Learn effects from earlier users, choose whom to treat, and evaluate both on later users.

Scope: the order of the steps. What each does is in the modules beside this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats, Labels
from ds_assets.core.promotions.uplift.arms import fit_arms, fit_spend_arms, list_shortfalls
from ds_assets.core.promotions.uplift.effects import EffectModel, fit_effect
from ds_assets.core.promotions.uplift.groups import EffectGroup, group_users, measure_groups
from ds_assets.core.promotions.uplift.policy import (
    PolicyDecision,
    PolicyName,
    choose_by_profit,
    choose_risk_share,
    decide_policy,
)
from ds_assets.core.promotions.uplift.trial import Trial
from ds_assets.core.promotions.uplift.validation import (
    EffectValidation,
    Predicted,
    predict_effects,
    validate_effect,
)


@dataclass(frozen=True)
class Value:
    """What effects are worth, in the unit of the spend.

    Attributes:
        cost: Of one treated user.
        worth: Of one more user with the wanted outcome, beside what is spent.
        counts_spend: Whether spend counts.
    """

    cost: float = 0.0
    worth: float = 0.0
    counts_spend: bool = True

    def profits(self, wanted: Floats, spend: Floats | None) -> Floats:
        """Effect times value less cost, shape (rows,)."""
        earned = self.worth * wanted
        return earned - self.cost + (0.0 if spend is None or not self.counts_spend else spend)

    @property
    def is_measured(self) -> bool:
        """Whether anything can be earned."""
        return self.counts_spend or self.worth > 0


@dataclass(frozen=True)
class UpliftModel:
    """Models of the effect of a promotion.

    Attributes:
        wanted: Effect on the probability of the wanted outcome.
        spend: Effect on spend; None where nothing is known of it, or too few users spend.
    """

    wanted: EffectModel
    spend: EffectModel | None

    def profits(self, trial: Trial, value: Value) -> Floats:
        """Expected profit of treating each row, shape (rows,)."""
        spend = None if self.spend is None else self.spend.effects(trial)
        return value.profits(self.wanted.effects(trial), spend)


class UpliftValidation(BaseModel):
    """A model of effects and a policy, compared with what later users did.

    Attributes:
        wanted: Effect on the probability of the wanted outcome.
        spend: Effect on spend; None without a model of it.
        groups: Four groups of users; none where effects do not differ.
        decision: Which policy is used; None where nothing is earned.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    wanted: EffectValidation
    spend: EffectValidation | None
    groups: tuple[EffectGroup, ...]
    decision: PolicyDecision | None


def fit_uplift(trial: Trial, seed: int) -> UpliftModel | None:
    """Learn effects on the wanted outcome and on spend; None where there are too few rows."""
    if list_shortfalls(trial.wanted, trial.treated, "the wanted outcome"):
        return None
    wanted = fit_effect(trial, trial.wanted.astype(np.float64), fit_arms, seed)
    if wanted is None:
        return None
    spend = None
    if trial.spend is not None:
        spend = fit_effect(trial, trial.spend, fit_spend_arms, seed)
    return UpliftModel(wanted, spend)


def validate_uplift(
    model: UpliftModel, training: Trial, validation: Trial, value: Value, seed: int
) -> UpliftValidation:
    """Compare a model and its policy with what later users did.

    Args:
        model: A model of the training rows.
        training: The rows that it has learnt from, on which policies are chosen.
        validation: Later rows.
        value: What effects are worth.
        seed: Makes intervals repeatable.
    """
    happened = validation.wanted.astype(np.float64)
    wanted = predict_effects(model.wanted, validation, happened)
    spend = None
    if model.spend is not None and validation.spend is not None:
        spend = predict_effects(model.spend, validation, validation.spend)
    return UpliftValidation(
        wanted=validate_effect(wanted, model.wanted.line, validation, happened, seed),
        spend=None
        if spend is None or model.spend is None or validation.spend is None
        else validate_effect(spend, model.spend.line, validation, validation.spend, seed),
        groups=_groups(wanted, validation) if model.wanted.line.differs else (),
        decision=_decide(model, training, validation, value, (wanted, spend)),
    )


def _groups(wanted: Predicted, validation: Trial) -> tuple[EffectGroup, ...]:
    groups = group_users(wanted.low, wanted.high, wanted.without)
    weights = validation.row_weights
    return measure_groups(groups, wanted.without, wanted.effects, wanted.scores, weights)


def _decide(
    model: UpliftModel,
    training: Trial,
    validation: Trial,
    value: Value,
    predicted: tuple[Predicted, Predicted | None],
) -> PolicyDecision | None:
    wanted, spend = predicted
    if not value.is_measured or (value.worth == 0 and spend is None):
        return None
    lines = [model.wanted.line] if value.worth else []
    lines += [] if model.spend is None or not value.counts_spend else [model.spend.line]
    profits = value.profits(wanted.effects, None if spend is None else spend.effects)
    scores = value.profits(wanted.scores, None if spend is None else spend.scores)
    differs = any(line.differs for line in lines)
    policies = _policies(model, training, value, profits, 1 - wanted.without)
    return decide_policy(policies, scores, validation.row_weights, differs=differs)


def _policies(
    model: UpliftModel, training: Trial, value: Value, profits: Floats, risks: Floats
) -> Mapping[PolicyName, Labels]:
    """Whom each policy treats; the share by risk is chosen on the training rows."""
    spend = None if model.spend is None else model.spend.scores
    earlier = value.profits(model.wanted.scores, spend)
    bound = choose_risk_share(1 - model.wanted.without, earlier, training.row_weights)
    everyone = np.ones(len(profits), dtype=bool)
    return {
        "uplift": choose_by_profit(profits),
        "all": everyone,
        "nobody": ~everyone,
        "risk": risks >= bound,
    }
