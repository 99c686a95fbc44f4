"""Decisions about promotions in the lake.

Scope: storing and listing them. What they mean is in `core.promotions`.
"""

from ds_assets.core.promotions.decisions import (
    DecisionName,
    PromotionDecision,
    Withdrawal,
    find_withdrawals,
    newest_decisions,
)
from ds_assets.infra.lake.base import Lake

DECISIONS = "promotion_decisions"


def store_decision(decision: PromotionDecision, lake: Lake) -> None:
    """Store a decision, which is in force from then on."""
    lake.write(f"{DECISIONS}/{decision.name}", decision.model_dump_json(indent=1).encode())


def list_newest_decisions(lake: Lake) -> dict[str, DecisionName]:
    """The name of the newest decision about each promotion."""
    return newest_decisions(lake.entries(DECISIONS))


def list_withdrawals(lake: Lake) -> tuple[Withdrawal, ...]:
    """The withdrawals of promotions, in their order in time."""
    return find_withdrawals(lake.entries(DECISIONS))
