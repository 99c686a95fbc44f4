"""Apply stored effect models: the effect on each user with its interval, profit and reasons.

Scope: from ONNX files and features to effects. Whom a policy treats is in `policy`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from ds_assets.core.encoding import encode, is_other, predict_others
from ds_assets.core.feature_columns import FeatureColumn
from ds_assets.core.models.arrays import Floats, Matrix
from ds_assets.core.models.inference.onnx_model import Model, load_model
from ds_assets.core.models.inference.reasons import plan_reasons, reasons_of_frame
from ds_assets.core.models.inference.tree_shap import Trees, load_trees, shap_values
from ds_assets.core.models.learning.spend import amounts_of
from ds_assets.core.promotions.uplift.card import (
    AMOUNTS,
    CONTROL,
    SPENDS_CONTROL,
    SPENDS_TREATED,
    TREATED,
    UpliftCard,
)
from ds_assets.core.promotions.uplift.training import Value
from ds_assets.errors import InputError

BATCH_ROWS = 32_768
"""Bounds memory, as in `inference.onnx_model`."""


@dataclass(frozen=True)
class UserEffects:
    """What a promotion is expected to do to users, each of shape (users,).

    Attributes:
        effects: Effect on the probability of the wanted outcome.
        low: Lower end of its 95 % interval.
        high: Its upper end.
        spend: Effect on spend; None without a model of it.
        spend_low: Lower end of its 95 % interval.
        spend_high: Its upper end.
        profits: Effect times value less cost.
    """

    effects: Floats
    low: Floats
    high: Floats
    spend: Floats | None
    spend_low: Floats | None
    spend_high: Floats | None
    profits: Floats


@dataclass(frozen=True)
class EffectModels:
    """Loaded effect models of a promotion.

    Attributes:
        card: Their card.
        models: By the name of the file.
        trees: Trees of the two models of the wanted outcome, without and with treatment.
    """

    card: UpliftCard
    models: Mapping[str, Model[UpliftCard]]
    trees: tuple[Trees, Trees]


def load_effect_models(files: Mapping[str, bytes], card: UpliftCard) -> EffectModels:
    """Load effect models after checking each file against the card.

    Raises:
        InputError: the card says that there is no model, or a file is missing or not the card's.
    """
    if card.line is None:
        raise InputError(f"there is no model {card.version}: {'; '.join(card.reasons)}")
    missing = sorted(card.parts.keys() - files.keys())
    if missing:
        raise InputError(f"{missing[0]} of model {card.version} is missing")
    models = {
        name: load_model(files[name], card.model_copy(update={"onnx_sha256": sha256}))
        for name, sha256 in card.parts.items()
    }
    return EffectModels(card, models, (load_trees(files[CONTROL]), load_trees(files[TREATED])))


def predict_user_effects(models: EffectModels, features: pd.DataFrame) -> UserEffects:
    """Effects on users, and what treating each is worth.

    Args:
        models: The models.
        features: Frame with every feature of the card.

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
    """
    card = models.card
    if card.line is None:
        raise InputError(f"there is no model {card.version}")
    differences = _differences(models, features)
    wanted = differences[:, 0]
    effects, (low, high) = card.line.effects(wanted), card.line.intervals(wanted)
    spend = spend_low = spend_high = None
    if card.spend_line is not None:
        spend = card.spend_line.effects(differences[:, 1])
        spend_low, spend_high = card.spend_line.intervals(differences[:, 1])
    profits = Value(card.cost, card.worth).profits(effects, spend)
    return UserEffects(effects, low, high, spend, spend_low, spend_high, profits)


def explain_effects(
    models: EffectModels, features: pd.DataFrame, declared: Iterable[FeatureColumn]
) -> pa.ChunkedArray:
    """The strongest reasons of each effect: what raises the odds with treatment more than without.

    The log-odds of both models are sums of SHAP values, so that their difference is, too.

    Args:
        models: The models.
        features: Frame with every feature of the card.
        declared: The game's features, for the words of the reasons.

    Returns:
        One JSON text per row; see `ds_assets.core.models.inference.reasons`.

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
    """
    encoding = models.card.encoding
    plan = plan_reasons(encoding, declared, engagement=0)
    control, treated = models.trees

    def values(matrix: Matrix) -> Floats:
        return np.asarray(shap_values(treated, matrix)[0] - shap_values(control, matrix)[0])

    parts = []
    for rows in _batches(features):
        matrix = encode(rows, encoding)
        effects = predict_others(matrix, encoding, values)
        of_listed = np.where(is_other(matrix, encoding), 0.0, effects)
        parts.append(reasons_of_frame(rows, plan, of_listed))
    return pa.chunked_array(parts)


def _differences(models: EffectModels, features: pd.DataFrame) -> Floats:
    """Expected outcomes with less without treatment: of the wanted outcome, and of spend."""
    encoding = models.card.encoding
    parts = [
        predict_others(encode(rows, encoding), encoding, lambda matrix: _of_rows(models, matrix))
        for rows in _batches(features)
    ]
    return np.concatenate(parts)


def _of_rows(models: EffectModels, matrix: Matrix) -> Floats:
    wanted = _chances(models, TREATED, matrix) - _chances(models, CONTROL, matrix)
    factor = models.card.spend_factor
    if factor is None:
        return wanted[:, None]
    (logarithms,) = models.models[AMOUNTS].session.run(["variable"], {"X": matrix})
    amounts = amounts_of(logarithms[:, 0].astype(np.float64), factor)
    spends = _chances(models, SPENDS_TREATED, matrix) - _chances(models, SPENDS_CONTROL, matrix)
    return np.column_stack([wanted, spends * amounts])


def _chances(models: EffectModels, name: str, matrix: Matrix) -> Floats:
    (chances,) = models.models[name].session.run(["probabilities"], {"X": matrix})
    return np.asarray(chances[:, 1], dtype=np.float64)


def _batches(features: pd.DataFrame) -> Iterable[pd.DataFrame]:
    """Batches of rows; one empty batch if there are no rows."""
    for start in range(0, max(len(features), 1), BATCH_ROWS):
        yield features.iloc[start : start + BATCH_ROWS]
