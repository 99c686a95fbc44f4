"""Chance of no activity in the churn horizon, for each active user: boosted trees."""

import dagster as dg

from ds_assets.assets import prediction_models
from ds_assets.game import Game


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `churn_model`."""
    return prediction_models.build("churn", game, __doc__)
