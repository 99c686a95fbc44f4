"""How promotions are measured: their terms, and how each outcome is said.

Scope: from `game.yaml` to what the comparison of arms needs.
"""

from collections.abc import Mapping

from ds_assets.core.models.evaluation.metrics import ALL
from ds_assets.core.promotions.assignment import AS_BEFORE, CONTROL, TREATED, version_of
from ds_assets.core.promotions.results import COST, SHOWN
from ds_assets.core.promotions.versions import VersionName
from ds_assets.core.promotions.waves import Terms
from ds_assets.core.promotions.words import Outcome
from ds_assets.core.targets import (
    BUILT_IN,
    CHURN,
    EXPECTED_SPEND,
    PAYMENT,
    Target,
    engagement_of,
    targets_of,
)
from ds_assets.game import Game

SPEND, PROFIT = "spend", "profit"
_DETECTS = 0.02
"""Smallest change of churn that the comparison with the holdout must be able to show."""


def current_terms(game: Game) -> dict[VersionName, Terms]:
    """The terms of each promotion of the game, and of all of them together with a holdout."""
    terms = {
        (name, version_of(game, name)): Terms(
            promotion.target,
            promotion.detects,
            {} if promotion.who is None else shares_of_arms(game, name),
            promotion.until,
        )
        for name, promotion in game.promotions.items()
    }
    if game.holdout:
        shares = {TREATED: 1 - game.holdout, CONTROL: game.holdout}
        terms[ALL, holdout_version(game)] = Terms(CHURN, _DETECTS, shares)
    return terms


def holdout_version(game: Game) -> str:
    """Version of all promotions together: another holdout begins a new comparison."""
    return f"holdout {game.holdout:.4g}"


def measured_targets(game: Game) -> dict[str, Target]:
    """The targets whose outcomes are measured: churn, payment, and those of promotions."""
    names = {CHURN, PAYMENT, *(promotion.target for promotion in game.promotions.values())}
    return {name: target for name, target in targets_of(game).items() if name in names}


def covariates_of(target: str) -> dict[str, str | None]:
    """Outcomes of a promotion that is meant to change a target, with what predicted each."""
    return {
        target: "target_probability",
        **{built_in.name: built_in.probability_column for built_in in BUILT_IN},
        SPEND: EXPECTED_SPEND,
        PROFIT: EXPECTED_SPEND,
        COST: None,
        SHOWN: None,
    }


def outcomes_of(game: Game) -> Mapping[str, Outcome]:
    """How each outcome is said, those of targets first."""
    shares = {
        name: Outcome(name, "points", engagement_of(name, target.definition))
        for name, target in measured_targets(game).items()
    }
    currency = game.report_currency or ""
    amounts = (Outcome(SPEND, currency), Outcome(PROFIT, currency), Outcome(COST, currency, -1))
    return shares | {outcome.name: outcome for outcome in amounts}


def shares_of_arms(game: Game, name: str) -> dict[str, float]:
    """Planned share of each arm of a promotion with a condition, by arm."""
    promotion = game.promotions[name]
    as_before = 0.0 if promotion.as_before is None else promotion.as_before.share
    shares = {TREATED: 1 - promotion.control - as_before, CONTROL: promotion.control}
    return shares | ({AS_BEFORE: as_before} if as_before else {})
