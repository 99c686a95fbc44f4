"""Champion and challenger: a new model replaces yesterday's unless it is worse beyond noise.

Scope: predictions of yesterday's model for users that it has not seen, and the decision.
"""

import datetime as dt
from dataclasses import dataclass

import pandas as pd

from ds_assets.core.cards import ModelFiles, read_card
from ds_assets.core.encoding import mismatches
from ds_assets.core.models.arrays import Floats, Labels
from ds_assets.core.models.card.model_card import (
    CHOICE_PREFIX,
    MODEL,
    VALIDATION_PREFIX,
    Decision,
    ModelCard,
)
from ds_assets.core.models.data.snapshots import LabelledSnapshot
from ds_assets.core.models.evaluation.metrics import mean_difference
from ds_assets.core.models.inference.onnx_model import (
    load_earlier_model,
    load_prediction_model,
    probabilities,
)
from ds_assets.core.targets import Target

_DELIVERED = ""
"""Prefix of the files of the delivered model."""
ROUNDING = 1e-5
"""Log loss that two models of the same trees may differ by: a stored one counts in float32."""


@dataclass(frozen=True)
class Champion:
    """The model that was delivered the day before."""

    card: ModelCard
    files: ModelFiles


def read_champion(files: ModelFiles, day: dt.date) -> Champion:
    """A champion from its files, of the day.

    Raises:
        InputError: the card is damaged.
    """
    return Champion(read_card(ModelCard, files.card, f"of {day}"), files)


def refuse_unreadable(files: ModelFiles, card: ModelCard) -> None:
    """Refuse the files of a model that cannot be compared with another one.

    Raises:
        InputError: a file is missing, damaged, or cannot be loaded by this release.
    """
    parts = dict(files.parts)
    if files.onnx is not None:
        load_prediction_model(files.onnx, parts, card)
    for prefix in (VALIDATION_PREFIX, CHOICE_PREFIX):
        if f"{prefix}{MODEL}" in card.parts:
            load_earlier_model(prefix, parts, card)


def unfit(champion: Champion, target: Target, features: pd.DataFrame | None) -> str | None:
    """Why a champion cannot stay, in words; None where it can.

    Args:
        champion: The champion.
        target: What is to be predicted.
        features: Features that it has to read; none where there are none yet.
    """
    card = champion.card
    if (card.target, card.horizon) != (target.name, target.horizon):
        return f"the champion predicts {card.target} in {card.horizon} days"
    if card.definition != target.definition:
        return f"the champion's {card.target} was defined otherwise"
    if card.user_groups != target.user_groups:
        return f"the champion's user groups are {card.user_groups}"
    problems = [] if features is None else mismatches(features, card.encoding)
    return f"the champion cannot read the features: {'; '.join(problems)}" if problems else None


def leakage_reason(champion: Champion, validation: LabelledSnapshot) -> str | None:
    """Why a champion cannot be validated on a snapshot, in words; None if it can."""
    if _find_unseeing(champion, validation) is not None:
        return None
    return f"the champion has seen what happened after the validation snapshot {validation.day}"


def score_validation(champion: Champion, validation: LabelledSnapshot) -> Floats:
    """Its probabilities for users whose future it has not seen, shape (users,).

    A champion that was trained after the day of the snapshot has seen some of what happened; a
    model that was made in the same way before an earlier snapshot has not.

    Args:
        champion: A champion without a `leakage_reason`.
        validation: The snapshot.

    Raises:
        InputError: a file is damaged, or does not fit the features.
    """
    card, files = champion.card, champion.files
    parts = dict(files.parts)
    prefix = _find_unseeing(champion, validation)
    if not prefix and files.onnx is not None:
        return probabilities(load_prediction_model(files.onnx, parts, card), validation.features)
    earlier = load_earlier_model(prefix or VALIDATION_PREFIX, parts, card)
    return probabilities(earlier, validation.features)


def seen_by(champion: Champion, validation: LabelledSnapshot) -> tuple[dt.date, ...]:
    """Training snapshots of the model that is measured on the latest validation snapshot."""
    card = champion.card
    is_new_to = _find_unseeing(champion, validation) == _DELIVERED
    return card.snapshots if is_new_to else card.folds[0].trained_on


def decide(
    version: str, labels: Labels, challenger: Floats, champion: Floats, seed: int
) -> Decision:
    """Keep the champion only where the challenger is worse beyond noise.

    Args:
        version: Of the champion.
        labels: Outcomes of the users of the snapshot on which choices are made, shape (users,).
        challenger: The challenger's probabilities for them.
        champion: The champion's.
        seed: Makes the interval repeatable.
    """
    difference = mean_difference(labels, challenger, champion, seed)
    worse, better = difference.low > ROUNDING, difference.high < -ROUNDING
    compared = "worse" if worse else "better" if better else "not worse"
    return Decision(
        kept="champion" if worse else "challenger",
        champion=version,
        difference=difference,
        reason=f"on the snapshot for choices the challenger is {compared} beyond noise",
    )


def _find_unseeing(champion: Champion, validation: LabelledSnapshot) -> str | None:
    """Prefix of the files of its newest model that was made before a day was over; None if none."""
    card = champion.card
    made_on = {
        _DELIVERED: card.trained,
        VALIDATION_PREFIX: card.twin_trained,
        CHOICE_PREFIX: card.chosen_on,
    }
    return next(
        (name for name, day in made_on.items() if day is not None and day <= validation.day), None
    )
