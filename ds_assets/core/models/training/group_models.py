"""Models of user groups: each group gets its own where that is better for it than the global one.

A group's own model is the mean of a model of its rows and of the global one, or the former alone.

Scope: which groups have enough users to try, and the comparison on a later snapshot.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import NamedTuple

import numpy as np

from ds_assets.core.first_days import FIRST_DAYS
from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.data.snapshots import Fold, LabelledSnapshot
from ds_assets.core.models.data.sufficiency import has_enough
from ds_assets.core.models.data.training_rows import Rows, members_of
from ds_assets.core.models.evaluation.metrics import Measure, log_losses, mean_of
from ds_assets.core.models.learning.calibration import UNCHANGED, sigmoid
from ds_assets.core.models.learning.learner import (
    OWN_SHARES,
    FittedClassifier,
    GroupClassifier,
    fit_classifier,
)

TOO_FEW_USERS = "too few users of each outcome for its own"
NO_EARLIER_SNAPSHOT = "there is no earlier snapshot to choose on"


@dataclass(frozen=True)
class Ensemble:
    """A model for all users, and group models by name; of two for one user, the later serves."""

    whole: FittedClassifier
    groups: Mapping[str, GroupClassifier] = field(default_factory=dict)

    def log_odds(self, rows: Rows) -> Floats:
        """Log-odds of each row by the model that answers for its user, shape (rows,)."""
        odds = rows.predict(self.whole.log_odds)
        for group, own in self.groups.items():
            members = rows.members(group)
            odds[members] = rows.chosen(members).predict(own.log_odds)
        return odds

    def uncalibrated(self) -> "Ensemble":
        """The same models, as they were learnt."""
        own = {group: model.with_line(UNCHANGED) for group, model in self.groups.items()}
        return Ensemble(self.whole.with_line(UNCHANGED), own)

    def calibrated(self, training: Rows, slope: float) -> "Ensemble":
        """The same models with a slope, each at the level of its training rows."""
        return Ensemble(
            self.whole.calibrated(training, slope),
            {
                group: own.calibrated(training.of_group(group), slope)
                for group, own in self.groups.items()
            },
        )


class FoldRows(NamedTuple):
    """Encoded rows of the training snapshots of a fold, and of its validation snapshot."""

    training: Rows
    validation: Rows


@dataclass(frozen=True)
class GroupDecision:
    """Which model serves a group.

    Attributes:
        group: Its name.
        has_own_model: Whether its own model serves it.
        reason: Why, in words.
        difference: Log loss of its own model minus that of the global one, of the mean of both
            where the global one serves it; None if none was tried.
    """

    group: str
    has_own_model: bool
    reason: str
    difference: Measure | None = None


@dataclass(frozen=True)
class Contest:
    """Result of all groups' contests: the decisions, and the models that won."""

    decisions: tuple[GroupDecision, ...]
    winners: Mapping[str, GroupClassifier]


def contest(
    fold: Fold,
    rows: FoldRows,
    whole: FittedClassifier,
    groups: Sequence[str],
    seed: int,
    max_fit_rows: int | None = None,
) -> Contest:
    """Let a model of each group compete with those that serve it on its later users.

    Where the user groups' own models are better beyond noise for all of their users together, a
    group need not prove it alone, which few groups have the users for. Users in their first days
    may have been given a model of their user group before.

    Args:
        fold: The snapshots.
        rows: Their encoded rows.
        whole: The global model, of the same training rows.
        groups: The user groups, then those of the first days.
        seed: Makes training and intervals repeatable.
        max_fit_rows: Rows that a model is fitted to at most; none: all.
    """
    decisions: list[GroupDecision] = []
    winners: dict[str, GroupClassifier] = {}
    by_kind = groupby(groups, key=lambda group: group in FIRST_DAYS)
    for of_first_days, members in by_kind:
        serving = Ensemble(whole, dict(winners))
        trials = [
            _try_group(group, serving, rows, seed, max_fit_rows)
            if has_enough(_of_group(fold, group))
            else group
            for group in members
        ]
        differ = not of_first_days and _differ_together(trials, seed)
        for trial in trials:
            decision, winner = _decide(trial, seed, differ_together=differ)
            decisions.append(decision)
            if winner is not None:
                winners[decision.group] = winner
    return Contest(tuple(decisions), winners)


@dataclass(frozen=True)
class _Trial:
    """Models of a group, and how they do on its later users.

    Attributes:
        group: Its name.
        pooled: The mean of a model of its rows and of the global one.
        alone: The model of its rows.
        pooled_losses: Log loss of the former less that of what serves the users, shape (users,).
        alone_losses: The same of the latter.
    """

    group: str
    pooled: GroupClassifier
    alone: GroupClassifier
    pooled_losses: Floats
    alone_losses: Floats


