"""Effects by econml, in an environment of its own: reads a trial as arrays, writes effects.

Its causal forest, and its X- and DR-learner with boosted trees and forests. Arguments: a file of
arrays to read, and one to write; nothing of the project is imported.
"""

import sys
from typing import Any

import numpy as np
from econml.dml import CausalForestDML
from econml.dr import ForestDRLearner
from econml.metalearners import XLearner
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor


def small_trees(kind: Any) -> Any:
    return kind(learning_rate=0.1, max_iter=60, max_leaf_nodes=8, min_samples_leaf=50)


def main() -> None:
    arrays = np.load(sys.argv[1])
    matrix, later = (np.nan_to_num(arrays[name]) for name in ("matrix", "later"))
    treated, outcomes = arrays["treated"].astype(int), arrays["wanted"].astype(float)
    common = {"min_samples_leaf": 50, "random_state": 0, "n_jobs": 1}
    learners = {
        "causal forest": CausalForestDML(
            model_y=small_trees(HistGradientBoostingRegressor),
            model_t=small_trees(HistGradientBoostingClassifier),
            discrete_treatment=True,
            n_estimators=100,
            **common,
        ),
        "DR-learner with forests": ForestDRLearner(
            model_regression=small_trees(HistGradientBoostingRegressor),
            model_propensity=small_trees(HistGradientBoostingClassifier),
            n_estimators=100,
            **common,
        ),
        "X-learner": XLearner(models=small_trees(HistGradientBoostingRegressor)),
    }
    effects = {}
    for name, learner in learners.items():
        learner.fit(outcomes, treated, X=matrix)
        effects[name] = np.ravel(learner.effect(later))
    np.savez(sys.argv[2], allow_pickle=False, **effects)


if __name__ == "__main__":
    main()
