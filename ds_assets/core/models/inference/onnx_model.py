"""Apply stored models: ONNX files and their cards, in bounded batches.

Scope: loading a model safely, and running it on features.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Generic

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ds_assets.core.cards import AnyCard, Card, sha256_of
from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.encoding import USER_GROUP, Encoding, encode, is_other, predict_others
from ds_assets.core.feature_columns import FeatureColumn
from ds_assets.core.first_days import FIRST_DAYS, is_row_new
from ds_assets.core.models.card.model_card import (
    AMOUNTS,
    MODEL,
    ModelCard,
)
from ds_assets.core.models.inference.reasons import plan_reasons, reasons_of_frame
from ds_assets.core.models.inference.tree_shap import Trees, load_trees, shap_values
from ds_assets.core.models.learning.spend import amounts_of
from ds_assets.core.targets import engagement_of
from ds_assets.core.user_groups import with_user_groups
from ds_assets.errors import InputError

ALL_USERS = ""
"""Key of the model that serves all users whose group has no separate model."""
BATCH_ROWS = 32_768
"""Bounds memory to some 20 MB at 70 features; calls are negligible at this size."""
_THREADS = 1
"""A row takes microseconds; more threads would cost more than they save."""
_ERRORS_ONLY = 3

Groups = Sequence[str | None]
"""The user group of each row."""


@dataclass(frozen=True)
class Model(Generic[AnyCard]):
    """A loaded model.

    Attributes:
        session: onnxruntime's session.
        card: The model's card.
    """

    session: Any
    card: AnyCard


@dataclass(frozen=True)
class PredictionModel(Model[ModelCard]):
    """A loaded model of a target.

    Attributes:
        groups: Sessions of the group models, by group.
        amounts: Session of the model of amounts, if there is one.
        onnx: File of the model for all users, under an empty string, and of each group model.
    """

    groups: Mapping[str, Any]
    amounts: Any | None
    onnx: Mapping[str, bytes]

    @cached_property
    def trees(self) -> Mapping[str, Trees]:
        """Trees of the model for all users and of each group model, to explain predictions."""
        return {group: load_trees(file) for group, file in self.onnx.items()}


def load_model(onnx: bytes, card: AnyCard) -> Model[AnyCard]:
    """Load a model after checking that it is the one that its card describes.

    Raises:
        InputError: the card says that there is no model, or the file is not the card's.
    """
    return Model(_session(onnx, card.onnx_sha256, card), card)


def load_prediction_model(
    onnx: bytes, parts: Mapping[str, bytes], card: ModelCard
) -> PredictionModel:
    """Load a target's model and its other files after checking them against the card.

    Args:
        onnx: The model for all users.
        parts: Every other file that the card names.
        card: Its card.

    Raises:
        InputError: the card says that there is no model, or a file is missing or not the card's.
    """
    files = {group.group: group.file for group in card.groups if group.file is not None}
    return PredictionModel(
        _session(onnx, card.onnx_sha256, card),
        card,
        groups={group: _part(name, parts, card) for group, name in files.items()},
        amounts=_part(AMOUNTS, parts, card) if AMOUNTS in card.parts else None,
        onnx={ALL_USERS: onnx} | {group: parts[name] for group, name in files.items()},
    )


def load_earlier_model(prefix: str, parts: Mapping[str, bytes], card: ModelCard) -> PredictionModel:
    """Load a model that was made in the same way from what was known on an earlier day.

    Args:
        prefix: How the names of its files begin: `VALIDATION_PREFIX` or `CHOICE_PREFIX`.
        parts: Every file that the card names.
        card: The card.

    Raises:
        InputError: a file is missing or not the card's.
    """
    files = {group.group: group.file for group in card.groups if group.file is not None}
    earlier = {group: f"{prefix}{name}" for group, name in files.items()}
    # A group that had too few users on that day is served by the model for all users.
    groups = {
        group: _part(name, parts, card) for group, name in earlier.items() if name in card.parts
    }
    return PredictionModel(
        _part(f"{prefix}{MODEL}", parts, card), card, groups=groups, amounts=None, onnx={}
    )


def _part(name: str, parts: Mapping[str, bytes], card: ModelCard) -> Any:
    if name not in parts:
        raise InputError(f"{name} of model {card.version} is missing")
    return _session(parts[name], card.parts.get(name), card)


def _session(onnx: bytes, expected: str | None, card: Card) -> Any:
    if expected is None:
        raise InputError(f"there is no model {card.version}: {'; '.join(card.reasons)}")
    checksum = sha256_of([onnx])
    if checksum != expected:
        raise InputError(
            f"the file of model {card.version} is damaged or another model's: its SHA-256 is "
            f"{checksum}, and the card says {expected}"
        )
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = _THREADS
    options.log_severity_level = _ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001  (its classes are private, and share no other base)
        raise InputError(f"the file of model {card.version} cannot be loaded: {error}") from None


def _onnxruntime() -> Any:
    # Its packages report each process to their maker unless this is set before the import.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # noqa: PLC0415  # slow to import

    return onnxruntime


def probabilities(model: PredictionModel, features: pd.DataFrame) -> NDArray[np.float64]:
    """Probability of a positive label for each row, by the model that serves its user.

    Args:
        model: A target's model.
        features: Frame with every feature of the card, and the columns that define user groups.

    Returns:
        Array of shape (rows,), in [0, 1].

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
    """
    chunks = (
        probabilities_of(model, matrix, _groups(model, rows))
        for matrix, rows in _encode_batches(model, features)
    )
    return np.concatenate([np.empty(0), *chunks])


def probabilities_of(
    model: PredictionModel, matrix: NDArray[np.float32], groups: Groups
) -> NDArray[np.float64]:
    """The same for encoded rows.

    Args:
        model: A target's model.
        matrix: Encoded features, shape (rows, features).
        groups: User group of each row, for a model with group models.
    """
    encoding = model.card.encoding
    chances = _chances(model.session, matrix, encoding)
    for group, own in _of_groups(model, matrix, groups):
        chances[own] = _chances(model.groups[group], matrix[own], encoding)
    return np.clip(chances, 0.0, 1.0)


def amounts(model: PredictionModel, features: pd.DataFrame) -> NDArray[np.float64] | None:
    """Likely spend of each user within the horizon, given a purchase; None without such a model.

    Args:
        model: A target's model.
        features: Frame with every feature of the card.

    Returns:
        Array of shape (rows,), in the unit of the reports, at least 0.

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
    """
    if model.amounts is None:
        return None
    chunks = [amounts_of_rows(model, matrix) for matrix, _ in _encode_batches(model, features)]
    predicted = [chunk for chunk in chunks if chunk is not None]
    return np.concatenate(predicted) if predicted else None


def amounts_of_rows(
    model: PredictionModel, matrix: NDArray[np.float32]
) -> NDArray[np.float64] | None:
    """The same for encoded rows, shape (rows, features)."""
    if model.amounts is None or model.card.spend is None:
        return None
    predict = partial(_amounts, model.amounts, model.card.spend.factor)
    return predict_others(matrix, model.card.encoding, predict)


def _amounts(session: Any, factor: float, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    (logarithms,) = session.run(["variable"], {"X": rows})
    return amounts_of(logarithms[:, 0].astype(np.float64), factor)


def predict_spend(
    model: PredictionModel, chances: NDArray[np.float64], likely: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64] | None, ...]:
    """Expected spend of each user, and the ends of the interval of the spend.

    Args:
        model: A target's model.
        chances: Probability of a purchase, shape (rows,).
        likely: Likely spend given a purchase, shape (rows,); None without a model of amounts.

    Returns:
        Three arrays of shape (rows,); None where there is no model of amounts, and for intervals
        of a model of an earlier version.
    """
    spend = model.card.spend
    if likely is None or spend is None:
        return None, None, None
    if spend.spread is None:
        return chances * likely, None, None
    return chances * likely, *spend.spread.interval(chances, likely)


def predict_days_left(
    model: PredictionModel, chances: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Median days left of each user; not a number where it is further away than the history shows.

    Args:
        model: A target's model.
        chances: Probability of leaving, shape (rows,).

    Returns:
        Array of shape (rows,), whole numbers; None without a survival curve.
    """
    survival = model.card.survival
    return None if survival is None else survival.curve.days_left(chances)


