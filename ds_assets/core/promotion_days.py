"""How many days back the promotions of a day look."""

from ds_assets.core.open_days import most_days
from ds_assets.game import Game

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
