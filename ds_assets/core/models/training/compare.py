"""How good a model is: all contenders on the users of a validation snapshot, and on some of them.

Scope: which contenders are measured on which users.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.card.model_card import (
    DELIVERED,
    GLOBAL,
    RECENCY,
    Evaluation,
    GroupCard,
    Segment,
)
from ds_assets.core.models.data.snapshots import LabelledSnapshot
from ds_assets.core.models.data.sufficiency import can_validate
from ds_assets.core.models.data.training_rows import members_of
from ds_assets.core.models.evaluation.baselines import recency_scores
from ds_assets.core.models.evaluation.metrics import (
    Measure,
    Measures,
    Scores,
    mean_difference,
    measure,
)
from ds_assets.core.models.evaluation.validation_curves import compute_curves
from ds_assets.core.models.learning.calibration import sigmoid
from ds_assets.core.models.training.challenger import ValidatedFold
from ds_assets.core.models.training.group_models import GroupDecision
from ds_assets.core.targets import Target

FIRST_WEEK_DAYS = 7


@dataclass(frozen=True)
class Scored:
    """A validation snapshot, and what a model that has not seen its outcomes predicts.

    Attributes:
        snapshot: The snapshot.
        probabilities: Of its users, shape (users,).
        trained_on: Snapshots that the model was trained on.
    """

    snapshot: LabelledSnapshot
    probabilities: Floats
    trained_on: Sequence[dt.date]


def evaluate(target: Target, scored: Scored, others: Mapping[str, Floats], seed: int) -> Evaluation:
    """Measure all contenders on the users of a validation snapshot.

    Args:
        target: What is predicted.
        scored: The snapshot, with the probabilities of the model that is delivered.
        others: Probabilities of other models, by the contender's name.
        seed: Makes intervals repeatable.
    """
    labels, rule = scored.snapshot.outcomes, recency_scores(target, scored.snapshot.features)
    models = {DELIVERED: scored.probabilities, **others}
    scores = {name: Scores(values) for name, values in models.items()}
    scores[RECENCY] = Scores(rule, are_probabilities=False)
    return Evaluation(
        snapshot=scored.snapshot.day,
        trained_on=tuple(scored.trained_on),
        users=len(labels),
        positives=int(labels.sum()),
        contenders=measure(labels, scores, seed),
        curves=compute_curves(
            labels, scored.probabilities, {DELIVERED: scored.probabilities, RECENCY: rule}
        ),
    )


def score_fold(validated: ValidatedFold) -> Scored:
    """The validation snapshot of a fold with the probabilities of its own models."""
    days = [snapshot.day for snapshot in validated.fold.training]
    return Scored(validated.fold.validation, validated.probabilities, days)


def parts_of_fold(validated: ValidatedFold) -> dict[str, Floats]:
    """Probabilities of the parts of a fold's models, as contenders.

    They are the linear model and, if some groups have separate models, the model for all users.
    """
    whole, validation = validated.ensemble.whole, validated.validation
    parts = {"logistic_regression": sigmoid(validation.predict(whole.linear.log_odds))}
    if validated.ensemble.groups:
        parts = {GLOBAL: sigmoid(validation.predict(whole.log_odds))} | parts
    return parts


def calibration_gain(validated: ValidatedFold, seed: int) -> Measure:
    """Log loss of a fold's models as calibrated minus that of the same models as learnt."""
    learnt = sigmoid(validated.ensemble.uncalibrated().log_odds(validated.validation))
    return mean_difference(validated.validation.labels, validated.probabilities, learnt, seed)


def first_week(scored: Scored, seed: int) -> Segment:
    """How good a model is for users in their first week."""
    new = scored.snapshot.features["tenure_days"].to_numpy() < FIRST_WEEK_DAYS
    return Segment(
        snapshot=scored.snapshot.day,
        users=int(new.sum()),
        positives=int(scored.snapshot.outcomes[new].sum()),
        measures=_of_some(scored, new, seed),
    )


def group_card(decision: GroupDecision, scored: Scored, seed: int) -> GroupCard:
    """The card of a group, as far as it is known before the delivered models are fitted.

    Args:
        decision: Which model is to serve it.
        scored: A validation snapshot.
        seed: Makes intervals repeatable.
    """
    return GroupCard(
        group=decision.group,
        model="group" if decision.has_own_model else "global",
        reason=decision.reason,
        difference=decision.difference,
        **measure_group(decision.group, scored, seed),
    )


def measure_group(group: str, scored: Scored, seed: int) -> dict[str, Any]:
    """What the card of a group says of its users of a validation snapshot."""
    chosen = members_of(scored.snapshot, group)
    return {
        "snapshot": scored.snapshot.day,
        "users": int(chosen.sum()),
        "positives": int(scored.snapshot.outcomes[chosen].sum()),
        "measures": _of_some(scored, chosen, seed),
    }


def _of_some(scored: Scored, chosen: NDArray[np.bool_], seed: int) -> Measures | None:
    snapshot = scored.snapshot.rows(chosen)
    if not can_validate(snapshot):
        return None
    scores = {DELIVERED: Scores(scored.probabilities[chosen])}
    return measure(snapshot.outcomes, scores, seed)[DELIVERED]
