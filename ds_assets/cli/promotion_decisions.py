"""Deciding about a promotion, for `ds-assets pause` and `ds-assets resume`."""

from typing import Annotated, TypeAlias

import typer

from ds_assets.core.promotions.states import Choice, PromotionDecision
from ds_assets.infra.lake.promotion_states import decide_about_promotion
from ds_assets.installation import load_installation, operator_name

PromotionName: TypeAlias = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the promotion in game.yaml.")
]


def decide(promotion: str, choice: Choice, reason: str) -> PromotionDecision:
    """Decide about a promotion of the installation as the user who runs this process."""
    installation = load_installation()
    lake, by = installation.lake(), operator_name()
    return decide_about_promotion(promotion, choice, reason, by, lake, installation.game)
