"""The challenger: a new model, with every choice made on an earlier snapshot than is reported.

The choices are made on the latest snapshot whose outcomes were known on the day of the latest
validation snapshot. So the model that is validated there was made, as a whole, from what was known
on that day. Where there is no such snapshot yet, nothing is chosen.

Scope: the training window, group models and the blend, of which the simpler choice stays unless the
other is better beyond noise, and the calibration. Options are compared at the level at which they
would be delivered. `compare.py` measures the result, `champion.py` decides whether it replaces
yesterday's model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ds_assets.core.encoding import Encoding
from ds_assets.core.first_days import FIRST_DAYS
from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.card.model_card import Blend, TrainingWindow
from ds_assets.core.models.data.snapshots import (
    FOLDS,
    Fold,
    LabelledSnapshot,
    choice_day,
    folds,
    sampled,
)
from ds_assets.core.models.data.sufficiency import has_enough
from ds_assets.core.models.data.training_rows import (
    Rows,
    encoding_of,
    groups_of,
    members_of,
    rows_of,
)
from ds_assets.core.models.evaluation.metrics import mean_difference
from ds_assets.core.models.learning.calibration import fit_slope, sigmoid
from ds_assets.core.models.learning.learner import LINEAR_SHARE
from ds_assets.core.models.training.group_models import (
    Contest,
    Ensemble,
    FoldRows,
    can_fit,
    contest,
    decline_contest,
    fit_group,
    fit_rows,
)
from ds_assets.core.user_groups import largest_groups

SHORTER_WINDOWS = (12, 4, 2)
"""Numbers of snapshots that are tried beside all of them, for a game that has changed."""
MAX_CHOICE_ROWS = 60_000
"""Rows that a model which is compared or validated is fitted to at most: fewer than those of a
delivered one, as there are many of them. On a later snapshot they cost at most 0.0004 of AUC."""
MAX_VALIDATION_ROWS = 50_000
"""Users beyond which intervals get no narrower than what one week differs from another."""


@dataclass(frozen=True)
class ValidatedFold:
    """A fold, a model of its training snapshots, and the rows of the validation snapshot."""

    fold: Fold
    encoding: Encoding
    training: Rows
    validation: Rows
    ensemble: Ensemble

    @cached_property
    def log_odds(self) -> Floats:
        """Log-odds of the validation users, shape (users,)."""
        return self.ensemble.log_odds(self.validation)

    @property
    def probabilities(self) -> Floats:
        """Probabilities of the validation users, shape (users,)."""
        return sigmoid(self.log_odds)

    def calibrated(self, slope: float) -> "ValidatedFold":
        """The same with models of a slope."""
        return replace(self, ensemble=self.ensemble.calibrated(self.training, slope))


@dataclass(frozen=True)
class Choices:
    """How a model is made.

    Attributes:
        memory: How many snapshots it is trained on.
        mixture: How much of it is linear.
        contest: Which user groups have models of their own.
        fold: The fold on which this was chosen, with the models of the choices; None if nothing
            was chosen.
    """

    memory: TrainingWindow
    mixture: Blend
    contest: Contest
    fold: ValidatedFold | None


@dataclass(frozen=True)
class Challenger:
    """The choices for a model, and the validated models that were made with them.

    Attributes:
        validated: The folds that are reported, latest first.
        choices: How the model is made.
        slope: Slope of the delivered model's calibration, fitted to the outcomes of the latest
            fold. That of the latest fold's own model is fitted to the outcomes of the fold on which
            choices were made; earlier folds have none.
    """

    validated: tuple[ValidatedFold, ...]
    choices: Choices
    slope: float


def make_challenger(
    snapshots: Sequence[LabelledSnapshot], seed: int, max_fit_rows: int = MAX_CHOICE_ROWS
) -> Challenger:
    """Choose how to make a model.

    Args:
        snapshots: Ascending by day; enough to train and validate one.
        seed: Makes training and intervals repeatable.
        max_fit_rows: Rows that a model is fitted to at most; no more than `MAX_CHOICE_ROWS` are.
    """
    limit = min(max_fit_rows, MAX_CHOICE_ROWS)
    usable = [
        Fold(fold.training, thin(fold.validation)) for fold in folds(snapshots) if has_enough(fold)
    ]
    chosen_on = choice_day({snapshot.day: snapshot.matured_on for snapshot in snapshots})
    fold = next((fold for fold in usable if fold.validation.day == chosen_on), None)
    groups = _find_groups(usable[0].validation)
    choices = _default_choices(groups) if fold is None else _choose(fold, groups, seed, limit)
    validated = [
        choices.fold
        if choices.fold is not None and fold.validation.day == chosen_on
        else _fit_fold(
            trim_history(fold, choices.memory),
            {group: own.own_share for group, own in choices.contest.winners.items()},
            choices.mixture.linear_share,
            seed,
            limit,
        )
        for fold in usable
    ]
    latest, *earlier = validated[:FOLDS]
    slope = fit_slope(latest.log_odds, latest.validation.labels)
    if choices.fold is not None:
        labels = choices.fold.validation.labels
        latest = latest.calibrated(fit_slope(choices.fold.log_odds, labels))
    return Challenger((latest, *earlier), choices, slope)


def _find_groups(latest: LabelledSnapshot) -> list[str]:
    """The groups that are tried: the largest user groups, and users in their first days."""
    first_days = [name for name in FIRST_DAYS if members_of(latest, name).any()]
    return [*largest_groups(groups_of(latest)), *first_days]


def _choose(fold: Fold, groups: Sequence[str], seed: int, max_fit_rows: int) -> Choices:
    """Choose on a fold."""
    memory, best = _remember(fold, seed, max_fit_rows)
    mixture, best = _mix(best, seed)
    whole = best.ensemble.whole
    decided = contest(
        best.fold, FoldRows(best.training, best.validation), whole, groups, seed, max_fit_rows
    )
    best = replace(best, ensemble=Ensemble(whole, decided.winners))
    return Choices(memory, mixture, decided, best)


def _default_choices(groups: Sequence[str]) -> Choices:
    """The simplest options, for a game without an earlier snapshot to choose on."""
    return Choices(
        TrainingWindow(snapshots=None, differences={}),
        Blend(linear_share=LINEAR_SHARE, difference=None),
        decline_contest(groups),
        fold=None,
    )


def trim_history(fold: Fold, memory: TrainingWindow) -> Fold:
    """A fold with the training snapshots that are remembered."""
    return fold if memory.snapshots is None else _take_latest(fold, memory.snapshots)


def _take_latest(fold: Fold, snapshots: int) -> Fold:
    return Fold(fold.training[-snapshots:], fold.validation)


def thin(validation: LabelledSnapshot) -> LabelledSnapshot:
    """A validation snapshot with at most about `MAX_VALIDATION_ROWS` of its users."""
    (some,) = sampled([validation], MAX_VALIDATION_ROWS)
    return some


def _fit_fold(
    fold: Fold, own_shares: Mapping[str, float], share: float, seed: int, max_fit_rows: int
) -> ValidatedFold:
    """Train on a fold: a model for all users, and one for each of these groups that has enough.

    Args:
        fold: The fold.
        own_shares: By group, the weight of the model of its rows alone.
        share: Share of the linear model.
        seed: Makes training repeatable.
        max_fit_rows: Rows that a model is fitted to at most.
    """
    encoding = encoding_of(fold.training)
    training, validation = rows_of(fold.training, encoding), rows_of([fold.validation], encoding)
    whole = fit_rows(training, share, seed, max_fit_rows)
    own = {
        group: fit_group(training.of_group(group), whole, own_share, seed, max_fit_rows)
        for group, own_share in own_shares.items()
        if can_fit(training, group)
    }
    return ValidatedFold(fold, encoding, training, validation, Ensemble(whole, own))


def _remember(fold: Fold, seed: int, max_fit_rows: int) -> tuple[TrainingWindow, ValidatedFold]:
    """A model of all snapshots, or of the latest few where that is better beyond noise."""
    shorter = [_take_latest(fold, n) for n in SHORTER_WINDOWS if n < len(fold.training)]
    candidates = [fold, *filter(has_enough, shorter)]
    whole, *others = [
        _fit_fold(candidate, {}, LINEAR_SHARE, seed, max_fit_rows) for candidate in candidates
    ]
    labels, best, differences = whole.validation.labels, whole, {}
    for other in others:
        differences[len(other.fold.training)] = mean_difference(
            labels, other.probabilities, whole.probabilities, seed
        )
        if mean_difference(labels, other.probabilities, best.probabilities, seed).high < 0:
            best = other
    kept = None if best is whole else len(best.fold.training)
    return TrainingWindow(snapshots=kept, differences=differences), best


def _mix(candidate: ValidatedFold, seed: int) -> tuple[Blend, ValidatedFold]:
    """The mixture of trees and linear model, or the trees alone where they are better."""
    whole = candidate.ensemble.whole
    trees = whole.with_linear_share(0.0).calibrated(candidate.training)
    alone = replace(candidate, ensemble=Ensemble(trees))
    labels = candidate.validation.labels
    difference = mean_difference(labels, alone.probabilities, candidate.probabilities, seed)
    if difference.high < 0:
        return Blend(linear_share=0.0, difference=difference), alone
    return Blend(linear_share=whole.share, difference=difference), candidate
