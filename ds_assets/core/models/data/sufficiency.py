"""Whether there is enough data for a model that can be trained and judged, and if not, until when.

Belongs here: the least that is needed, in users of either outcome and in days of history.
Does not belong here: what a model does with its data.
"""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ds_assets.core.models.data.snapshots import Fold, LabelledSnapshot, folds
from ds_assets.core.targets import Target

MIN_TRAINING_USERS = 50
"""Users of each outcome. Fewer cannot fill two leaves of trees that ask for 20 rows a leaf."""
MIN_JUDGING_USERS = 20
"""Users of each outcome. With fewer, the interval of the AUC is wider than from useless to good."""
FARTHEST_DAYS = 730
"""A day further away than this is not foreseen."""


@dataclass(frozen=True)
class Lack:
    """What is missing for a model, in words, and when it will be there; none: nobody can say."""

    words: str
    enough_on: dt.date | None


def lacks(target: Target, as_of: dt.date, snapshots: Sequence[LabelledSnapshot]) -> list[Lack]:
    """What is missing for a model that can be trained and judged.

    Days of history have a certain day, as long as logs go on. Users of an outcome are expected to
    come as they came so far: as many a day as in the training snapshots that are there.

    Args:
        target: What is predicted.
        as_of: Training day.
        snapshots: Matured snapshots, ascending.
    """
    split = folds(snapshots, most=1)
    if not split:
        return [_no_history(target, as_of, snapshots)]
    training, judging = split[0].training, split[0].judging
    until = f"the training snapshots up to {training[-1].day}"
    return [
        *_few_users(target, training, until, MIN_TRAINING_USERS, as_of),
        # a day's users do not become more by waiting, as those of all days together do
        *_few_users(target, [judging], f"the judging snapshot {judging.day}", MIN_JUDGING_USERS),
    ]


def enough_on(found: Sequence[Lack]) -> dt.date | None:
    """Day on which nothing will be missing any more; none where nobody can say."""
    days = [one.enough_on for one in found if one.enough_on is not None]
    return max(days) if found and len(days) == len(found) else None


def has_enough(fold: Fold) -> bool:
    """Whether a model can be trained and judged on a fold."""
    return _is_enough(fold.training, MIN_TRAINING_USERS) and _is_enough(
        [fold.judging], MIN_JUDGING_USERS
    )


def can_judge(snapshot: LabelledSnapshot) -> bool:
    """Whether a snapshot has enough users of each outcome to judge by."""
    return _is_enough([snapshot], MIN_JUDGING_USERS)


def users_of_each_outcome(snapshots: Sequence[LabelledSnapshot]) -> tuple[int, int]:
    """Users, not rows: the same user leaving in seven snapshots teaches little more than in one."""
    positive: set[str] = set()
    negative: set[str] = set()
    for one in snapshots:
        positive.update(one.labels.index[one.labels])
        negative.update(one.labels.index[~one.labels])
    return len(positive), len(negative)


def _is_enough(snapshots: Sequence[LabelledSnapshot], needed: int) -> bool:
    return min(users_of_each_outcome(snapshots)) >= needed


def _no_history(target: Target, as_of: dt.date, snapshots: Sequence[LabelledSnapshot]) -> Lack:
    """The later snapshot comes whole steps after the first, when that one's labels are known."""
    wait = target.maturity_days
    between = math.ceil(wait / target.step) * target.step
    first = snapshots[0].day if snapshots else target.first_day
    noun = "snapshot" if len(snapshots) == 1 else "snapshots"
    return Lack(
        f"{len(snapshots)} matured {noun}; one to train on, and a later one, of a day on which "
        "the labels of the first were known, to judge by, are needed",
        max(first + dt.timedelta(days=between + wait), as_of + dt.timedelta(days=1)),
    )


def _few_users(
    target: Target,
    snapshots: Sequence[LabelledSnapshot],
    where: str,
    needed: int,
    as_of: dt.date | None = None,
) -> list[Lack]:
    nouns = target.wording.positives, target.wording.negatives
    found = zip(nouns, users_of_each_outcome(snapshots), strict=True)
    return [
        Lack(
            f"{count} {noun} in {where}, {needed} are needed",
            as_of and _expected(count, needed, len(snapshots) * target.step, as_of),
        )
        for noun, count in found
        if count < needed
    ]


def _expected(count: int, needed: int, days_seen: int, as_of: dt.date) -> dt.date | None:
    """When as many will have come, at the rate of the days so far."""
    if not count:
        return None
    days = math.ceil((needed - count) / count * days_seen)
    return None if days > FARTHEST_DAYS else as_of + dt.timedelta(days=days)
