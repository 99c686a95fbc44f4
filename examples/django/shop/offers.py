"""Which offer a player sees: the rule, as a plain function of a prediction."""

import datetime as dt
from dataclasses import dataclass

from ds_assets.serving.answer import Prediction

LIKELY = 0.5
"""Chance from which on something counts as likely."""
WORTH_KEEPING = 0.2
"""Chance of paying from which on a player who leaves is worth a discount; most have far less."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a player sees in the shop.

    Attributes:
        name: Its name in the page's styles.
        title: Its headline.
        words: What is offered.
    """

    name: str
    title: str
    words: str


PLAIN = Offer("plain", "The shop", "Everything at its usual price.")
BUNDLE = Offer("bundle", "The adventure bundle", "Gems, a pet and a month's pass for one price.")
COME_BACK = Offer("come-back", "Stay for the next chapter", "Half price on your next purchase.")
WELCOME = Offer("welcome", "Welcome back!", "We kept a gift for you: 300 gems, free.")


def offer_for(prediction: Prediction, trust: dt.timedelta) -> Offer:
    """The offer that a prediction leads to; without one of this player's own, the plain shop.

    Args:
        prediction: What is predicted for the player.
        trust: Age up to which a prediction counts.
    """
    if not is_known(prediction):
        return PLAIN
    if prediction.status == "inactive":
        return WELCOME  # what was predicted before the player left is over
    if prediction.age_seconds is None or prediction.age_seconds > trust.total_seconds():
        return PLAIN
    if _is(prediction, "churn", LIKELY) and _is(prediction, "payment", WORTH_KEEPING):
        return COME_BACK
    return BUNDLE if _is(prediction, "payment", LIKELY) else PLAIN


def is_known(prediction: Prediction) -> bool:
    """Whether a prediction is about this very player; the numbers of others are means of all."""
    return prediction.source != "default"


def _is(prediction: Prediction, kind: str, chance: float) -> bool:
    """Whether something is known to have at least a chance."""
    found: float | None = prediction.values[f"{kind}_probability"]
    return found is not None and found >= chance
