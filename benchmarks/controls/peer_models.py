"""Models for the peers: `python peer_models.py MATRIX CHANCES ONNX OPTIONS OUT`, by their Python.

Writes to OUT what the servers of BentoML and MLflow load: the ONNX file itself, and a scikit-learn
model as a team that does not use ONNX would deploy it. The latter has the size of the trees in the
file and is trained to predict the same: MATRIX has rows and CHANCES the file's prediction for each,
both NumPy arrays, and OPTIONS the learner's options as JSON.
"""

import json
import shutil
import sys
from pathlib import Path

import joblib
import mlflow.onnx
import mlflow.sklearn
import numpy as np
import onnx
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier


def main() -> None:
    matrix, sigmoid = np.load(sys.argv[1]), np.load(sys.argv[2])
    file, options, out = Path(sys.argv[3]), json.loads(sys.argv[4]), Path(sys.argv[5])
    is_likely = sigmoid > np.median(sigmoid)
    learner = HistGradientBoostingClassifier(**options, random_state=0)
    out.mkdir(parents=True)
    shutil.copy(file, out / "model.onnx")
    joblib.dump(learner.fit(matrix, is_likely), out / "model.joblib")
    one_thread = {"intra_op_num_threads": 1}  # of few rows another does nothing but wake up
    mlflow.onnx.save_model(onnx.load(file), str(out / "onnx"), onnx_session_options=one_thread)
    named = pd.DataFrame(matrix, columns=[f"feature_{number}" for number in range(matrix.shape[1])])
    mlflow.sklearn.save_model(
        learner.fit(named, is_likely),
        str(out / "sklearn"),
        serialization_format="cloudpickle",  # its default refuses these trees
        pyfunc_predict_fn="predict_proba",
    )


if __name__ == "__main__":
    main()
