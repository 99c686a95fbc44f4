"""A model behind BentoML: `bentoml serve bentoml_service:Model`, run by the peers' Python.

The environment variable MODEL names a file of `peer_models.py`. Rows arrive as ready numbers.
"""

import os
from collections.abc import Callable
from typing import Annotated

import bentoml
import joblib
import numpy as np
import onnxruntime
from bentoml.validators import DType

Rows = np.ndarray


@bentoml.service(workers=1)
class Model:
    """Answers with the chances of rows."""

    def __init__(self) -> None:
        file = os.environ["MODEL"]
        is_onnx = file.endswith(".onnx")
        self._chances = _of_onnx(file) if is_onnx else joblib.load(file).predict_proba

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, rows: Annotated[Rows, DType("float32")]) -> Rows:
        """The chances of each row."""
        return self._chances(rows)


def _of_onnx(file: str) -> Callable[[Rows], Rows]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # of few rows another does nothing but wake up
    session = onnxruntime.InferenceSession(file, options)

    def sigmoid(rows: Rows) -> Rows:
        probabilities: Rows = session.run(["probabilities"], {"X": rows})[0]
        return probabilities

    return sigmoid
