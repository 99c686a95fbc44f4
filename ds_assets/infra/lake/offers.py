"""The offers that clients show: what they may know of the assignments in effect."""

import datetime as dt

import pyarrow as pa

from ds_assets.core.user_offers import select_offers
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.promotions import assignments_in_effect


def offers_in_effect(day: dt.date, lake: Lake, game: Game) -> pa.Table:
    """Read the offers in effect at the end of a day, by user and priority; see `select_offers`."""
    return select_offers(assignments_in_effect(day, lake, game), game.promotion_names)
