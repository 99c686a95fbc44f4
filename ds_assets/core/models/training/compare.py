"""How good a challenger is: all contenders on the users of each fold, and on some of the users.

Scope: which contenders are measured on which users.
"""

from collections.abc import Mapping

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
from ds_assets.core.models.data.sufficiency import can_validate
from ds_assets.core.models.data.training_rows import Rows
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
from ds_assets.core.models.training.challenger import Challenger, ValidatedFold
from ds_assets.core.models.training.group_models import TOO_FEW_USERS, GroupDecision, can_fit
from ds_assets.core.targets import Target

FIRST_WEEK_DAYS = 7


def evaluate(
    validated: ValidatedFold,
    target: Target,
    delivered: Floats,
    others: Mapping[str, Floats],
    seed: int,
) -> Evaluation:
    """Measure all contenders on the users of a fold.

    Args:
        validated: The fold.
        target: What is predicted.
        delivered: Probabilities of the model that is delivered, shape (users,).
        others: Probabilities of other models, by the contender's name.
        seed: Makes intervals repeatable.
    """
    labels, validation = validated.validation.labels, validated.fold.validation
    simple = sigmoid(validated.validation.predict(validated.ensemble.whole.linear.log_odds))
    models = {DELIVERED: delivered, **others, **_global(validated), "logistic_regression": simple}
    rule = recency_scores(target, validation.features)
    scores = {name: Scores(values) for name, values in models.items()}
    scores[RECENCY] = Scores(rule, are_probabilities=False)
    return Evaluation(
        snapshot=validation.day,
        trained_on=tuple(snapshot.day for snapshot in validated.fold.training),
        users=len(labels),
        positives=int(labels.sum()),
        contenders=measure(labels, scores, seed),
        curves=compute_curves(labels, delivered, {DELIVERED: delivered, RECENCY: rule}),
    )


def calibration_gain(validated: ValidatedFold, seed: int) -> Measure:
    """Log loss of a fold's models as calibrated minus that of the same models as learnt."""
    learnt = sigmoid(validated.ensemble.uncalibrated().log_odds(validated.validation))
    return mean_difference(validated.validation.labels, validated.probabilities, learnt, seed)


def first_week(validated: ValidatedFold, seed: int) -> Segment:
    """How good the model is for users in their first week."""
    new = validated.fold.validation.features["tenure_days"].to_numpy() < FIRST_WEEK_DAYS
    return Segment(
        snapshot=validated.fold.validation.day,
        users=int(new.sum()),
        positives=int(validated.validation.labels[new].sum()),
        measures=_of_some(validated, new, seed),
    )


def group_cards(challenger: Challenger, rows: Rows, seed: int) -> tuple[GroupCard, ...]:
    """Cards of the groups, with the measures of the model that serves each.

    Args:
        challenger: The choices, and the validated models.
        rows: Rows that the delivered model is trained on.
        seed: Makes intervals repeatable.
    """
    cards = (
        _group_card(decision, challenger.validated[0], rows, seed)
        for decision in challenger.choices.contest.decisions
    )
    return tuple(cards)


def _group_card(decision: GroupDecision, latest: ValidatedFold, rows: Rows, seed: int) -> GroupCard:
    chosen = latest.validation.members(decision.group)
    can_serve = decision.group in latest.ensemble.groups and can_fit(rows, decision.group)
    is_dropped = decision.has_own_model and not can_serve
    return GroupCard(
        group=decision.group,
        snapshot=latest.fold.validation.day,
        users=int(chosen.sum()),
        positives=int(latest.validation.labels[chosen].sum()),
        model="group" if can_serve else "global",
        reason=TOO_FEW_USERS if is_dropped else decision.reason,
        difference=decision.difference,
        measures=_of_some(latest, chosen, seed),
    )


def _global(validated: ValidatedFold) -> dict[str, Floats]:
    """Probabilities of the model for all users, if some groups have separate models."""
    if not validated.ensemble.groups:
        return {}
    return {GLOBAL: sigmoid(validated.validation.predict(validated.ensemble.whole.log_odds))}


def _of_some(validated: ValidatedFold, chosen: NDArray[np.bool_], seed: int) -> Measures | None:
    if not can_validate(validated.fold.validation.rows(chosen)):
        return None
    scores = {DELIVERED: Scores(validated.probabilities[chosen])}
    return measure(validated.validation.labels[chosen], scores, seed)[DELIVERED]
