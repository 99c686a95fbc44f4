"""Which offer a player sees: that of a promotion, or else a rule, as a plain function."""

import datetime as dt
from dataclasses import dataclass, replace

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
        assignment_id: Id of the assignment, for an offer of a promotion.
    """

    name: str
    title: str
    words: str
    assignment_id: str | None = None


PLAIN = Offer("plain", "The shop", "Everything at its usual price.")
BUNDLE = Offer("bundle", "The adventure bundle", "Gems, a pet and a month's pass for one price.")
COME_BACK = Offer("come-back", "Stay for the next chapter", "Half price on your next purchase.")
WELCOME = Offer("welcome", "Welcome back!", "We kept a gift for you: 300 gems, free.")


CATALOGUE = {"weekend_bundle": BUNDLE, "come_back": COME_BACK}
"""What the offers of promotions in `game.yaml` look like, by their name."""


def offer_for(prediction: Prediction, trust: dt.timedelta) -> Offer:
    """Choose the offer for a prediction; the plain shop if it is not about this player.

    The offer of a promotion comes first. What the rule gives, it gives to all alike: to those who
    are kept without that offer for comparison, too.

    Args:
        prediction: The prediction.
        trust: Maximum age of a prediction that is used.
    """
    if not is_known(prediction):
        return PLAIN
    for promoted in prediction.values.get("promotions", ()):
        if promoted["offer"] in CATALOGUE:
            look = CATALOGUE[promoted["offer"]]
            return replace(look, assignment_id=promoted["assignment_id"])
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
