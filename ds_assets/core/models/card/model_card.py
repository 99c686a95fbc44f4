"""What the model of a target says about itself.

Belongs here: the shape of its card. Does not belong here: how what it says is found.
"""

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ds_assets.core.cards import Card
from ds_assets.core.models.evaluation.drift import Distribution
from ds_assets.core.models.evaluation.metrics import Measure, Measures
from ds_assets.core.models.learning.calibration import Calibration
from ds_assets.core.models.learning.spend import SpendCard

DELIVERED, GLOBAL = "delivered", "global"
"""The contender whose probabilities are delivered, and the model for everybody."""

AMOUNTS = "amounts.onnx"
TWIN_OF = "twin_"
TWIN = "twin_model.onnx"
"""Names of the further files of a model: of amounts, and of the model that was judged in its place,
made alike of what was known on the day of the judging snapshot."""


class Evaluation(BaseModel):
    """How good a model of the same making was on a later snapshot than any it was trained on.

    Attributes:
        snapshot: The snapshot that it was judged by.
        trained_on: Snapshots whose label windows were over on that day.
        users: Users in the snapshot.
        positives: Those of them to whom it happened.
        contenders: How good each contender was on the same users: `delivered`; `global`, where
            groups have models of their own; `champion` or `challenger`, whichever was not taken;
            `logistic_regression`; `recency`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    snapshot: dt.date
    trained_on: tuple[dt.date, ...]
    users: int
    positives: int
    contenders: dict[str, Measures]

    @property
    def measures(self) -> Measures:
        """How good the model that is delivered was."""
        return self.contenders[DELIVERED]

    @property
    def base_rate(self) -> float:
        """Share of positive users."""
        return self.positives / self.users


class Segment(BaseModel):
    """How good a model is for some of the users of a judging snapshot.

    Attributes:
        snapshot: That snapshot.
        users: The users.
        positives: Those of them to whom it happened.
        measures: How good it is; none where there are too few to judge.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    snapshot: dt.date
    users: int
    positives: int
    measures: Measures | None


class Memory(BaseModel):
    """How many of the snapshots a model remembers.

    Attributes:
        snapshots: Latest snapshots that it is trained on; none: all.
        differences: Log loss with fewer snapshots less that with all of them, by their number, on
            the judging snapshot.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    snapshots: int | None
    differences: dict[int, Measure]


class Mixture(BaseModel):
    """How much of a model is linear.

    Attributes:
        linear_share: Share of the linear model, in steps, in the log-odds.
        difference: Log loss of the boosted trees alone less that of the mixture, on the judging
            snapshot.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    linear_share: float
    difference: Measure


class CalibrationCard(BaseModel):
    """Whether probabilities were calibrated.

    Attributes:
        line: The line that log-odds were brought to; the model's file contains it.
        gain: Log loss calibrated less that as it was, on a later snapshot than the line was fitted
            to; none where there was none to try it on.
        reason: Why it is used or not, in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    line: Calibration
    gain: Measure | None
    reason: str


class Decision(BaseModel):
    """Which of two models is delivered.

    Attributes:
        kept: `challenger`, the model of the day, or `champion`, that of the day before.
        champion: Version of the champion; none where there was none.
        difference: Log loss of the challenger less that of the champion on the judging snapshot,
            which neither has seen.
        reason: Why, in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kept: Literal["challenger", "champion"]
    champion: str | None
    difference: Measure | None
    reason: str


class GroupCard(BaseModel):
    """What is known of one user group.

    Attributes:
        group: Its name.
        snapshot: The judging snapshot.
        users: Its users in the judging snapshot.
        positives: Those of them to whom it happened.
        model: Which model answers for it.
        reason: Why, in words.
        difference: Log loss of its own model less that of the global one, on its users of the
            judging snapshot; none where there are too few to try.
        measures: How good the model is that answers for it; none where there are too few to judge.
        file: Name of the file of its own model.
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


class ModelCard(Card):
    """What the model of a target says about itself.

    Attributes:
        target: Name of what it predicts.
        horizon: Length of the label window, in days.
        definition: What `game.yaml` says of the target; none for a built-in one.
        user_groups: Whom models of their own are made for.
        trained: Day at whose end it was trained; earlier than `as_of` for a champion that stays.
        twin_trained: Day at whose end its twin could have been trained: that of the snapshot by
            which it was judged then; none without a model.
        snapshots: Snapshots that the delivered model was trained on.
        missing_snapshots: Snapshots that were wanted and not there.
        rows: Training rows: active users, counted once a snapshot.
        positives: Training rows with a positive label.
        base_rate: Share of positives; none without rows.
        enough_on: Day on which there will be enough data; none where there is, or nobody can say.
        folds: How good it is on users whose future it has not seen, the latest snapshot first.
        first_week: How good it is for users in their first week.
        memory: How many snapshots it remembers.
        mixture: How much of it is linear.
        groups: The user groups, and which model answers for each.
        calibration: Whether probabilities were calibrated.
        decision: Whether it replaced the model of the day before.
        spend: What is known of amounts; none where there are too few.
        distributions: How each feature was distributed over the training rows.
        hyper_parameters: What the learner was told.
        parts: SHA-256 of each further file, by its name.
    """

    target: str
    horizon: int
    definition: str | None = None
    user_groups: str
    trained: dt.date
    twin_trained: dt.date | None = None
    snapshots: tuple[dt.date, ...]
    missing_snapshots: tuple[dt.date, ...]
    rows: int
    positives: int
    base_rate: float | None
    enough_on: dt.date | None = None
    folds: tuple[Evaluation, ...] = ()
    first_week: Segment | None = None
    memory: Memory | None = None
    mixture: Mixture | None = None
    groups: tuple[GroupCard, ...] = ()
    calibration: CalibrationCard | None = None
    decision: Decision | None = None
    spend: SpendCard | None = None
    distributions: dict[str, Distribution] = Field(default_factory=dict)
    hyper_parameters: dict[str, bool | int | float]
    parts: dict[str, str] = Field(default_factory=dict)

    @property
    def evaluation(self) -> Evaluation | None:
        """How good it is on the latest snapshot; none without a model."""
        return self.folds[0] if self.folds else None

    @property
    def missing(self) -> str:
        """What is missing for a model, and when it will be enough, in words."""
        when = (
            "nobody can say when that will be"
            if self.enough_on is None
            else (f"at the pace so far, that will be on {self.enough_on}")
        )
        return f"not enough data: {'; '.join(self.reasons)}; {when}"
