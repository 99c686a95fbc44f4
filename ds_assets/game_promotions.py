"""The keys of the game file about promotions: who gets an offer, and what it is compared with.

Scope: the keys and the rules that a promotion keeps by itself. Those that need other keys of the
file are in `game`; what a condition may say is in `core.promotions.conditions`.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, Field, ModelWrapValidatorHandler, ValidationError
from pydantic import model_validator as validates_model
from pydantic_core import InitErrorDetails, PydanticCustomError

from ds_assets.game_parts import PART, Day, Name

_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")


def _read_percent(share: object) -> object:
    """Turn `10%` into 0.1."""
    percent = _PERCENT.fullmatch(share) if isinstance(share, str) else None
    if percent:
        return float(percent[1]) / 100
    if isinstance(share, bool) or not isinstance(share, int | float):
        raise ValueError("write a share as 10% or 0.1")  # noqa: TRY004
    return share


HoldoutShare = Annotated[
    float, Field(ge=0, lt=1, allow_inf_nan=False), BeforeValidator(_read_percent)
]
"""A share of users, less than all of them."""
SomeShare = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False), BeforeValidator(_read_percent)]
"""A share of users, neither none nor all of them."""
PositiveShare = Annotated[
    float, Field(gt=0, le=1, allow_inf_nan=False), BeforeValidator(_read_percent)
]
"""A share of users, up to all of them."""
Offer = Annotated[str, Field(min_length=1, max_length=100)]


class _Part(BaseModel):
    model_config = PART


class PromotionValue(_Part):
    """What a promotion costs; what it earns is measured."""

    cost: Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)] = 0.0
    """What one treated user costs."""
    worth: Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)] = 0.0
    """What one more user with the wanted outcome is worth, such as a player who stays, beside what
    they spend in the horizon of payment: it decides on whom an offer is worth its cost."""
    currency: str | None = None
    """Currency of cost and worth, one of `currencies`; that of the reports if omitted."""


class AsBefore(_Part):
    """Users for whom what the studio did before stays as it is."""

    offer: Offer
    """What a client shows to them."""
    share: SomeShare
    """Share of those who qualify, as `20%` or 0.2."""


_OF_A_RULE = ("control", "as_before", "per_day", "explore")
"""Keys that choose among those who qualify, or divide them into arms: a file from outside has done
that already."""


class Promotion(_Part):
    """An offer: who gets it, who is kept without it for comparison, and when."""

    who: Annotated[str, Field(min_length=1, max_length=10_000)] | None = None
    """Condition that a user must meet, over predictions, features and attributes."""
    assigned_by: Annotated[str, Field(min_length=1)] | None = None
    """In place of `who`: a CSV or Parquet file beside `game.yaml` with the columns `user_id` and
    `arm`, which another program has assigned."""
    value: PromotionValue = PromotionValue()
    """What one treated user costs, and what is gained beside spend, which is measured."""
    control: SomeShare = 0.1
    """Share of those who qualify that is kept without it for comparison, as `10%` or 0.1."""
    as_before: AsBefore | None = None
    """A third arm: users for whom what the studio did before stays as it is."""
    priority: Annotated[int, Field(strict=True)] = 0
    """Promotions with a larger number are assigned first, equal ones in the order of the file."""
    cool_down: Annotated[int, Field(ge=1, le=3650, strict=True)] | None = None
    """Open days from an assignment of a user to the next one of the same promotion; the horizon of
    its target at least, and by default."""
    per_day: Annotated[int, Field(ge=1, strict=True)] | None = None
    """Most users that are treated on a day; no limit if omitted."""
    group: Name | None = None
    """At most one promotion of a group is in effect for a user."""
    first_day: Annotated[Day | None, Field(alias="from")] = None
    """First day of assignments; the first one with predictions if omitted."""
    until: Day | None = None
    """Last day of assignments; no end if omitted."""
    explore: PositiveShare = 0.1
    """Share of the users on whom the offer is not worth its cost that is chosen all the same, so
    that its effect on them is measured; all of them with 100%."""
    target: str = "churn"
    """What it is meant to change, beside spend: churn, payment or one of `targets`. It is in effect
    for the horizon of this target."""
    detects: SomeShare = 0.02
    """Smallest difference of the target's share that a result must be able to show."""

    @validates_model(mode="wrap")
    @classmethod
    def _fits_together(cls, declared: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Refuse keys that contradict each other, beside mistakes in single keys."""
        mistakes: list[Any] = []
        if isinstance(declared, dict):
            mistakes += [_mistake(text, declared) for text in _find_contradictions(declared)]
        try:
            promotion = validate(declared)
        except ValidationError as error:
            mistakes += error.errors()
        else:
            mistakes += [_mistake(text, declared) for text in _find_misfits(promotion)]
        if mistakes:
            raise ValidationError.from_exception_data(cls.__name__, mistakes)
        return promotion


def _find_misfits(promotion: Promotion) -> Iterator[str]:
    first, last = promotion.first_day, promotion.until
    if first and last and last < first:
        yield f"until must not be before from ({first})"
    if promotion.as_before and promotion.control + promotion.as_before.share >= 1:
        yield "control and as_before.share must leave users who are treated"


def _find_contradictions(declared: dict[str, Any]) -> Iterator[str]:
    if (declared.get("assigned_by") is None) == (declared.get("who") is None):
        yield "use exactly one of who and assigned_by"
    elif declared.get("who") is None:
        defaults = {key: Promotion.model_fields[key].default for key in _OF_A_RULE}
        given = (key for key, default in defaults.items() if declared.get(key, default) != default)
        yield from (f"assigned_by goes without {key}" for key in given)


def _mistake(text: str, declared: object) -> InitErrorDetails:
    return InitErrorDetails(
        type=PydanticCustomError("misfit", "{text}", {"text": text}), input=declared
    )
