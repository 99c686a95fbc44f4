"""Two models of the same outcome: of the users who were treated, and of those who were not.

Each is a weighted mean of a model of its own arm and of one of both arms (partial pooling, as for
user groups). The difference of two independent models has the noise of both, which is larger than
most effects where outcomes are rare; what both arms have in common cancels out here. With a weight
of 0 the promotion changes the odds of all users alike. The weight is that of greatest likelihood
for users whom the models have not seen.

`python -m benchmarks uplift` compares it with the plain two-model, S-, X-, R- and DR-learners
(Künzel et al., Metalearners for Estimating Heterogeneous Treatment Effects, 2019; Nie and Wager,
Quasi-Oracle Estimation of Heterogeneous Treatment Effects, 2021; Kennedy, Towards Optimal Doubly
Robust Estimation of Heterogeneous Causal Effects, 2023) of the same learner.

Scope: from a trial to what each user is expected to do with and without treatment.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ds_assets.core.encoding import predict_others
from ds_assets.core.models.arrays import Floats, Labels, Matrix
from ds_assets.core.models.data.training_rows import Rows
from ds_assets.core.models.evaluation.metrics import log_losses
from ds_assets.core.models.learning.calibration import (
    Calibration,
    fit_intercept,
    sigmoid,
)
from ds_assets.core.models.learning.learner import (
    LINEAR_SHARE,
    FittedClassifier,
    GroupClassifier,
    fit_classifier,
)
from ds_assets.core.models.learning.spend import MIN_PAYERS, FittedAmounts, fit_amounts
from ds_assets.core.promotions.uplift.trial import Trial

OWN_SHARES = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0)
"""Weights of an arm's own model that are tried."""
MAX_FIT_ROWS = 60_000
"""Rows that a model is fitted to at most, with as many of the rarer outcome as possible."""
MAX_LEVEL_ROWS = 200_000
"""Rows at which an arm's level is exact."""
MIN_OUTCOMES = 25
"""Least number of users of an arm with each outcome: fewer fill no fold of cross-fitting."""


@dataclass(frozen=True)
class LearntArms:
    """Three models of an outcome, before they are pooled.

    Attributes:
        whole: Model of both arms.
        own: Model of the users without treatment, and of those with it.
        amounts: What is spent if anything is, the same in both arms, as too few users spend to tell
            them apart; None where the outcome is not spend.
    """

    whole: FittedClassifier
    own: tuple[FittedClassifier, FittedClassifier]
    amounts: FittedAmounts | None = None

    def raw(self, trial: Trial) -> "RawArms":
        """What the models say of rows, before they are pooled."""
        raw: Floats = predict_others(trial.matrix, trial.encoding, self._raw)
        return RawArms(raw[:, 0], raw[:, 1:3], raw[:, 3])

    def _raw(self, matrix: Matrix) -> Floats:
        amounts = np.ones(len(matrix)) if self.amounts is None else self.amounts.amounts(matrix)
        return np.column_stack([*(model.raw(matrix) for model in (self.whole, *self.own)), amounts])


@dataclass(frozen=True)
class RawArms:
    """What models say of rows.

    Attributes:
        whole: Log-odds by the model of both arms, shape (rows,).
        own: Log-odds by those of each arm, without treatment first, shape (rows, 2).
        amounts: What is spent if anything is, 1 where the outcome is not spend, shape (rows,).
    """

    whole: Floats
    own: Floats
    amounts: Floats

    def pooled(self, own_share: float, levels: Sequence[float] = (0.0, 0.0)) -> Floats:
        """Log-odds in both arms, shape (rows, 2)."""
        pooled = (1 - own_share) * self.whole[:, None] + own_share * self.own
        return np.asarray(pooled + np.array(levels))

    def expected(self, own_share: float, levels: Sequence[float]) -> tuple[Floats, Floats]:
        """Expected outcome without and with treatment, each of shape (rows,)."""
        expected = sigmoid(self.pooled(own_share, levels)) * self.amounts[:, None]
        return expected[:, 0], expected[:, 1]


