"""Models of user groups: each group gets the one that is better for it, its own or the global one.

Scope: which groups have enough users to try, and the comparison on a later snapshot.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.card.model_card import GroupCard
from ds_assets.core.models.data.snapshots import Fold, LabelledSnapshot
from ds_assets.core.models.data.sufficiency import has_enough
from ds_assets.core.models.data.training_rows import Rows, groups_of
from ds_assets.core.models.evaluation.metrics import Measure, mean_difference
from ds_assets.core.models.learning.calibration import sigmoid
from ds_assets.core.models.learning.learner import FittedClassifier, fit_classifier
from ds_assets.core.user_groups import largest_groups


@dataclass(frozen=True)
class Ensemble:
    """A model for all users, and group models by the group's name."""

    whole: FittedClassifier
    groups: Mapping[str, FittedClassifier] = field(default_factory=dict)

    def log_odds(self, rows: Rows) -> Floats:
        """Log-odds of each row by the model that answers for its user, shape (rows,)."""
        odds = rows.predict(self.whole.log_odds)
        for group, trees in self.groups.items():
            odds[rows.groups == group] = rows.of_group(group).predict(trees.log_odds)
        return odds


@dataclass(frozen=True)
class Contest:
    """Result of all groups' contests: their cards, and the models that won."""

    cards: tuple[GroupCard, ...]
    winners: Mapping[str, FittedClassifier]


def contest(
    fold: Fold,
    training: Rows,
    validation: Rows,
    whole: FittedClassifier,
    seed: int,
    max_fit_rows: int | None = None,
) -> Contest:
    """Let a model of each of the largest groups compete with the global one on its later users.

    Args:
        fold: The snapshots.
        training: Encoded rows of its training snapshots.
        validation: Encoded rows of its validation snapshot.
        whole: The global model, of the same training rows.
        seed: Makes training and intervals repeatable.
        max_fit_rows: Rows that a model is fitted to at most; none: all.
    """
    cards, winners = [], {}
    for group in largest_groups(validation.groups):
        if not has_enough(_of_group(fold, group)):
            few = "too few users of each outcome for its own"
            cards.append(_fallback(group, fold, validation, few))
            continue
        own = validation.of_group(group)
        trees = fit_group(training, group, whole.share, seed, max_fit_rows)
        difference = mean_difference(
            own.labels,
            sigmoid(own.predict(trees.log_odds)),
            sigmoid(own.predict(whole.log_odds)),
            seed,
        )
        cards.append(_decide(group, fold, own, difference))
        if cards[-1].model == "group":
            winners[group] = trees
    return Contest(tuple(cards), winners)


def fit_group(
    training: Rows, group: str, share: float, seed: int, max_rows: int | None = None
) -> FittedClassifier:
    """A model of the rows of one group."""
    own = training.of_group(group)
    return fit_classifier(own.matrix, own.labels, share, seed, max_rows)


def can_fit(training: Rows, group: str) -> bool:
    """Whether a group has rows of both outcomes."""
    own = training.labels[training.groups == group]
    return bool(own.any() and not own.all())


def _of_group(fold: Fold, group: str) -> Fold:
    def own(snapshot: LabelledSnapshot) -> LabelledSnapshot:
        return snapshot.rows(groups_of(snapshot) == group)

    return Fold(tuple(map(own, fold.training)), own(fold.validation))


def _fallback(group: str, fold: Fold, validation: Rows, reason: str) -> GroupCard:
    own = validation.labels[validation.groups == group]
    return GroupCard(
        group=group,
        snapshot=fold.validation.day,
        users=len(own),
        positives=int(np.count_nonzero(own)),
        model="global",
        reason=reason,
    )


def _decide(group: str, fold: Fold, own: Rows, difference: Measure) -> GroupCard:
    better = difference.high < 0
    worse = difference.low > 0
    compared = "better" if better else "worse" if worse else "no better beyond noise"
    return GroupCard(
        group=group,
        snapshot=fold.validation.day,
        users=len(own.labels),
        positives=int(np.count_nonzero(own.labels)),
        model="group" if better else "global",
        reason=f"its own model is {compared}",
        difference=difference,
    )
