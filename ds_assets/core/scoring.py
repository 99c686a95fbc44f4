"""Apply stored models: ONNX files and their cards, in bounded batches.

Belongs here: loading a model safely, and running it on features.
Does not belong here: how models are made, and which users to score.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ds_assets.core.clustering import ClusterCard
from ds_assets.core.encoding import encode
from ds_assets.core.model_card import AnyCard, ModelCard, sha256_of
from ds_assets.errors import InputError

BATCH_ROWS = 32_768
"""Bounds memory to some 20 MB at 70 features, and is large enough that calls cost nothing."""
_THREADS = 1
"""A row takes microseconds; more threads would cost more than they save."""
_ERRORS_ONLY = 3


@dataclass(frozen=True)
class Model(Generic[AnyCard]):
    """A loaded model.

    Attributes:
        session: onnxruntime's session.
        card: What the model says about itself.
    """

    session: Any
    card: AnyCard


def load_model(onnx: bytes, card: AnyCard) -> Model[AnyCard]:
    """Load a model after making sure that it is the one that its card describes.

    Raises:
        InputError: the card says that there is no model, or the file is not the card's.
    """
    if card.onnx_sha256 is None:
        raise InputError(f"there is no model {card.version}: {'; '.join(card.reasons)}")
    found = sha256_of([onnx])
    if found != card.onnx_sha256:
        raise InputError(
            f"the file of model {card.version} is damaged or another model's: its SHA-256 is "
            f"{found}, and the card says {card.onnx_sha256}"
        )
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = _THREADS
    options.log_severity_level = _ERRORS_ONLY
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    return Model(session, card)


def _onnxruntime() -> Any:
    # Its packages tell their maker of each process, unless told not to before they are imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # noqa: PLC0415  # slow to import

    return onnxruntime


def probabilities(model: Model[ModelCard], features: pd.DataFrame) -> NDArray[np.float64]:
    """Probability of a positive label for each row of a features frame.

    Args:
        model: A churn or payment model.
        features: Holds every feature of the model's card.

    Returns:
        Array of shape (rows,), in [0, 1].

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
    """
    parts = [found[:, 1] for (found,) in _run(model, features, ["probabilities"])]
    joined: NDArray[np.float64] = np.concatenate([np.empty(0), *parts])
    return np.clip(joined, 0.0, 1.0)


def assign(
    model: Model[ClusterCard], features: pd.DataFrame
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cluster of each row of a features frame, and its distance to the cluster's centre.

    Args:
        model: A cluster model.
        features: Holds every feature of the model's card.

    Returns:
        Ids and distances, each of shape (rows,).

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
    """
    parts = list(_run(model, features, ["cluster", "distance"]))
    ids = np.concatenate([np.empty(0, dtype=np.int64), *(part[0] for part in parts)])
    return ids, np.concatenate([np.empty(0), *(part[1] for part in parts)])


def _run(model: Model[Any], features: pd.DataFrame, outputs: list[str]) -> Iterator[list[Any]]:
    what = f"the features for model {model.card.version}"
    for start in range(0, max(len(features), 1), BATCH_ROWS):
        batch = encode(features.iloc[start : start + BATCH_ROWS], model.card.encoding, what)
        yield model.session.run(outputs, {"X": batch})