def _try_group(
    group: str, serving: Ensemble, rows: FoldRows, seed: int, max_fit_rows: int | None
) -> _Trial:
    users, training = rows.validation.of_group(group), rows.training.of_group(group)
    pooled_share, whole_share = OWN_SHARES
    pooled = fit_group(training, serving.whole, pooled_share, seed, max_fit_rows)
    alone = replace(pooled, own_share=whole_share).calibrated(training)
    served, *losses = (
        log_losses(users.labels, sigmoid(odds))
        for odds in (
            serving.log_odds(users),
            users.predict(pooled.log_odds),
            users.predict(alone.log_odds),
        )
    )
    return _Trial(group, pooled, alone, *(own - served for own in losses))


def _differ_together(trials: Sequence[_Trial | str], seed: int) -> bool:
    """Whether the pooled models of several groups are better for their users taken together."""
    losses = [trial.pooled_losses for trial in trials if isinstance(trial, _Trial)]
    return len(losses) > 1 and mean_of(np.concatenate(losses), seed).high < 0


def _decide(
    trial: _Trial | str, seed: int, *, differ_together: bool
) -> tuple[GroupDecision, GroupClassifier | None]:
    """Choose a group's model: the simplest stays unless it is beaten.

    Args:
        trial: The group's models, or the name of a group with too few users.
        seed: Makes intervals repeatable.
        differ_together: Whether the models of all groups together are better beyond noise.
    """
    if isinstance(trial, str):
        return GroupDecision(trial, has_own_model=False, reason=TOO_FEW_USERS), None
    pooled, alone = mean_of(trial.pooled_losses, seed), mean_of(trial.alone_losses, seed)
    if alone.high < 0 and mean_of(trial.alone_losses - trial.pooled_losses, seed).high < 0:
        return GroupDecision(trial.group, True, "its own model is better", alone), trial.alone
    if pooled.high < 0:
        reason = "the mean of its own model and the global one is better"
        return GroupDecision(trial.group, True, reason, pooled), trial.pooled
    if differ_together and pooled.value < 0:
        reason = "means of own models and the global one are better for all groups together"
        return GroupDecision(trial.group, True, reason, pooled), trial.pooled
    compared = "worse" if pooled.low > 0 else "no better beyond noise"
    return GroupDecision(trial.group, False, f"its own model is {compared}", pooled), None


def decline_contest(groups: Sequence[str]) -> Contest:
    """Let the global model serve all groups, as there is no earlier snapshot to compete on."""
    decisions = (
        GroupDecision(group, has_own_model=False, reason=NO_EARLIER_SNAPSHOT) for group in groups
    )
    return Contest(tuple(decisions), {})


def fit_rows(
    training: Rows, share: float, seed: int, max_rows: int | None = None, slope: float = 1.0
) -> FittedClassifier:
    """A model of training rows, at their level; see `fit_classifier`."""
    return _fit_uncalibrated(training, share, seed, max_rows).calibrated(training, slope)


def fit_group(
    training: Rows,
    whole: FittedClassifier,
    own_share: float,
    seed: int,
    max_rows: int | None = None,
    slope: float = 1.0,
) -> GroupClassifier:
    """A model of a group's training rows, at their level.

    Args:
        training: The rows of the group.
        whole: The global model, of the same encoding.
        own_share: Weight of a model of these rows alone.
        seed: Makes training repeatable.
        max_rows: Rows that it is fitted to at most; none: all.
        slope: Slope of its calibration.
    """
    own = _fit_uncalibrated(training, whole.share, seed, max_rows)
    return GroupClassifier(own, whole, own_share).calibrated(training, slope)


def _fit_uncalibrated(
    training: Rows, share: float, seed: int, max_rows: int | None
) -> FittedClassifier:
    categories = training.encoding.categorical
    return fit_classifier(
        training.matrix, training.labels, share, seed, max_rows, categories=categories
    )


def can_fit(training: Rows, group: str) -> bool:
    """Whether a group has rows of both outcomes."""
    own = training.labels[training.members(group)]
    return bool(own.any() and not own.all())


def _of_group(fold: Fold, group: str) -> Fold:
    def own(snapshot: LabelledSnapshot) -> LabelledSnapshot:
        return snapshot.rows(members_of(snapshot, group))

    return Fold(tuple(map(own, fold.training)), own(fold.validation))
