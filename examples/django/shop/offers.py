"""Which offer a player sees: the rule, as a plain function of a prediction."""

import datetime as dt
from dataclasses import dataclass

from ds_assets.serving.answer import Prediction

LIKELY = 0.5
"""Probability from which something counts as likely."""
WORTH_KEEPING = 0.2
"""Probability of paying from which a leaving player gets a discount; most are far below."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a player sees in the shop.

    Attributes:
        name: Name of its style.
        title: Headline.
        words: Text.
    """

    name: str
    title: str
    words: str


PLAIN = Offer("plain", "The shop", "Everything at its usual price.")
BUNDLE = Offer("bundle", "The adventure bundle", "Gems, a pet and a month's pass for one price.")
COME_BACK = Offer("come-back", "Stay for the next chapter", "Half price on your next purchase.")
WELCOME = Offer("welcome", "Welcome back!", "We kept a gift for you: 300 gems, free.")


def offer_for(prediction: Prediction, trust: dt.timedelta) -> Offer:
    """Choose the offer for a prediction; the plain shop if it is not about this player.

    Args:
        prediction: The prediction.
        trust: Maximum age of a prediction that is used.
    """
    if not is_known(prediction):
        return PLAIN
    if prediction.status == "inactive":
        return WELCOME  # the prediction was made before the player left
    if prediction.age_seconds is None or prediction.age_seconds > trust.total_seconds():
        return PLAIN
    if _is(prediction, "churn", LIKELY) and _is(prediction, "payment", WORTH_KEEPING):
        return COME_BACK
    return BUNDLE if _is(prediction, "payment", LIKELY) else PLAIN


def is_known(prediction: Prediction) -> bool:
    """Whether a prediction is about this player, and not an average of others."""
    return prediction.source != "default"


def _is(prediction: Prediction, kind: str, chance: float) -> bool:
    """Whether a probability is known and at least this high."""
    probability: float | None = prediction.values[f"{kind}_probability"]
    return probability is not None and probability >= chance
