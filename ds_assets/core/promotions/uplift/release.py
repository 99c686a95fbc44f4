"""Train the effect models of a promotion, validate them on later days, and write their files.

Scope: from a trial with days to a card and ONNX files.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.cards import library_versions, sha256_of, version_of
from ds_assets.core.models.arrays import Labels
from ds_assets.core.models.learning.onnx_export import as_onnx, classifier_onnx
from ds_assets.core.promotions.uplift.arms import list_shortfalls
from ds_assets.core.promotions.uplift.card import (
    AMOUNTS,
    CONTROL,
    SPENDS_CONTROL,
    SPENDS_TREATED,
    TREATED,
    Direction,
    UpliftCard,
)
from ds_assets.core.promotions.uplift.training import (
    UpliftModel,
    Value,
    fit_uplift,
    validate_uplift,
)
from ds_assets.core.promotions.uplift.trial import Trial

MIN_LATER_SHARE = 0.25
"""Least share of the rows, those of the latest days, that validate."""


@dataclass(frozen=True)
class PromotionTrial:
    """The matured users of a promotion, by which its effect is learnt.

    Attributes:
        promotion: Name of the promotion.
        version: Version of the promotion, which all rows have.
        target: What it is meant to change.
        direction: 1 where more of the target is wanted, -1 where less is.
        trial: The rows, whose encoding is that of the models.
        days: Day of the assignment of each row, shape (rows,).
    """

    promotion: str
    version: str
    target: str
    direction: Direction
    trial: Trial
    days: NDArray[np.object_]


@dataclass(frozen=True)
class TrainedUplift:
    """The card and the files of effect models; no file where there is no model."""

    card: UpliftCard
    files: dict[str, bytes]


def train_uplift(
    rows: PromotionTrial, as_of: dt.date, value: Value, seed: int = 0
) -> TrainedUplift:
    """Learn effects, decide whom to treat on later days, and learn again from all days.

    Args:
        rows: The matured users.
        as_of: Day at whose end they were known.
        value: What effects are worth.
        seed: Makes training repeatable.
    """
    blank = _blank_card(rows, as_of, value, seed)
    later = find_later(rows.days)
    training, validation = rows.trial.rows(~later), rows.trial.rows(later)
    lack = _list_lack(rows, training, validation)
    if lack:
        return TrainedUplift(blank.model_copy(update={"reasons": tuple(lack)}), {})
    earlier, whole = fit_uplift(training, seed), fit_uplift(rows.trial, seed)
    if earlier is None or whole is None:
        raise ValueError("users that suffice cannot be too few to learn from")
    files = _write_files(whole)
    facts = {
        "state": "ready",
        "validated_on": tuple(sorted(set(rows.days[later]))),
        "line": whole.wanted.line,
        "spend_line": None if whole.spend is None else whole.spend.line,
        "spend_factor": _spend_factor(whole),
        "validation": validate_uplift(earlier, training, validation, value, seed),
        "onnx_sha256": sha256_of([files[TREATED]]),
        "parts": {name: sha256_of([file]) for name, file in sorted(files.items())},
    }
    return TrainedUplift(blank.model_copy(update=facts), files)


def find_later(days: NDArray[np.object_]) -> Labels:
    """Which rows validate: those of the latest days that have enough of them, never of the first.

    Args:
        days: Day of each row, shape (rows,).
    """
    ordered = sorted(set(days))
    later = np.zeros(len(days), dtype=bool)
    for day in reversed(ordered[1:]):
        later |= days == day
        if later.mean() >= MIN_LATER_SHARE:
            break
    return later


def _list_lack(rows: PromotionTrial, training: Trial, validation: Trial) -> Sequence[str]:
    days = len(set(rows.days))
    if days < 2:  # noqa: PLR2004  # the smallest number with a later one
        return [
            f"matured assignments of {days} {'day' if days == 1 else 'days'}, where 2 are needed"
        ]
    outcome = f"the wanted outcome of {rows.target}"
    return [
        f"{name} days: {words}"
        for name, some in (("earlier", training), ("later", validation))
        for words in list_shortfalls(some.wanted, some.treated, outcome)
    ]


def _write_files(model: UpliftModel) -> dict[str, bytes]:
    control, treated = model.wanted.arms.classifiers
    files = {CONTROL: classifier_onnx(control), TREATED: classifier_onnx(treated)}
    if model.spend is not None and model.spend.arms.learnt.amounts is not None:
        control, treated = model.spend.arms.classifiers
        files |= {
            SPENDS_CONTROL: classifier_onnx(control),
            SPENDS_TREATED: classifier_onnx(treated),
            AMOUNTS: as_onnx(model.spend.arms.learnt.amounts.trees.learner),
        }
    return files


def _spend_factor(model: UpliftModel) -> float | None:
    amounts = None if model.spend is None else model.spend.arms.learnt.amounts
    return None if amounts is None else amounts.factor


def _blank_card(rows: PromotionTrial, as_of: dt.date, value: Value, seed: int) -> UpliftCard:
    """The card as far as it is known before anything is learnt."""
    trial = rows.trial
    made_from: dict[str, Any] = {
        "promotion": rows.promotion,
        "promotion_version": rows.version,
        "target": rows.target,
        "as_of": as_of,
        "seed": seed,
        "cost": value.cost,
        "worth": value.worth,
        "libraries": library_versions(),
        "data_fingerprint": _fingerprint(trial),
    }
    return UpliftCard(
        **made_from,
        direction=rows.direction,
        state="not_enough_data",
        reasons=(),
        version=version_of(**made_from),
        encoding=trial.encoding,
        onnx_sha256=None,
        days=tuple(sorted(set(rows.days))),
        treated=int(trial.treated.sum()),
        control=int((~trial.treated).sum()),
    )


def _fingerprint(trial: Trial) -> str:
    spend = b"" if trial.spend is None else trial.spend.tobytes()
    arrays = (trial.matrix, trial.treated, trial.wanted, trial.propensity, trial.row_weights)
    encoding = trial.encoding.model_dump_json().encode()
    return sha256_of([encoding, spend, *(array.tobytes() for array in arrays)])
