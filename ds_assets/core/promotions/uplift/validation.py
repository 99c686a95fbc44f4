"""A model of effects compared with what later users did.

Scope: the numbers of a validation; those of a ranking are in `measures`.
"""

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.evaluation.metrics import Measure
from ds_assets.core.promotions.uplift.effects import EffectLine, EffectModel
from ds_assets.core.promotions.uplift.measures import (
    EffectTenth,
    RankingMeasures,
    measure_mean,
    measure_rankings,
    measure_slope,
    measure_tenths,
)
from ds_assets.core.promotions.uplift.trial import Trial, effect_scores

UPLIFT, RESPONSE, RISK = "uplift", "response", "propensity"
"""Rankings by effect, by the expected outcome with treatment, and by that without."""


class EffectValidation(BaseModel):
    """Predicted effects beside measured ones, of users whom the model has not seen.

    Attributes:
        treated: Treated users.
        control: Users without treatment.
        mean_treated: Their mean outcomes.
        mean_control: The same of the users without.
        average: Average effect.
        line: Calibration of the model, with the test whether effects differ.
        slope: Slope of measured over predicted effects, 1 if differences come true as predicted,
            with the noise of both; None where the same effect is predicted for all users.
        tenths: Tenths of the users by predicted effect, the largest first; none likewise.
        rankings: Rankings of the users by name; that by uplift is claimed only where effects
            differ.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    treated: int
    control: int
    mean_treated: float
    mean_control: float
    average: Measure
    line: EffectLine
    slope: Measure | None
    tenths: tuple[EffectTenth, ...]
    rankings: dict[str, RankingMeasures]


@dataclass(frozen=True)
class Predicted:
    """What a model says of rows that it has not seen, each of shape (rows,).

    Attributes:
        without: Expected outcome without treatment.
        treated: Expected outcome with treatment.
        effects: Calibrated effect.
        low: Lower end of its 95 % interval.
        high: Its upper end.
        scores: What `effect_scores` returned.
    """

    without: Floats
    treated: Floats
    effects: Floats
    low: Floats
    high: Floats
    scores: Floats


def predict_effects(model: EffectModel, trial: Trial, outcomes: Floats) -> Predicted:
    """Apply a model of effects to rows that it was not trained on.

    Args:
        model: The model.
        trial: The rows.
        outcomes: The outcome that it has learnt, shape (rows,).
    """
    without, treated = model.arms.expected(trial)
    differences = treated - without
    low, high = model.line.intervals(differences)
    scores = effect_scores(trial, outcomes, without, treated)
    return Predicted(without, treated, model.line.effects(differences), low, high, scores)


def validate_effect(
    predicted: Predicted, line: EffectLine, trial: Trial, outcomes: Floats, seed: int
) -> EffectValidation:
    """Measure predicted effects.

    Args:
        predicted: What `predict_effects` returned for the rows.
        line: The calibration of the model.
        trial: The rows.
        outcomes: The outcome that the model has learnt, shape (rows,).
        seed: Makes intervals repeatable.
    """
    weights, treated = trial.row_weights, trial.treated
    rankings = {
        UPLIFT: predicted.treated - predicted.without,
        RESPONSE: predicted.treated,
        RISK: predicted.without,
    }
    tenths = measure_tenths(predicted.effects, predicted.scores, weights)
    return EffectValidation(
        treated=int(treated.sum()),
        control=int((~treated).sum()),
        mean_treated=float(np.average(outcomes[treated], weights=weights[treated])),
        mean_control=float(np.average(outcomes[~treated], weights=weights[~treated])),
        average=measure_mean(predicted.scores, weights),
        line=line,
        slope=measure_slope(predicted.effects, predicted.scores, weights, line),
        tenths=tenths if line.differs else (),
        rankings=measure_rankings(trial, outcomes, rankings, seed),
    )