def explain(
    model: PredictionModel, features: pd.DataFrame, declared: Iterable[FeatureColumn]
) -> pa.ChunkedArray:
    """The strongest reasons of each prediction, by the model that serves its user.

    Args:
        model: A target's model.
        features: Frame with every feature of the card, and the columns that define user groups.
        declared: The game's features, for the words of the reasons.

    Returns:
        One JSON text per row; see `ds_assets.core.models.inference.reasons`.

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
    """
    card = model.card
    plan = plan_reasons(card.encoding, declared, engagement_of(card.target, card.definition))
    parts = []
    for matrix, rows in _encode_batches(model, features):
        values = shap_values_of(model, matrix, _groups(model, rows))
        parts.append(reasons_of_frame(rows, plan, values))
    return pa.chunked_array(parts)


def shap_values_of(
    model: PredictionModel, matrix: NDArray[np.float32], groups: Groups
) -> NDArray[np.float32]:
    """SHAP values of encoded rows, by the model that serves each; see `probabilities_of`.

    A category that is not listed has the value 0: nothing is known of it, so it is no reason.
    """
    encoding = model.card.encoding
    values = _shap_values(model.trees[ALL_USERS], matrix, encoding)
    for group, own in _of_groups(model, matrix, groups):
        values[own] = _shap_values(model.trees[group], matrix[own], encoding)
    return np.where(is_other(matrix, encoding), np.float32(0), values)


