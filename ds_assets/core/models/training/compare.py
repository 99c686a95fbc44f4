"""How good a challenger is: all contenders on the users of each fold, and on some of the users.

Scope: which contenders are measured on which users.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.card.model_card import DELIVERED, GLOBAL, Evaluation, GroupCard, Segment
from ds_assets.core.models.data.sufficiency import can_validate
from ds_assets.core.models.evaluation.baselines import recency_scores
from ds_assets.core.models.evaluation.metrics import Measures, Scores, measure
from ds_assets.core.models.learning.calibration import sigmoid
from ds_assets.core.models.training.challenger import Challenger, ValidatedFold
from ds_assets.core.targets import Target

FIRST_WEEK_DAYS = 7


def evaluate(
    one: ValidatedFold, target: Target, delivered: Floats, others: Mapping[str, Floats], seed: int
) -> Evaluation:
    """Measure all contenders on the users of a fold.

    Args:
        one: The fold.
        target: What is predicted.
        delivered: Probabilities of the model that is delivered, shape (users,).
        others: Probabilities of other models, by the contender's name.
        seed: Makes intervals repeatable.
    """
    labels, validation = one.validation.labels, one.fold.validation
    simple = sigmoid(one.ensemble.whole.linear.log_odds(one.validation.matrix))
    models = {DELIVERED: delivered, **others, **_global(one), "logistic_regression": simple}
    rule = Scores(recency_scores(target, validation.features), are_probabilities=False)
    scores = {name: Scores(values) for name, values in models.items()} | {"recency": rule}
    return Evaluation(
        snapshot=validation.day,
        trained_on=tuple(snapshot.day for snapshot in one.fold.training),
        users=len(labels),
        positives=int(labels.sum()),
        contenders=measure(labels, scores, seed),
    )


def first_week(one: ValidatedFold, seed: int) -> Segment:
    """How good the model is for users in their first week."""
    new = one.fold.validation.features["tenure_days"].to_numpy() < FIRST_WEEK_DAYS
    return Segment(
        snapshot=one.fold.validation.day,
        users=int(new.sum()),
        positives=int(one.validation.labels[new].sum()),
        measures=_of_some(one, new, seed),
    )


def group_cards(challenger: Challenger, seed: int) -> tuple[GroupCard, ...]:
    """Cards of the groups, with the measures of the model that serves each."""
    latest = challenger.validated[0]
    return tuple(
        card.model_copy(
            update={"measures": _of_some(latest, latest.validation.groups == card.group, seed)}
        )
        for card in challenger.contest.cards
    )


def _global(one: ValidatedFold) -> dict[str, Floats]:
    """Probabilities of the model for all users, if some groups have separate models."""
    if not one.ensemble.groups:
        return {}
    raw = one.ensemble.whole.log_odds(one.validation.matrix)
    return {GLOBAL: sigmoid(one.calibration.log_odds(raw))}


def _of_some(one: ValidatedFold, chosen: NDArray[np.bool_], seed: int) -> Measures | None:
    if not can_validate(one.fold.validation.rows(chosen)):
        return None
    scores = {DELIVERED: Scores(one.probabilities[chosen])}
    return measure(one.validation.labels[chosen], scores, seed)[DELIVERED]
