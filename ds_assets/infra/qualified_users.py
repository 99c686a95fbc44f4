"""The users of a day who qualify for promotions, read through the engine."""

import datetime as dt
from contextlib import ExitStack

import pandas as pd

from ds_assets.core.engine import DataFrame
from ds_assets.core.promotions.candidates import features_read, qualify, reads_targets
from ds_assets.core.schema import Table
from ds_assets.core.tables import PREDICTIONS, TARGET_PREDICTIONS
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.lake.base import Lake


def read_qualified(day: dt.date, lake: Lake, engine: LakeEngine, game: Game) -> pd.DataFrame:
    """Rows of `qualify` of a day."""
    with ExitStack() as stack:

        def read(table: Table | None) -> DataFrame | None:
            return table and stack.enter_context(engine.read([day], table, lake))

        of_targets = TARGET_PREDICTIONS if reads_targets(game) else None
        predictions, features, targets = map(read, (PREDICTIONS, features_read(game), of_targets))
        return engine.to_pandas(qualify(predictions, features, targets, game, engine))