def _shap_values(
    trees: Trees, matrix: NDArray[np.float32], encoding: Encoding
) -> NDArray[np.float32]:
    return predict_others(matrix, encoding, lambda rows: shap_values(trees, rows)[0])


def _chances(session: Any, matrix: NDArray[np.float32], encoding: Encoding) -> NDArray[np.float64]:
    return predict_others(matrix, encoding, partial(_chances_of_rows, session))


def _chances_of_rows(session: Any, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    (chances,) = session.run(["probabilities"], {"X": rows})
    return np.asarray(chances[:, 1], dtype=np.float64)


def _groups(model: PredictionModel, rows: pd.DataFrame) -> Groups:
    if not model.groups:
        return ()
    groups: list[str] = (
        with_user_groups(rows, model.card.user_groups)[USER_GROUP].fillna("").tolist()
    )
    return groups


def _of_groups(
    model: PredictionModel, matrix: NDArray[np.float32], groups: Groups
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Group models with rows to score, and a mask of these rows; those of the first days last."""
    if not model.groups:
        return
    rows = np.array(groups, dtype=object)
    for group in sorted(model.groups.keys() & {*groups}):
        yield group, rows == group
    for name in FIRST_DAYS:
        if name in model.groups:
            new = is_row_new(name, matrix, model.card.encoding)
            if new.any():
                yield name, new


def assign(
    model: Model[ClusterCard], features: pd.DataFrame
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cluster of each row of a features frame, and its distance to the cluster's centre.

    Args:
        model: A cluster model.
        features: Frame with every feature of the card.

    Returns:
        Ids and distances, each of shape (rows,).

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
    """
    parts = list(_run(model, features, ["cluster", "distance"]))
    ids = np.concatenate([np.empty(0, dtype=np.int64), *(part[0] for part in parts)])
    return ids, np.concatenate([np.empty(0), *(part[1] for part in parts)])


def _run(model: Model[Any], features: pd.DataFrame, outputs: list[str]) -> Iterator[list[Any]]:
    for matrix, _ in _encode_batches(model, features):
        yield model.session.run(outputs, {"X": matrix})


def _encode_batches(
    model: Model[Any], features: pd.DataFrame
) -> Iterator[tuple[NDArray[np.float32], pd.DataFrame]]:
    """Yield batches of rows, encoded and raw; one empty batch if there are no rows."""
    what = f"the features for model {model.card.version}"
    for start in range(0, max(len(features), 1), BATCH_ROWS):
        rows = features.iloc[start : start + BATCH_ROWS]
        yield encode(rows, model.card.encoding, what), rows
