"""The card of a target's model: what it was made from, how good it is, and every choice.

Scope: the form of the card.
"""

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ds_assets.core.cards import Card
from ds_assets.core.models.evaluation.drift import Distribution
from ds_assets.core.models.evaluation.metrics import Measure, Measures
from ds_assets.core.models.evaluation.validation_curves import ValidationCurves
from ds_assets.core.models.learning.calibration import Calibration
from ds_assets.core.models.learning.early_model import EarlyCard
from ds_assets.core.models.learning.spend import SpendCard
from ds_assets.core.models.learning.survival import SurvivalCard

DELIVERED, GLOBAL, RECENCY = "delivered", "global", "recency"
"""The contender whose probabilities are delivered, the model for all users, and the rule of thumb
that a model has to beat."""

AMOUNTS = "amounts.onnx"
"""File of the model of amounts."""
VALIDATION_PREFIX, CHOICE_PREFIX = "twin_", "choice_"
"""How the names of the files begin that are made in the same way from what was known on the day of
the validation snapshot, and on that of the earlier snapshot on which choices are made."""
MODEL = "model.onnx"
VALIDATION_MODEL, CHOICE_MODEL = f"{VALIDATION_PREFIX}{MODEL}", f"{CHOICE_PREFIX}{MODEL}"
"""Files of the models for all users."""


class Evaluation(BaseModel):
    """How good a model made in the same way was on a later snapshot than its training data.

    Attributes:
        snapshot: The validation snapshot.
        trained_on: Snapshots whose label windows were over on that day.
        users: Users in the snapshot.
        positives: Number of positive labels.
        contenders: How good each contender was on the same users: `delivered`; `global`, if some
            groups have separate models; `champion` or `challenger`, whichever was not taken;
            `logistic_regression`; `early`, the early model of the snapshot's day, on the latest
            snapshot; `recency`.
        curves: Its probabilities beside the outcomes; None in cards of earlier versions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    snapshot: dt.date
    trained_on: tuple[dt.date, ...]
    users: int
    positives: int
    contenders: dict[str, Measures]
    curves: ValidationCurves | None = None

    @property
    def measures(self) -> Measures:
        """How good the model that is delivered was."""
        return self.contenders[DELIVERED]

    @property
    def base_rate(self) -> float:
        """Share of positive users."""
        return self.positives / self.users


class Segment(BaseModel):
    """How good a model is for some of the users of a validation snapshot.

    Attributes:
        snapshot: That snapshot.
        users: The users.
        positives: Number of positive labels.
        measures: How good it is; None if there are too few users to measure.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    snapshot: dt.date
    users: int
    positives: int
    measures: Measures | None


class TrainingWindow(BaseModel):
    """How many of the snapshots a model is trained on.

    Attributes:
        snapshots: Number of latest snapshots that it is trained on; None for all.
        differences: Log loss with fewer snapshots minus that with all of them, by their number, on
            the snapshot on which choices are made.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    snapshots: int | None
    differences: dict[int, Measure]


class Blend(BaseModel):
    """How much of a model is linear.

    Attributes:
        linear_share: Share of the linear model in the log-odds.
        difference: Log loss of the boosted trees alone minus that of the blend, on the snapshot on
            which choices are made; None if nothing was chosen.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    linear_share: float
    difference: Measure | None


class CalibrationCard(BaseModel):
    """How probabilities are calibrated.

    Attributes:
        line: The line through the log-odds of the model for all users; its file contains it. In
            cards of version 0.1.0 it was fitted to the errors of a model of older snapshots.
        gain: Log loss with calibration minus that without, on the snapshot on which choices are
            made; None if nothing was chosen.
        reason: What the line comes from, in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    line: Calibration
    gain: Measure | None
    reason: str


class Decision(BaseModel):
    """Which of two models is delivered.

    Attributes:
        kept: `challenger`, the model of the day, or `champion`, that of the day before.
        champion: Version of the champion, if there was one.
        difference: Log loss of the challenger minus that of the champion on the snapshot on which
            choices are made, which neither has seen; None if they were not compared.
        reason: Why, in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kept: Literal["challenger", "champion"]
    champion: str | None
    difference: Measure | None
    reason: str


