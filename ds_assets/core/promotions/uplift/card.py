"""The card of the effect models of a promotion.

Scope: its fields. The wording is in `markdown`, drawing in `pictures`.
"""

import datetime as dt
from typing import Literal

from pydantic import Field

from ds_assets.core.cards import Card
from ds_assets.core.promotions.uplift.effects import EffectLine
from ds_assets.core.promotions.uplift.training import UpliftValidation

TREATED, CONTROL = "treated.onnx", "control.onnx"
"""Files of the two models of the wanted outcome."""
SPENDS_TREATED, SPENDS_CONTROL = "spends_treated.onnx", "spends_control.onnx"
"""Files of the two models of any spend."""
AMOUNTS = "amounts.onnx"
"""File of the model of what is spent, if anything is."""
Direction = Literal[1, -1]


class UpliftCard(Card):
    """The card of the effect models of a promotion.

    Attributes:
        promotion: Name of the promotion.
        promotion_version: Version of the promotion whose users it has learnt from.
        target: What the promotion is meant to change.
        direction: 1 where more of the target is wanted, -1 where less is, as of churn.
        days: Days of the assignments that it has learnt from.
        validated_on: Later days on which it was validated, by a model of the days before.
        treated: Treated users that it has learnt from.
        control: Users without treatment that it has learnt from.
        cost: Of one treated user.
        worth: Of one more user with the wanted outcome, beside what is spent.
        line: Calibration of the effect on the wanted outcome; None without a model.
        spend_line: Calibration of the effect on spend; None without a model of it.
        spend_factor: Factor on the amounts; None without a model of spend.
        validation: Effects and policies compared with what later users did; None without a model.
        parts: SHA-256 of each file, by its name.
    """

    promotion: str
    promotion_version: str
    target: str
    direction: Direction
    days: tuple[dt.date, ...] = ()
    validated_on: tuple[dt.date, ...] = ()
    treated: int = 0
    control: int = 0
    cost: float = 0.0
    worth: float = 0.0
    line: EffectLine | None = None
    spend_line: EffectLine | None = None
    spend_factor: float | None = None
    validation: UpliftValidation | None = None
    parts: dict[str, str] = Field(default_factory=dict)

    @property
    def uses_policy(self) -> bool:
        """Whether users are chosen by effect; otherwise the rule chooses all who qualify."""
        decision = None if self.validation is None else self.validation.decision
        return decision is not None and decision.used == "uplift"
