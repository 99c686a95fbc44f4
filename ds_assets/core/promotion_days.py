"""How many days back the promotions of a day look, and when their effects are learnt."""

import datetime as dt

from ds_assets.core.open_days import most_days
from ds_assets.game import Game

EFFECTS_PERIOD = 7
"""Days from one training of effect models to the next."""
EFFECTS_LEARNT_DAYS = 91
"""Days of assignments that effect models learn from, beside those whose horizon is not over."""
SHOWN_LATE_DAYS = 7
"""Days by which it may become known late that an offer was shown."""


def cool_down_of(game: Game, name: str) -> int:
    """Open days from an assignment of a user to the next one of the same promotion."""
    promotion = game.promotions[name]
    return promotion.cool_down or game.horizon_of(promotion.target)


def days_looked_back(game: Game) -> int:
    """Days before a day whose assignments decide on those of the day, closed days included."""
    return most_days(
        max((cool_down_of(game, name) for name in game.promotions), default=0), game.closed_days
    )


def days_in_effect(game: Game) -> int:
    """Days before a day whose assignments can be in effect at its end, closed days included."""
    horizons = (game.horizon_of(it.target) for it in game.promotions.values())
    return most_days(max(horizons, default=0), game.closed_days)


def effects_learnt_on(day: dt.date) -> dt.date:
    """The newest day up to a day on which effect models are trained."""
    return day - dt.timedelta(days=day.toordinal() % EFFECTS_PERIOD)
