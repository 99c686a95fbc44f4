"""Whether a promotion runs: its dates, decisions of the operator, and outcomes of its predictions.

Scope: the state that follows from them. Records of decisions are in `decisions`, reading outcomes
is in `infra.lake.promotion_states`.

A promotion is stopped by itself while the newest outcomes of a target that it relies on show a
useless model. `ds-assets resume` lifts that for the outcomes that there are, until newer ones show
the same.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ds_assets.core.promotions.assignment import runs_on
from ds_assets.core.promotions.conditions import Condition
from ds_assets.core.promotions.decisions import Choice, PromotionDecision
from ds_assets.core.tables import PREDICTIONS
from ds_assets.core.targets import BUILT_IN
from ds_assets.game_promotions import Promotion

Status = Literal["runs", "waits", "ended", "paused", "withdrawn", "stopped"]


class TargetOutcome(NamedTuple):
    """The newest outcomes of a target.

    Attributes:
        day: Day of the predictions.
        verdict: How they went, as in `PREDICTION_OUTCOMES`.
    """

    day: dt.date
    verdict: str


@dataclass(frozen=True)
class PromotionState:
    """Whether a promotion assigns users on a day.

    Attributes:
        status: `runs`; `waits` for its first day; `ended`; `paused` or `withdrawn` by a person; or
            `stopped` by itself.
        reason: Why, in words; empty if it runs.
        may_resume: Whether a decision of the operator would continue it.
    """

    status: Status
    reason: str = ""
    may_resume: bool = False

    def __str__(self) -> str:
        return f"{self.status}, {self.reason}" if self.reason else self.status


def find_targets(promotion: Promotion, condition: Condition | None) -> set[str]:
    """The targets that a promotion relies on: its own, and those whose predictions it looks at."""
    owners = {
        column: target.name
        for target in BUILT_IN
        for column in (
            *(target.probability_column, target.low_column, target.high_column),
            *(target.amount_column, target.days_left_column),
        )
    }
    values = condition.names.values() if condition else ()
    behind = {owners.get(it.column) if it.table == PREDICTIONS.name else it.target for it in values}
    return {target for target in behind if target} | {promotion.target}


def find_state(
    promotion: Promotion,
    day: dt.date,
    decision: PromotionDecision | None,
    outcomes: Mapping[str, TargetOutcome],
    mistake: str = "",
) -> PromotionState:
    """Find out whether a promotion assigns users on a day.

    Args:
        promotion: The promotion.
        day: The day.
        decision: The newest decision about it.
        outcomes: The newest outcomes of each target that it relies on.
        mistake: What is wrong with its file from outside; empty if nothing is.
    """
    if not runs_on(promotion, day):
        is_over = promotion.until is not None and promotion.until < day
        dates = (f"until {promotion.until}",) if is_over else (f"from {promotion.first_day}",)
        return PromotionState("ended" if is_over else "waits", *dates)
    if decision is not None and decision.choice is not Choice.RESUMED:
        status: Status = "withdrawn" if decision.choice is Choice.WITHDRAWN else "paused"
        reason = str(decision).removeprefix(f"{status} ")
        return PromotionState(status, reason, may_resume=True)
    if mistake:
        return PromotionState("stopped", mistake)
    return _find_stop(decision, outcomes) or PromotionState("runs")


def _find_stop(
    decision: PromotionDecision | None, outcomes: Mapping[str, TargetOutcome]
) -> PromotionState | None:
    lifted_until = (decision and decision.outcomes_until) or dt.date.min
    useless = [
        f"{target} predictions of {outcome.day} were useless"
        for target, outcome in sorted(outcomes.items())
        if outcome.verdict == "useless" and outcome.day > lifted_until
    ]
    reason = " and ".join(useless)
    return PromotionState("stopped", reason, may_resume=True) if useless else None
