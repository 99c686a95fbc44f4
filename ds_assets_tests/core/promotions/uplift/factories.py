"""Trials for tests."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from ds_assets.core.encoding import Encoding, Feature
from ds_assets.core.models.arrays import Floats
from ds_assets.core.promotions.uplift.release import PromotionTrial
from ds_assets.core.promotions.uplift.trial import Trial, folds_of

FEATURES = ("active_days_28d", "tenure_days", "purchases_28d")
Chances = Callable[[Floats], tuple[Floats, Floats]]


def helps_some(traits: Floats) -> tuple[Floats, Floats]:
    """Half of the users gain forty points, the others lose twenty."""
    without = np.full(len(traits), 0.4)
    return without, np.asarray(without + np.where(traits[:, 0] > 0, 0.4, -0.2))


def helps_all_alike(traits: Floats) -> tuple[Floats, Floats]:
    without = np.where(traits[:, 1] > 0, 0.7, 0.2)
    return without, np.asarray(without + 0.1)


def make_trial(
    chances: Chances = helps_some, rows: int = 1_500, treated_share: float = 0.5, seed: int = 0
) -> Trial:
    """A trial whose users respond as `chances` says, and spend 10 if they do what is wanted."""
    generator = np.random.default_rng(seed)
    traits = generator.normal(size=(rows, 3))
    without, with_treatment = chances(traits)
    treated = generator.random(rows) < treated_share
    wanted = generator.random(rows) < np.where(treated, with_treatment, without)
    return Trial(
        traits.astype(np.float32),
        treated,
        wanted,
        np.where(wanted, 10.0, 0.0),
        np.full(rows, treated_share),
        folds_of(range(rows)),
    )


def true_effects(trial: Trial, chances: Chances = helps_some) -> Floats:
    without, with_treatment = chances(trial.matrix.astype(np.float64))
    return np.asarray(with_treatment - without)


def as_promotion(trial: Trial, days: int = 4) -> PromotionTrial:
    """The trial as the users of a promotion against churn, on consecutive days."""
    first = dt.date(2026, 3, 1)
    of_rows = [first + dt.timedelta(row * days // len(trial)) for row in range(len(trial))]
    features = [Feature(name=name, type="number") for name in FEATURES]
    encoded = replace(trial, encoding=Encoding(features=tuple(features)))
    return PromotionTrial("welcome_back", "v1", "churn", -1, encoded, np.array(of_rows, object))


def features_of(trial: Trial) -> pd.DataFrame:
    return pd.DataFrame(trial.matrix, columns=[*FEATURES])
