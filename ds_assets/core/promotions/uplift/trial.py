"""Users who were treated or kept without at random: what effects are learnt from and measured on.

Scope: the rows of a comparison, their folds, and a score of the effect for each row.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.encoding import Encoding
from ds_assets.core.models.arrays import Floats, Labels, Matrix
from ds_assets.core.models.data.training_rows import NO_FEATURES
from ds_assets.core.user_samples import are_sampled, hash_users

FOLDS = 5
"""Folds of cross-fitting: each model is applied to users that it was not trained on."""


@dataclass(frozen=True)
class Trial:
    """A randomised comparison of users who were treated with users who were not.

    Attributes:
        matrix: Encoded features as of the assignment, shape (rows, features).
        treated: Who was treated, shape (rows,).
        wanted: Whether what the promotion is meant to bring about happened, shape (rows,).
        spend: What each user spent, shape (rows,); None where nothing is known of spend.
        propensity: Probability with which each row was treated, shape (rows,).
        weights: Users whom each row stands for, shape (rows,); None: one each.
        folds: Fold of each row; all rows of a user are in the same one, shape (rows,).
        encoding: The encoding of the matrix.
    """

    matrix: Matrix
    treated: Labels
    wanted: Labels
    spend: Floats | None
    propensity: Floats
    folds: NDArray[np.intp]
    weights: Floats | None = None
    encoding: Encoding = field(default=NO_FEATURES)

    def __len__(self) -> int:
        return len(self.treated)

    @property
    def row_weights(self) -> Floats:
        """Users whom each row stands for, shape (rows,)."""
        return np.ones(len(self)) if self.weights is None else self.weights

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Trial":
        """Select rows."""
        return replace(
            self,
            matrix=self.matrix[chosen],
            treated=self.treated[chosen],
            wanted=self.wanted[chosen],
            spend=None if self.spend is None else self.spend[chosen],
            propensity=self.propensity[chosen],
            folds=self.folds[chosen],
            weights=None if self.weights is None else self.weights[chosen],
        )

    def splits(self) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """Yield the rows to train on and those to apply the model to, fold by fold."""
        for fold in range(FOLDS):
            inside = self.folds == fold
            yield ~inside, inside


def folds_of(users: Iterable[object]) -> NDArray[np.intp]:
    """Fold of each user, by a hash of the id, which no feature depends on."""
    return (hash_users(users) % np.uint64(FOLDS)).astype(np.intp)


def sample_users(users: Iterable[object], most: int) -> Labels:
    """Whether each user is in a sample of about `most` of them, the same ones whenever it is drawn.

    Args:
        users: Ids of users, each once.
        most: Expected number of users of the sample; all of them if there are fewer.
    """
    listed = list(users)
    return are_sampled(listed, most / max(len(listed), 1))


def effect_scores(
    trial: Trial, outcomes: Floats, without: Floats, treated: Floats
) -> NDArray[np.float64]:
    """A score for each row whose mean over any users is their average treatment effect.

    Augmented inverse propensity weighting: unbiased whatever the models say, because the
    probability of treatment is known, and the more precise the better they are (Robins, Rotnitzky
    and Zhao, Estimation of Regression Coefficients When Some Regressors Are Not Always Observed,
    1994).

    Args:
        trial: The rows.
        outcomes: What happened, shape (rows,).
        without: Expected outcome without treatment, by a model that has not seen the row.
        treated: Expected outcome with treatment, likewise.
    """
    on_treated = trial.treated / trial.propensity * (outcomes - treated)
    on_control = ~trial.treated / (1 - trial.propensity) * (outcomes - without)
    return np.asarray(treated - without + on_treated - on_control)
