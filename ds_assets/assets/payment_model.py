"""Chance of a purchase in the payment horizon, for each active user: boosted trees."""

import dagster as dg

from ds_assets.assets import prediction_models
from ds_assets.game import Game


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `payment_model`."""
    return prediction_models.build("payment", game, __doc__)
