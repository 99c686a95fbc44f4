"""What is predicted: every target, declared once.

Scope: what a target means, as rules and in words. Nothing outside this file depends on which target
it deals with: labels, models, columns and texts all follow from the declaration.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ds_assets.closed_days import NO_CLOSED_DAYS, ClosedDays
from ds_assets.core import labels
from ds_assets.game import CustomTarget, Game, Horizons, Population

EXPECTED_SPEND = "expected_spend"
SPEND_LOW, SPEND_HIGH = f"{EXPECTED_SPEND}_low", f"{EXPECTED_SPEND}_high"
"""Columns of the spend that is predicted with a target, and of the ends of its interval."""
EARLY_VERSION = "early-"
"""Beginning of the version of an early model, by which it differs from those of trained ones."""
LONGEST_DAYS = 182
"""Days that snapshots cover where there are more than `labels.MIN_SNAPSHOTS` of them."""
ENOUGH_ROWS = 200_000
"""Rows beyond which older snapshots teach less than they cost."""

MAX_FIT_ROWS = 100_000
"""Rows that a delivered model of a built-in target is fitted to, as many of them as possible with
the rarer outcome. With all of 260,000 the AUC on a later snapshot was at most 0.0002 higher."""
MAX_CUSTOM_FIT_ROWS = 30_000
"""The same of a custom target, of which a game may have many."""

_USERS: Mapping[Population, str] = {
    "all": "every active user",
    "never_paid": "every active user without a purchase so far",
    "has_paid": "every active user with a purchase so far",
}


@dataclass(frozen=True)
class LabelRule:
    """Which users are positive, given what they did in the label window.

    Attributes:
        measure: A column of `labels.outcomes`, 0 for a user who did nothing.
        at_least: Smallest value that the rule asks for.
        is_negated: Whether users are positive who do not reach it.
        counts: Names of counts of events, for the measure `events`; see `Game.count_name`.
    """

    measure: str
    at_least: float
    is_negated: bool = False
    counts: tuple[str, ...] = ()

    @property
    def count_columns(self) -> list[str]:
        """Columns of `user_activity` in which these events are counted."""
        return [f"count_{name}" for name in self.counts]


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
        horizon: Length of the label window, in open days.
        label: Which users are positive.
        baseline: The rule of thumb that its model has to beat.
        population: Users that it is predicted for.
        definition: What `game.yaml` says of it as JSON, none for a built-in target: a model is not
            used for a target of another definition.
        max_fit_rows: Rows that a single model is fitted to at most; see `fit_classifier`.
        wording: How texts name it.
        amount_column: Column of the spend that is predicted with it, in `PREDICTIONS` for a
            built-in target and in `TARGET_PREDICTIONS` for others; none where none is.
        days_left_column: Column of `PREDICTIONS` with the median of the days until a user is
            positive; none where none is predicted.
        active_days: Open days in which a user must have been active to be predicted.
        grace: Days to wait for late logs after the label window.
        first_day: First day of the game's logs.
        closed_days: Days that neither of them counts.
        step: Days from one snapshot to the next.
        user_groups: Which users get models of their own, as in `with_user_groups`.
    """

    name: str
    horizon: int
    label: LabelRule
    baseline: Baseline
    wording: Wording
    population: Population = "all"
    definition: str | None = None
    max_fit_rows: int = MAX_FIT_ROWS
    amount_column: str | None = None
    days_left_column: str | None = None
    active_days: int = 28
    grace: int = 0
    first_day: dt.date = dt.date.min
    closed_days: ClosedDays = NO_CLOSED_DAYS
    step: int = 7
    user_groups: str = "none"

    @property
    def maturity_days(self) -> int:
        """Open days after a snapshot until its labels are known."""
        return self.horizon + self.grace

    @property
    def max_snapshots(self) -> int:
        """Most snapshots that its model is trained on."""
        return max(labels.MIN_SNAPSHOTS, LONGEST_DAYS // self.step)

    def count_snapshots(self, users: int) -> int:
        """Count the snapshots that its model is trained on, given the users of the latest one.

        The fewer the users, the more their noise hides of what they have in common, and rare buyers
        come back after months: the models of small games look back further.
        """
        return min(self.max_snapshots, max(labels.MIN_SNAPSHOTS, ENOUGH_ROWS // max(users, 1)))

    @property
    def is_built_in(self) -> bool:
        """Whether it is predicted in every game, and so has columns of its own."""
        return self.definition is None

    @property
    def may_be_early(self) -> bool:
        """Whether an early model predicts it until there is a trained one."""
        return self.is_built_in or self.amount_column is not None

    @property
    def users(self) -> str:
        """The users that it is predicted for, in words."""
        return _USERS[self.population]

    @property
    def model_asset(self) -> str:
        """Name of the asset that trains its model."""
        return f"{self.name}_model"

    @property
    def probability_column(self) -> str:
        """Column of the probabilities."""
        return f"{self.name}_probability"

    @property
    def low_column(self) -> str:
        """Column of the lower end of the interval of an early probability."""
        return f"{self.probability_column}_low"

    @property
    def high_column(self) -> str:
        """Column of its upper end."""
        return f"{self.probability_column}_high"

    @property
    def reasons_column(self) -> str:
        """Column of the strongest reasons."""
        return f"{self.name}_reasons"

    @property
    def missing_column(self) -> str:
        """Column that says what data the trained model lacks."""
        return f"{self.name}_missing"

    @property
    def model_column(self) -> str:
        """Column of the model's version."""
        return f"{self.name}_model"


def targets_of(game: Game) -> Mapping[str, Target]:
    """Everything that is predicted in a game, by name; the built-in targets come first."""
    targets = (*_built_in(game.horizons), *_spend_targets(game.horizons), *_custom_targets(game))
    return {target.name: _in_game(target, game) for target in targets}


def custom_targets(game: Game) -> Mapping[str, Target]:
    """The targets that a game adds to the built-in ones, by name."""
    return {name: target for name, target in targets_of(game).items() if not target.is_built_in}


def _in_game(target: Target, game: Game) -> Target:
    return replace(
        target,
        active_days=game.active_days,
        grace=game.grace_days,
        first_day=game.first_day,
        closed_days=game.closed_days,
        step=7 * labels.weeks_apart(target.horizon, labels.MIN_SNAPSHOTS, game),
        user_groups=game.user_groups,
    )


def _spend_targets(horizons: Horizons) -> Iterator[Target]:
    """Targets for expected spend: a purchase within each of its horizons, with an amount."""
    for name, days in horizons.spend_targets.items():
        yield Target(
            name,
            days,
            *_PURCHASE,
            definition=f'{{"spend":true,"horizon":{days}}}',
            max_fit_rows=MAX_CUSTOM_FIT_ROWS,
            amount_column=EXPECTED_SPEND,
        )


def _custom_targets(game: Game) -> Iterator[Target]:
    for name, declared in game.targets.items():
        yield Target(
            name,
            declared.horizon,
            *_form_of(declared, game),
            population=declared.population,
            definition=declared.model_dump_json(exclude_none=True),
            max_fit_rows=MAX_CUSTOM_FIT_ROWS,
        )


def _form_of(declared: CustomTarget, game: Game) -> tuple[LabelRule, Baseline, Wording]:
    if declared.event is not None:
        return _with_events(declared.event, game)
    if declared.spend_at_least is not None:
        return _spending(declared.spend_at_least)
    return _INACTIVE


_INACTIVE = (
    LabelRule("active_days", at_least=1, is_negated=True),
    Baseline("days_since_active", larger_is_likelier=True),
    Wording(
        outcome="no activity",
        event="leaving",
        positives="users who left",
        negatives="users who stayed",
        heading="will leave",
    ),
)


_PURCHASE = (
    LabelRule("purchases", at_least=1),
    Baseline("days_since_purchase", larger_is_likelier=False),
    Wording(
        outcome="a purchase",
        event="a purchase",
        positives="users who paid",
        negatives="users who did not pay",
        heading="will pay",
    ),
)


def _with_events(types: tuple[str, ...], game: Game) -> tuple[LabelRule, Baseline, Wording]:
    named = " or ".join(types)
    return (
        LabelRule("events", at_least=1, counts=tuple(map(game.count_name, types))),
        Baseline("days_since_active", larger_is_likelier=False),
        Wording(
            outcome=f"at least one {named} event",
            event=f"a {named} event",
            positives=f"users with a {named} event",
            negatives=f"users without a {named} event",
            heading=f"will have {named}",
        ),
    )


def _spending(amount: float) -> tuple[LabelRule, Baseline, Wording]:
    return (
        LabelRule("spend", at_least=amount),
        Baseline("days_since_purchase", larger_is_likelier=False),
        Wording(
            outcome=f"a spend of at least {amount:g}",
            event=f"spending {amount:g} or more",
            positives=f"users who spent at least {amount:g}",
            negatives=f"users who spent less than {amount:g}",
            heading=f"will spend {amount:g}",
        ),
    )


def _built_in(horizons: Horizons) -> tuple[Target, ...]:
    return (
        Target("churn", horizons.churn, *_INACTIVE, days_left_column="days_left"),
        Target("payment", horizons.payment, *_PURCHASE, amount_column=EXPECTED_SPEND),
    )


BUILT_IN = _built_in(Horizons())
"""The targets of every game, for what does not depend on the game: the columns of tables."""
CHURN, PAYMENT = (target.name for target in BUILT_IN)


def engagement_of(name: str, definition: str | None) -> Literal[1, -1]:
    """Whether engaged users are likelier to be positive, or less likely, by a model's card.

    Args:
        name: Name of the target.
        definition: What `game.yaml` says of it, as in `Target.definition`.
    """
    if definition is not None:
        return -1 if json.loads(definition).get("inactive") else 1
    return -1 if any(it.name == name and it.label.is_negated for it in BUILT_IN) else 1
