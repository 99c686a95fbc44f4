"""Deciding about a promotion, for `ds-assets pause`, `withdraw` and `resume`."""

from typing import Annotated, TypeAlias

import typer

from ds_assets.core.promotions.decisions import Choice, PromotionDecision
from ds_assets.infra.lake.promotion_states import decide_about_promotion
from ds_assets.installation import Installation, operator_name

PromotionName: TypeAlias = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the promotion in game.yaml.")
]


def decide(
    installation: Installation, promotion: str, choice: Choice, reason: str
) -> PromotionDecision:
    """Decide about a promotion of an installation as the user who runs this process."""
    lake, by = installation.lake(), operator_name()
    return decide_about_promotion(promotion, choice, reason, by, lake, installation.game)
