"""What is predicted."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from ds_assets.core import labels
from ds_assets.game import Game

Target = Literal["churn", "payment"]


@dataclass(frozen=True)
class Task:
    """What is to be predicted.

    Attributes:
        target: What the labels say.
        horizon: Length of the label window, in days.
        grace: Days to wait for late logs after it.
        first_day: First day of the game's logs.
        user_groups: Whom models of their own are made for, as in `with_user_groups`.
        step: Days from one snapshot to the next.
    """

    target: Target
    horizon: int
    grace: int
    first_day: dt.date
    user_groups: str
    step: int = 7

    @property
    def maturity_days(self) -> int:
        """Days after a snapshot until its labels are known."""
        return self.horizon + self.grace


SNAPSHOTS = 12
"""Weekly snapshots that a model is trained on: a quarter of a year."""


def task_of(target: Target, game: Game) -> Task:
    """What a target's model is to predict."""
    horizon = game.horizons.churn if target == "churn" else game.horizons.payment
    step = 7 * labels.weeks_apart(horizon, SNAPSHOTS, game)
    return Task(target, horizon, game.grace_days, game.first_day, game.user_groups, step)
