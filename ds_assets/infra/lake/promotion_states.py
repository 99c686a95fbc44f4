"""Deciding about promotions, and which of them run on a day.

Scope: making and reading decisions. What decisions and outcomes mean is in `core.promotions`.
"""

import datetime as dt
from collections.abc import Iterable, Mapping

from ds_assets.core.models.evaluation.metrics import ALL
from ds_assets.core.promotions.conditions import read_conditions
from ds_assets.core.promotions.decisions import Choice, DecisionName, PromotionDecision
from ds_assets.core.promotions.states import (
    PromotionState,
    TargetOutcome,
    find_state,
    find_targets,
)
from ds_assets.core.stored_documents import DamagedDocumentError, read_document
from ds_assets.core.tables import PREDICTION_OUTCOMES, PROMOTIONS
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.promotion_decisions import (
    DECISIONS,
    list_newest_decisions,
    store_decision,
)
from ds_assets.infra.lake.promotions import assignments_in_effect
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import read_columns, stored_days

_OUTCOMES_READ = 14
"""Newest days of outcomes that are looked at: a target without outcomes in them has none."""


def decide_about_promotion(
    promotion: str, choice: Choice, reason: str, by: str, lake: Lake, game: Game
) -> PromotionDecision:
    """Decide about a promotion.

    Pausing and resuming it concern the next days of assignments. Withdrawing it also ends those
    that are in effect, for good: they stay withdrawn when it is resumed.

    Args:
        promotion: Name of the promotion.
        choice: The decision.
        reason: Why, in words.
        by: User name of the operator.
        lake: Where the decision is stored.
        game: The game.

    Returns:
        The decision, which is stored.

    Raises:
        InputError: the game has no such promotion, or there is no reason to pause or withdraw it.
    """
    if promotion not in game.promotions:
        listed = ", ".join(game.promotions) or "none"
        raise InputError(f"found {promotion!r}; the promotions of game.yaml are: {listed}")
    if choice is not Choice.RESUMED and not reason.strip():
        raise InputError("a reason is required, for whoever looks at the promotion later")
    outcomes = read_newest_outcomes(lake)
    decision = PromotionDecision(
        promotion=promotion,
        choice=choice,
        reason=reason.strip(),
        by=by,
        at=dt.datetime.now(dt.UTC),
        outcomes_until=max((it.day for it in outcomes.values()), default=None),
        since=_find_since(promotion, choice, lake, game),
    )
    store_decision(decision, lake)
    return decision


def _find_since(promotion: str, choice: Choice, lake: Lake, game: Game) -> dt.date | None:
    """The first day of assignments that are taken back, or that count again."""
    newest = max(stored_days(PROMOTIONS.name, lake), default=None)
    if choice is Choice.PAUSED:
        return None
    if newest is None:
        return game.first_day
    next_day = newest + dt.timedelta(days=1)
    if choice is Choice.RESUMED:
        return next_day
    in_effect = assignments_in_effect(newest, lake, game).to_pandas()
    return min(in_effect["assigned_on"][in_effect["promotion"] == promotion], default=next_day)


def read_states(
    days: Iterable[dt.date], lake: Lake, game: Game, mistakes: Mapping[str, str]
) -> dict[dt.date, dict[str, PromotionState]]:
    """Read whether each promotion of a game assigns users on days, as is known now.

    Args:
        days: The days.
        lake: Where decisions and outcomes are stored.
        game: The game.
        mistakes: What is wrong with files from outside, by promotion.
    """
    conditions, outcomes = read_conditions(game), read_newest_outcomes(lake)
    newest = list_newest_decisions(lake)
    decisions = {name: _read_decision(it, lake) for name, it in newest.items()}
    relied_on = {
        name: {
            target: outcomes[target]
            for target in find_targets(promotion, conditions.get(name)) & outcomes.keys()
        }
        for name, promotion in game.promotions.items()
    }
    return {
        day: {
            name: find_state(
                promotion, day, decisions.get(name), relied_on[name], mistakes.get(name, "")
            )
            for name, promotion in game.promotions.items()
        }
        for day in days
    }


def read_newest_outcomes(lake: Lake) -> dict[str, TargetOutcome]:
    """Read the newest outcomes of each target that say something about its model."""
    usable = sorted(Records({}, lake).usable_days(PREDICTION_OUTCOMES.name))
    newest: dict[str, TargetOutcome] = {}
    columns = ["target", "segment", "verdict"]
    for day in reversed(usable[-_OUTCOMES_READ:]):
        rows = read_columns(PREDICTION_OUTCOMES.name, day, columns, lake)
        decided = rows[(rows["segment"] == ALL) & (rows["verdict"] != "too_few_users")]
        for target, verdict in zip(decided["target"], decided["verdict"], strict=True):
            newest.setdefault(target, TargetOutcome(day, verdict))
    return newest


def _read_decision(name: DecisionName, lake: Lake) -> PromotionDecision:
    """Read a decision; one that is damaged pauses its promotion, if it does not withdraw it."""
    file = f"{DECISIONS}/{name.file}"
    try:
        return read_document(PromotionDecision, lake.read(file), file)
    except (FileNotFoundError, DamagedDocumentError):
        is_withdrawn = name.choice is Choice.WITHDRAWN
        return PromotionDecision(
            promotion=name.promotion,
            choice=Choice.WITHDRAWN if is_withdrawn else Choice.PAUSED,
            reason=f"{file} cannot be read; decide again with `ds-assets resume {name.promotion}`",
            by="somebody unknown",
            at=name.at,
            since=name.since,
        )