@dataclass(frozen=True)
class FittedArms:
    """Models of an outcome with and without treatment.

    Attributes:
        learnt: The models.
        own_share: Weight of an arm's own model.
        levels: Added to the log-odds without and with treatment.
    """

    learnt: LearntArms
    own_share: float
    levels: tuple[float, float]

    def expected(self, trial: Trial) -> tuple[Floats, Floats]:
        """Expected outcome of each row without and with treatment, each of shape (rows,)."""
        return self.learnt.raw(trial).expected(self.own_share, self.levels)

    @property
    def classifiers(self) -> tuple[GroupClassifier, GroupClassifier]:
        """The models without and with treatment, of the probability of the outcome or any spend."""
        without, treated = (
            GroupClassifier(
                own, self.learnt.whole, self.own_share, Calibration(slope=1.0, intercept=level)
            )
            for own, level in zip(self.learnt.own, self.levels, strict=True)
        )
        return without, treated


def list_shortfalls(outcomes: Labels, treated: Labels, outcome: str) -> list[str]:
    """What is missing for models of both arms; empty if there is enough.

    Args:
        outcomes: Whether the outcome happened, shape (rows,).
        treated: Who was treated, shape (rows,).
        outcome: The outcome in words: "a visit".
    """
    counts = {
        f"{arm} users {verb} {outcome}": int((outcomes[which] == happened).sum())
        for arm, which in (("treated", treated), ("control", ~treated))
        for verb, happened in (("with", True), ("without", False))
    }
    return [
        f"{count:,} {name}, where {MIN_OUTCOMES} are needed"
        for name, count in counts.items()
        if count < MIN_OUTCOMES
    ]


def fit_arms(trial: Trial, seed: int) -> LearntArms:
    """Learn how likely the wanted outcome is in both arms."""
    return _fit_chances(trial, trial.wanted, seed)


def fit_spend_arms(trial: Trial, seed: int) -> LearntArms | None:
    """Learn expected spend in both arms; None where too few users spend."""
    if trial.spend is None:
        return None
    paid = trial.spend > 0
    if min(paid[trial.treated].sum(), paid[~trial.treated].sum()) < MIN_PAYERS:
        return None
    nothing = np.full(len(trial), "", dtype=object)
    ages = np.zeros(len(trial), dtype=np.intp)
    rows = Rows(trial.matrix, paid, nothing, trial.spend, ages, trial.encoding)
    return replace(_fit_chances(trial, paid, seed), amounts=fit_amounts(rows, seed))


def _fit_chances(trial: Trial, outcomes: Labels, seed: int) -> LearntArms:
    def fit(which: Labels) -> FittedClassifier:
        categories, labels = trial.encoding.categorical, outcomes[which]
        return fit_classifier(
            trial.matrix[which], labels, LINEAR_SHARE, seed, MAX_FIT_ROWS, categories
        )

    return LearntArms(fit(np.full(len(trial), True)), (fit(~trial.treated), fit(trial.treated)))


def choose_own_share(raw: RawArms, outcomes: Labels, treated: Labels) -> float:
    """Weight of an arm's own model with the greatest likelihood.

    Args:
        raw: What models say that have not seen the rows.
        outcomes: Whether the outcome happened, shape (rows,).
        treated: Who was treated, shape (rows,).
    """

    def loss(own_share: float) -> float:
        levels = fit_levels(raw, own_share, outcomes, treated)
        chances = sigmoid(raw.pooled(own_share, levels))
        return float(log_losses(outcomes, np.where(treated, chances[:, 1], chances[:, 0])).sum())

    return min(OWN_SHARES, key=loss)


def fit_levels(
    raw: RawArms, own_share: float, outcomes: Labels, treated: Labels
) -> tuple[float, float]:
    """What log-odds need so that both arms have their own mean probability."""
    pooled = raw.pooled(own_share)
    without, with_treatment = (
        _fit_level(pooled[which, arm], outcomes[which])
        for arm, which in enumerate((~treated, treated))
    )
    return without, with_treatment


def _fit_level(log_odds: Floats, outcomes: Labels) -> float:
    some = slice(None, None, -(-len(outcomes) // MAX_LEVEL_ROWS))
    if not 0 < outcomes[some].sum() < len(outcomes[some]):
        some = slice(None)
    ages = np.zeros(len(outcomes[some]), dtype=np.intp)
    return fit_intercept(log_odds[some], outcomes[some], ages)
