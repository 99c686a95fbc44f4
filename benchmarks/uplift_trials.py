"""Randomised trials on simulated players whose true effects are known.

Scope: what the features of players say of how they respond, and drawing trials.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.models.arrays import Floats
from ds_assets.core.promotions.uplift.trial import Trial, folds_of

FEATURES = 10
_STAYS_WITHOUT = np.array([0.2, 0.92, 0.08, 0.75])
_STAYS_TREATED = np.array([0.6, 0.92, 0.08, 0.4])
"""Chances of persuadable, sure, lost players and sleeping dogs."""
_TYPES = np.array([0.25, 0.35, 0.3, 0.1])


@dataclass(frozen=True)
class Shape:
    """A kind of trial.

    Attributes:
        chances: From hidden traits of players, shape (players, FEATURES), the chances of the wanted
            outcome without and with treatment.
        treated: Share of the players that is treated.
    """

    chances: Callable[[Floats], tuple[Floats, Floats]]
    treated: float


@dataclass(frozen=True)
class SimulatedTrial:
    """A trial with its truth.

    Attributes:
        trial: What is known of it.
        effects: True effect of the treatment on each player's chance, shape (players,).
    """

    trial: Trial
    effects: Floats


def four_types(traits: Floats) -> tuple[Floats, Floats]:
    """Persuadable, sure and lost players, and sleeping dogs, whom features tell apart in part."""
    leanings = np.column_stack(
        [
            traits[:, 0] + traits[:, 4] / 2,
            traits[:, 1] - traits[:, 2],
            0.3 * traits[:, 7] - traits[:, 1],
            1.5 * (traits[:, 3] > 1) + traits[:, 8] - 0.3 * traits[:, 0],
        ]
    )
    weights = _TYPES * np.exp(1.5 * leanings)
    shares = weights / weights.sum(axis=1, keepdims=True)
    return shares @ _STAYS_WITHOUT, shares @ _STAYS_TREATED


def same_effect(traits: Floats) -> tuple[Floats, Floats]:
    """Five points more for every player."""
    without = 0.93 * _sigmoid(0.8 * traits[:, 0] + 0.6 * traits[:, 1] - 1)
    return without, without + 0.05


def advertising(traits: Floats) -> tuple[Floats, Floats]:
    """A rare outcome, about 0.3 %, whose odds an advertisement raises more for some."""
    odds = traits[:, 0] + 0.7 * traits[:, 1] - 0.5 * traits[:, 4] - 6.8
    return _sigmoid(odds), _sigmoid(odds + 0.5 + 0.15 * traits[:, 2])


def harms_the_loyal(traits: Floats) -> tuple[Floats, Floats]:
    """A gain for most players, and a loss for those who would have stayed anyway."""
    without = _sigmoid(1.2 * traits[:, 0] + 0.8 * traits[:, 1] - 1)
    return without, np.clip(without + np.where(without > 0.5, -0.08, 0.07), 0.01, 0.99)


SHAPES = {
    "four types": Shape(four_types, treated=0.7),
    "harms the loyal": Shape(harms_the_loyal, treated=0.8),
    "advertising": Shape(advertising, treated=0.85),
    "same effect": Shape(same_effect, treated=0.8),
}


def simulate_trial(shape: Shape, players: int, seed: int) -> SimulatedTrial:
    """Draw players, assign them at random, and let them respond."""
    generator = np.random.default_rng(seed)
    traits = generator.normal(size=(players, FEATURES))
    without, with_treatment = shape.chances(traits)
    treated = generator.random(players) < shape.treated
    wanted = generator.random(players) < np.where(treated, with_treatment, without)
    trial = Trial(
        _observe(traits, generator),
        treated,
        wanted,
        None,
        np.full(players, shape.treated),
        folds_of(range(players)),
    )
    return SimulatedTrial(trial, with_treatment - without)


def _observe(traits: Floats, generator: np.random.Generator) -> NDArray[np.float32]:
    """Features as a game has them: skewed, rounded, and some of them missing."""
    features = traits.copy()
    features[:, 0] = np.exp(traits[:, 0])
    features[:, 1] = np.floor(np.exp(1.2 * traits[:, 1]))
    features[:, 4] = np.exp(0.8 * traits[:, 4])
    features[:, 3] = traits[:, 3] > 1
    features[generator.random(len(traits)) < 0.1, 6] = np.nan
    return features.astype(np.float32)


def _sigmoid(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-log_odds)))
