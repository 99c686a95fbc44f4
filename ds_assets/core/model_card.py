"""What a stored model says about itself, as JSON beside its ONNX file.

Belongs here: the shape of the cards, how they are read, and whether features fit them.
Does not belong here: where cards lie, and how what they say is found.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, Literal, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from ds_assets.core.calibration import Calibration
from ds_assets.core.drift import Distribution
from ds_assets.core.encoding import Encoding, require_features
from ds_assets.core.evaluation import Measure, Measures, Target
from ds_assets.core.group_models import GroupCard
from ds_assets.core.spend import SpendCard
from ds_assets.errors import InputError, describe_mistakes

State = Literal["ready", "not_enough_data"]
DELIVERED, GLOBAL = "delivered", "global"
"""The contender whose probabilities are delivered."""

AMOUNTS = "amounts.onnx"
TWIN_OF = "twin_"
TWIN = "twin_model.onnx"
"""Names of the further files of a model: of amounts, and of the model that was judged in its place,
made alike of what was known on the day of the judging snapshot."""

_LIBRARIES = ("numpy", "onnx", "pandas", "scikit-learn", "scipy", "skl2onnx")


class Card(BaseModel):
    """What every model says about itself.

    Attributes:
        state: Whether there is a model.
        reasons: What was missing, in words.
        version: Short hash of everything that the model was made from.
        as_of: Day at whose end it was made.
        encoding: Features, their types and their order.
        seed: Seed of everything drawn by chance.
        libraries: Version of each library that took part.
        data_fingerprint: SHA-256 of what it was made from, whatever the order of the rows.
        onnx_sha256: SHA-256 of the ONNX file; none where there is no model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: State
    reasons: tuple[str, ...]
    version: str
    as_of: dt.date
    encoding: Encoding
    seed: int
    libraries: dict[str, str]
    data_fingerprint: str
    onnx_sha256: str | None


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


class ModelCard(Card):
    """What a churn or payment model says about itself.

    Attributes:
        target: What it predicts.
        horizon: Length of the label window, in days.
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

    target: Target
    horizon: int
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
    distributions: dict[str, Distribution] = {}
    hyper_parameters: dict[str, bool | int | float]
    parts: dict[str, str] = {}

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


@dataclass(frozen=True)
class ModelFiles:
    """A stored model as it travels to where it is used.

    Attributes:
        card: Its card as JSON.
        onnx: Its ONNX file; none where there was not enough data for a model.
        parts: Further ONNX files, by name.
    """

    card: str
    onnx: bytes | None
    parts: tuple[tuple[str, bytes], ...] = ()


AnyCard = TypeVar("AnyCard", bound=Card)


def card_text(card: Card) -> str:
    """The card as JSON; the same card gives the same text."""
    return card.model_dump_json(indent=2) + "\n"


def read_card(kind: type[AnyCard], text: str | bytes, where: str) -> AnyCard:
    """Read a card.

    Args:
        kind: The card's class.
        text: What `card_text` returned.
        where: Where the card lies, to name it in a message.

    Raises:
        InputError: the text is not such a card; the message names it and every mistake.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise InputError(describe_mistakes(f"the model card {where}", error)) from None


def check_card(card: Card, features: pd.DataFrame) -> None:
    """Refuse features that a model cannot read.

    Raises:
        InputError: with every feature that is missing or has the wrong type.
    """
    require_features(features, card.encoding, f"the features for model {card.version}")


@cache
def library_versions() -> dict[str, str]:
    """Installed version of each library that a model's numbers depend on."""
    return {name: version(name) for name in _LIBRARIES}


def version_of(**parts: Any) -> str:
    """Short hash of what a model was made from: the same parts give the same version."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def sha256_of(chunks: Iterable[bytes | memoryview]) -> str:
    """SHA-256 of bytes one after the other, in hexadecimal digits."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
