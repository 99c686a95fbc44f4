"""What is predicted: every target, declared once.

Scope: what a target means, as rules and in words. Nothing outside this file depends on which target
it deals with: labels, models, columns and texts all follow from the declaration.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ds_assets.core import labels
from ds_assets.game import Game, Horizons

SNAPSHOTS = 12
"""Weekly snapshots that a model is trained on: a quarter of a year."""


@dataclass(frozen=True)
class LabelRule:
    """Which users are positive, given what they did in the label window.

    Attributes:
        measure: A column of `labels.outcomes`, 0 for a user who did nothing.
        at_least: Smallest value that the rule asks for.
        is_negated: Whether users are positive who do not reach it.
    """

    measure: str
    at_least: float
    is_negated: bool = False


@dataclass(frozen=True)
class Baseline:
    """The rule of thumb that a model has to beat: rank users by one feature alone.

    Attributes:
        feature: The feature.
        larger_is_likelier: Whether a larger value makes a positive label likelier.
    """

    feature: str
    larger_is_likelier: bool


@dataclass(frozen=True)
class Wording:
    """How texts for people name a target.

    Attributes:
        outcome: What is true of a positive user, after "chance of".
        event: What happens to one, in everyday words.
        positives: Users with a positive label.
        negatives: Users with a negative one.
        heading: A column heading above its probabilities.
    """

    outcome: str
    event: str
    positives: str
    negatives: str
    heading: str


@dataclass(frozen=True)
class Target:
    """What is predicted of each user.

    Attributes:
        name: Its name in columns, files and assets.
        horizon: Length of the label window, in days.
        label: Which users are positive.
        baseline: The rule of thumb that its model has to beat.
        wording: How texts name it.
        amount_column: Column of the spend that is predicted with it; none where none is.
        grace: Days to wait for late logs after the label window.
        first_day: First day of the game's logs.
        step: Days from one snapshot to the next.
        user_groups: Which users get models of their own, as in `with_user_groups`.
    """

    name: str
    horizon: int
    label: LabelRule
    baseline: Baseline
    wording: Wording
    amount_column: str | None = None
    grace: int = 0
    first_day: dt.date = dt.date.min
    step: int = 7
    user_groups: str = "none"

    @property
    def maturity_days(self) -> int:
        """Days after a snapshot until its labels are known."""
        return self.horizon + self.grace

    @property
    def model_asset(self) -> str:
        """Name of the asset that trains its model."""
        return f"{self.name}_model"

    @property
    def probability_column(self) -> str:
        """Column of the probabilities."""
        return f"{self.name}_probability"

    @property
    def reasons_column(self) -> str:
        """Column of the strongest reasons."""
        return f"{self.name}_reasons"

    @property
    def missing_column(self) -> str:
        """Column that says what data is missing."""
        return f"{self.name}_missing"

    @property
    def model_column(self) -> str:
        """Column of the model's version."""
        return f"{self.name}_model"


def targets_of(game: Game) -> Mapping[str, Target]:
    """Everything that is predicted in a game, by name; the built-in targets come first."""
    return {one.name: _in_game(one, game) for one in _built_in(game.horizons)}


def _in_game(target: Target, game: Game) -> Target:
    return replace(
        target,
        grace=game.grace_days,
        first_day=game.first_day,
        step=7 * labels.weeks_apart(target.horizon, SNAPSHOTS, game),
        user_groups=game.user_groups,
    )


def _built_in(horizons: Horizons) -> tuple[Target, ...]:
    return (
        Target(
            "churn",
            horizons.churn,
            LabelRule("active_days", at_least=1, is_negated=True),
            Baseline("days_since_active", larger_is_likelier=True),
            Wording(
                outcome="no activity",
                event="leaving",
                positives="users who left",
                negatives="users who stayed",
                heading="will leave",
            ),
        ),
        Target(
            "payment",
            horizons.payment,
            LabelRule("purchases", at_least=1),
            Baseline("days_since_purchase", larger_is_likelier=False),
            Wording(
                outcome="a purchase",
                event="a purchase",
                positives="users who paid",
                negatives="users who did not pay",
                heading="will pay",
            ),
            amount_column="expected_spend",
        ),
    )


BUILT_IN = _built_in(Horizons())
"""The targets of every game, for what does not depend on the game: the columns of tables."""
