"""Small boosted trees, and matrices as they read them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


def make_matrix(rows: int, seed: int = 0) -> NDArray[np.float32]:
    """Values as features have them: continuous, tied, constant, enormous and missing ones."""
    chance = np.random.default_rng(seed)
    matrix = np.column_stack(
        [
            chance.normal(size=(rows, 4)),
            chance.integers(0, 4, (rows, 4)),
            np.ones(rows),
            chance.choice([-1e38, -1e-40, 0.0, 1e-40, 1e38], rows),
            np.full(rows, np.nan),
        ]
    ).astype(np.float32)
    missing = chance.random(matrix.shape) < 0.2
    missing[:, [0, 1, 8]] = False
    matrix[missing] = np.nan
    return matrix


def make_trees(
    seed: int = 0,
    kind: str = "classifier",
    rows: int = 1_000,
    matrix: NDArray[np.float32] | None = None,
    **parameters: Any,
) -> Any:
    """Boosted trees that learnt from `make_matrix`, or from a given one."""
    from sklearn.ensemble import (  # noqa: PLC0415  # slow to import
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )

    inputs = make_matrix(rows, seed) if matrix is None else matrix
    chance = np.random.default_rng([seed, 1])
    filled = np.nan_to_num(inputs[:, :8])
    score = filled[:, 0] * filled[:, 4] + filled[:, 2] - np.isnan(inputs[:, 5]) + filled[:, 6]
    score = score + chance.normal(size=len(inputs))
    learner = {
        "classifier": HistGradientBoostingClassifier,
        "regressor": HistGradientBoostingRegressor,
    }[kind]
    chosen = {"max_iter": 30, "max_leaf_nodes": 12, "max_depth": 5, "max_features": 0.5}
    model = learner(**{**chosen, **parameters}, early_stopping=False, random_state=seed)
    empty = np.isnan(inputs).all(axis=0)
    labels = score if kind == "regressor" else score > np.quantile(score, 0.6)
    with threadpool_limits(1):
        return model.fit(np.where(empty, np.float32(0), inputs), labels)
