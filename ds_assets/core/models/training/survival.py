"""When users leave, as far as the snapshots of a model show it, and a check on a later snapshot.

Scope: the procedure, from snapshots and models to the card.
"""

import datetime as dt
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.encoding import Encoding
from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.data.departures import (
    Followed,
    can_follow,
    find_step_days,
    follow_users,
)
from ds_assets.core.models.data.snapshots import LabelledSnapshot
from ds_assets.core.models.data.training_rows import rows_of
from ds_assets.core.models.evaluation.baselines import recency_scores
from ds_assets.core.models.evaluation.survival_measures import (
    SurvivalCheck,
    SurvivalPoint,
    concordance,
)
from ds_assets.core.models.learning.calibration import sigmoid
from ds_assets.core.models.learning.learner import FittedClassifier
from ds_assets.core.models.learning.survival import (
    Departures,
    SurvivalCard,
    SurvivalCurve,
    fit_survival,
)
from ds_assets.core.models.training.challenger import Challenger, ValidatedFold
from ds_assets.core.targets import Target

MAX_ROWS = 10_000
"""Rows beyond which a dozen parameters hardly change; of all users, as each of them has many."""
_TYPICAL = (0.1, 0.5, 0.9)


def make_survival(
    target: Target,
    as_of: dt.date,
    snapshots: Sequence[LabelledSnapshot],
    whole: FittedClassifier,
    encoding: Encoding,
) -> SurvivalCard | None:
    """Fit the curve of a model.

    It is fitted to the predictions of the model for its own training rows. They hardly know more
    than those of a model that has not seen the rows: small, regularised trees, and a few lines.

    Args:
        target: What is predicted.
        as_of: Training day.
        snapshots: All matured snapshots, ascending by day.
        whole: The delivered model for all users.
        encoding: Its encoding.

    Returns:
        The card; None for a target that has no days left, and where too few users left.
    """
    if target.days_left_column is None or not can_follow(target) or len(snapshots) == 1:
        return None
    departures, places = _find_departures(snapshots, as_of, whole, encoding, target)
    curve = fit_survival(departures, find_step_days(snapshots, target))
    if curve is None:
        return None
    latest = sigmoid(departures.log_odds[places == len(snapshots) - 1])
    return SurvivalCard(
        curve=curve,
        rows=len(departures.steps),
        leavers=departures.leavers,
        mean=tuple(curve.survival(latest, curve.step_ends).mean(axis=0).tolist()),
        typical=tuple(np.quantile(latest, _TYPICAL).tolist()),
    )


def _find_departures(
    snapshots: Sequence[LabelledSnapshot],
    day: dt.date,
    model: FittedClassifier,
    encoding: Encoding,
    target: Target,
) -> tuple[Departures, NDArray[np.intp]]:
    """Find when users left, with what a model of a day predicts for them.

    Returns:
        Up to about `MAX_ROWS` rows, other users of each snapshot; the place of each row's snapshot.
    """
    every = -(-sum(len(snapshot.labels) for snapshot in snapshots) // MAX_ROWS)
    chosen = [
        np.arange(len(snapshot.labels)) % every == place % every
        for place, snapshot in enumerate(snapshots)
    ]
    pairs = zip(snapshots, chosen, strict=True)
    scaled = [snapshot.rows(own).scale_windows(day) for snapshot, own in pairs]
    is_chosen = np.concatenate(chosen)
    followed = follow_users(snapshots, target)
    departures = Departures(
        rows_of(scaled, encoding).predict(model.log_odds),
        np.concatenate([users.steps for users in followed])[is_chosen],
        np.concatenate([users.has_left for users in followed])[is_chosen],
    )
    return departures, np.repeat(np.arange(len(chosen)), [own.sum() for own in chosen])


def check_survival(
    target: Target, snapshots: Sequence[LabelledSnapshot], challenger: Challenger
) -> SurvivalCheck | None:
    """Check the curve of the earliest validation model, whose users were followed for longest.

    Args:
        target: What is predicted, with days left.
        snapshots: All matured snapshots, ascending by day.
        challenger: The validated models.

    Returns:
        The check; None where too few users were followed.
    """
    folds = [challenger.choices.fold, *challenger.validated]
    earliest = min((it for it in folds if it is not None), key=lambda it: it.fold.validation.day)
    day = earliest.fold.validation.day
    before = [snapshot.as_known_on(day) for snapshot in snapshots if snapshot.matured_on <= day]
    followed = _follow_validation(earliest, snapshots, target)
    if len(before) == 1 or not followed.steps.any():
        return None
    whole, encoding = earliest.ensemble.whole, earliest.encoding
    departures, _ = _find_departures(before, day, whole, encoding, target)
    curve = fit_survival(departures, find_step_days(before, target))
    return None if curve is None else _compare(target, curve, earliest, followed)


def _follow_validation(
    validated: ValidatedFold, snapshots: Sequence[LabelledSnapshot], target: Target
) -> Followed:
    """Follow the users of a validation snapshot to the latest one, as known on the training day."""
    validation = validated.fold.validation
    later = [snapshot for snapshot in snapshots if snapshot.day >= validation.day]
    followed = follow_users(later, target)[0]
    is_measured = later[0].labels.index.isin(validation.labels.index)
    return Followed(followed.steps[is_measured], followed.has_left[is_measured])


def _compare(
    target: Target, curve: SurvivalCurve, validated: ValidatedFold, followed: Followed
) -> SurvivalCheck:
    """Compare survival with what happened, at each step that both reach."""
    steps = min(int(followed.steps.max()), len(curve.step_ends) - 1)
    days = curve.step_ends[: steps + 1]
    survival = curve.survival(validated.probabilities, days)
    has_stayed = followed.steps[:, None] + ~followed.has_left[:, None] > np.arange(steps + 1)
    recency = recency_scores(target, validated.fold.validation.features)
    scores: list[Floats] = [validated.log_odds, recency]
    ours, rule = (concordance(followed.steps, followed.has_left, score) for score in scores)
    return SurvivalCheck(
        snapshot=validated.fold.validation.day,
        users=len(followed.steps),
        points=tuple(
            SurvivalPoint(days=float(day), predicted=float(predicted), observed=float(observed))
            for day, predicted, observed in zip(
                days, survival.mean(axis=0), has_stayed.mean(axis=0), strict=True
            )
        ),
        brier=float(((survival - has_stayed) ** 2).mean()),
        concordance=ours,
        recency_concordance=rule,
    )