class GroupCard(BaseModel):
    """The model of one user group.

    Attributes:
        group: Its name.
        snapshot: The validation snapshot.
        users: Its users in the validation snapshot.
        positives: Number of positive labels.
        model: Which model serves it.
        reason: Why, in words.
        difference: Log loss of its own model minus that of the global one, of the mean of both
            where the global one serves it, on its users of the snapshot on which choices are made;
            None if none was tried.
        measures: How good the model that serves it is; None if there are too few users.
        file: Name of the file of its own model.
        own_share: Weight in it of a model of the group's rows alone; None without a file, and in
            cards of earlier versions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: str
    snapshot: dt.date
    users: int
    positives: int
    model: Literal["group", "global"]
    reason: str
    difference: Measure | None = None
    measures: Measures | None = None
    file: str | None = None
    own_share: float | None = None


class ModelCard(Card):
    """The card of a target's model.

    Attributes:
        target: Name of what it predicts.
        horizon: Length of the label window, in days.
        definition: What `game.yaml` says of the target; none for a built-in one.
        user_groups: What defines the groups for which separate models are tried.
        trained: Day at whose end it was trained; earlier than `as_of` for a champion that stays.
        twin_trained: Day at whose end its validation model could have been trained: that of its
            validation snapshot; None without a model.
        chosen_on: Snapshot on which every choice was made, the latest whose outcomes were known on
            the day of the validation snapshot, so that no choice was made on that. None if nothing
            was chosen, and in cards of version 0.1.0, which chose on the validation snapshot.
        choices_day: Day at whose end choices were made and the model was compared with that of the
            days before; until they are made again, the model of each day is made in the same way.
            None without a model, and in cards of earlier versions.
        choices_reason: Why they were made on that day, in words.
        unclustered: Validation snapshots that were used without clusters, because none are stored.
        snapshots: Snapshots that the delivered model was trained on.
        missing_snapshots: Snapshots that should have been used but are not stored.
        rows: Training rows: active users, counted once per snapshot.
        positives: Training rows with a positive label.
        base_rate: Share of positives; none without rows.
        enough_on: Day on which there will be enough data; None if there is, or if unknown.
        folds: How good it is on users whose outcomes it has not seen, latest snapshot first.
        first_week: How good it is for users in their first week.
        memory: How many snapshots it is trained on.
        mixture: How much of it is linear.
        groups: The user groups, and which model serves each.
        calibration: How probabilities are calibrated.
        decision: Whether it replaced the model of the day before.
        spend: The model of amounts; None if there are too few.
        survival: When users leave; None for other targets, if too few leave after their snapshot,
            and in cards of earlier versions.
        distributions: How each feature was distributed over the training rows with a complete
            window.
        importance: By code of a reason, its mean absolute effect on the log-odds, the largest
            first, of users of the latest snapshot; none in cards of earlier versions.
        drifts: Stability index of the features that drifted most, by day, of the day and of the
            latest days before it with a model; none in cards of earlier versions.
        hyper_parameters: Hyperparameters of the learner.
        parts: SHA-256 of each other file, by its name.
        early: The early model, which predicts while there is no trained one; None with a trained
            model, and where even an early one is impossible.
    """

    target: str
    horizon: int
    definition: str | None = None
    user_groups: str
    trained: dt.date
    twin_trained: dt.date | None = None
    chosen_on: dt.date | None = None
    choices_day: dt.date | None = None
    choices_reason: str | None = None
    unclustered: tuple[dt.date, ...] = ()
    snapshots: tuple[dt.date, ...]
    missing_snapshots: tuple[dt.date, ...]
    rows: int
    positives: int
    base_rate: float | None
    enough_on: dt.date | None = None
    folds: tuple[Evaluation, ...] = ()
    first_week: Segment | None = None
    memory: TrainingWindow | None = None
    mixture: Blend | None = None
    groups: tuple[GroupCard, ...] = ()
    calibration: CalibrationCard | None = None
    decision: Decision | None = None
    spend: SpendCard | None = None
    survival: SurvivalCard | None = None
    distributions: dict[str, Distribution] = Field(default_factory=dict)
    importance: dict[str, float] = Field(default_factory=dict)
    drifts: dict[dt.date, dict[str, float]] = Field(default_factory=dict)
    hyper_parameters: dict[str, bool | int | float]
    parts: dict[str, str] = Field(default_factory=dict)
    early: EarlyCard | None = None

    @property
    def evaluation(self) -> Evaluation | None:
        """How good it is on the latest snapshot; none without a model."""
        return self.folds[0] if self.folds else None

    @property
    def drift(self) -> dict[str, float]:
        """Stability index of the features that drifted most on the day, the largest first."""
        return self.drifts.get(self.as_of, {})

    @property
    def filling(self) -> list[str]:
        """Features without drift, as no training row had a complete window."""
        if not self.distributions:
            return []  # no model
        return [name for name in self.encoding.names if name not in self.distributions]

    @property
    def missing(self) -> str:
        """What is missing for a model, and when there will be enough, in words."""
        when = (
            "no estimate available" if self.enough_on is None else (f"expected on {self.enough_on}")
        )
        return f"not enough data: {'; '.join(self.reasons)}; {when}"
