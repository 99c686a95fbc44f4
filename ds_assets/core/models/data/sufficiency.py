"""Whether there is enough data to train and validate a model, and if not, when there will be.

Scope: the minimum of users with each outcome, and of days of history.
"""

import datetime as dt
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ds_assets.core.models.data.snapshots import Fold, LabelledSnapshot, folds
from ds_assets.core.open_days import add_open_days
from ds_assets.core.targets import Target

MIN_TRAINING_USERS = 50
"""Users of each outcome: fewer cannot fill two leaves of 20 rows."""
MIN_VALIDATION_USERS = 20
"""Users of each outcome: with fewer, the interval of the AUC reaches from useless to good."""
MIN_SHUT_WEEKS = 3
"""Weeks in a row without files on the same weekday that are no accident."""
FARTHEST_DAYS = 730
"""Estimates further in the future than this are not given."""


@dataclass(frozen=True)
class DataShortfall:
    """What is missing for a model, in words, and the day by which it is expected, if known."""

    words: str
    enough_on: dt.date | None


def find_shortfalls(
    target: Target, as_of: dt.date, snapshots: Sequence[LabelledSnapshot]
) -> list[DataShortfall]:
    """Find what is missing to train and validate a model.

    The day for missing history is certain as long as logs keep arriving. The day for missing users
    is an estimate from their rate in the training snapshots so far.

    Args:
        target: What is predicted.
        as_of: Training day.
        snapshots: Matured snapshots, ascending.
    """
    split = folds(snapshots)
    if not split:
        return [_no_history(target, as_of, snapshots)]
    training, validation = split[0].training, split[0].validation
    until = f"the training snapshots up to {training[-1].day}"
    return [
        *_few_users(target, training, until, MIN_TRAINING_USERS, as_of),
        # waiting adds users to all snapshots together, but not to a single day
        *_few_users(
            target, [validation], f"the validation snapshot {validation.day}", MIN_VALIDATION_USERS
        ),
    ]


def enough_on(shortfalls: Sequence[DataShortfall]) -> dt.date | None:
    """Day on which nothing will be missing any more; None if it cannot be estimated."""
    days = [shortfall.enough_on for shortfall in shortfalls if shortfall.enough_on is not None]
    return max(days) if shortfalls and len(days) == len(shortfalls) else None


def find_shut_weekday(missing: Collection[dt.date]) -> str | None:
    """Find the weekday that is missing in every week, such as a shop's day off; None without one.

    Args:
        missing: Days without files.
    """
    if len(missing) < MIN_SHUT_WEEKS:
        return None
    first, last = min(missing), max(missing)
    every_week = {first + dt.timedelta(weeks=n) for n in range((last - first).days // 7 + 1)}
    return f"{first:%A}" if set(missing) == every_week else None


def has_enough(fold: Fold) -> bool:
    """Whether a model can be trained and validated on a fold."""
    return _is_enough(fold.training, MIN_TRAINING_USERS) and _is_enough(
        [fold.validation], MIN_VALIDATION_USERS
    )


def can_validate(snapshot: LabelledSnapshot) -> bool:
    """Whether a snapshot has enough users of each outcome for validation."""
    return _is_enough([snapshot], MIN_VALIDATION_USERS)


def users_of_each_outcome(snapshots: Sequence[LabelledSnapshot]) -> tuple[int, int]:
    """Count users, not rows: a user who leaves in seven snapshots adds little over one."""
    positive: set[str] = set()
    negative: set[str] = set()
    for snapshot in snapshots:
        positive.update(snapshot.labels.index[snapshot.labels])
        negative.update(snapshot.labels.index[~snapshot.labels])
    return len(positive), len(negative)


def _is_enough(snapshots: Sequence[LabelledSnapshot], needed: int) -> bool:
    # Users of the same snapshot are different ones, and need not be counted.
    if any(min(_count_outcomes(snapshot)) >= needed for snapshot in snapshots):
        return True
    return min(users_of_each_outcome(snapshots)) >= needed


def _count_outcomes(snapshot: LabelledSnapshot) -> tuple[int, int]:
    positives = int(snapshot.labels.sum())
    return positives, len(snapshot.labels) - positives


def _no_history(
    target: Target, as_of: dt.date, snapshots: Sequence[LabelledSnapshot]
) -> DataShortfall:
    firsts = [target.first_day, *(snapshot.day for snapshot in snapshots[:1])]
    estimates = (_validated_on(first, target) for first in firsts)
    tomorrow = as_of + dt.timedelta(days=1)
    noun = "snapshot" if len(snapshots) == 1 else "snapshots"
    return DataShortfall(
        f"{len(snapshots)} matured {noun}; the first model needs two: one to train on, and one to "
        "validate on from a day on which the outcomes of the first were known",
        min((day for day in estimates if day > as_of), default=tomorrow),
    )


def _validated_on(first: dt.date, target: Target) -> dt.date:
    """Day on which a second snapshot has matured, whole steps after the first and its labels."""
    wait = (_matures_on(first, target) - first).days
    second = first + dt.timedelta(days=math.ceil(wait / target.step) * target.step)
    return _matures_on(second, target)


def _matures_on(day: dt.date, target: Target) -> dt.date:
    return add_open_days(day, target.maturity_days, target.closed_days)


def _few_users(
    target: Target,
    snapshots: Sequence[LabelledSnapshot],
    where: str,
    needed: int,
    as_of: dt.date | None = None,
) -> list[DataShortfall]:
    if _is_enough(snapshots, needed):
        return []
    nouns = target.wording.positives, target.wording.negatives
    counts = zip(nouns, users_of_each_outcome(snapshots), strict=True)
    return [
        DataShortfall(
            f"{count} {noun} in {where}, {needed} are needed",
            as_of and _expected(count, needed, len(snapshots) * target.step, as_of),
        )
        for noun, count in counts
        if count < needed
    ]


def _expected(count: int, needed: int, days_seen: int, as_of: dt.date) -> dt.date | None:
    """Day on which the count will be reached at the rate so far."""
    if not count:
        return None
    days = math.ceil((needed - count) / count * days_seen)
    return None if days > FARTHEST_DAYS else as_of + dt.timedelta(days=days)
