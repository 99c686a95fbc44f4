"""A promotion in the finished month, whose users are assigned on chosen days."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from ds_assets.core.contracts import conform
from ds_assets.core.lineage import Lineage, lineage_of
from ds_assets.core.promotions.assignment import arms_of, version_of
from ds_assets.core.tables import PROMOTIONS
from ds_assets.infra.lake.provenance import recorded
from ds_assets.infra.lake.tables import read_predictions, store_rows, table_file
from ds_assets_tests.assets.factories import Installation, change_game, day

FIRST, SECOND = day(20), day(21)
"""Both horizons, of 5 and of 7 days, are over on the last day, 31."""
BUNDLE: dict[str, Any] = {
    "who": "churn_probability > 0",
    "control": 0.5,
    "detects": 0.4,
    "until": str(FIRST),
}
HOLDOUT = 0.3


def with_promotion(installation: Installation, **changes: Any) -> Installation:
    promotions = {"bundle": BUNDLE | changes}
    change_game(installation, {"promotions": promotions, "holdout": HOLDOUT})
    return Installation(installation.home)


def assign(installation: Installation, of: dt.date, **values: Any) -> pd.DataFrame:
    """Assign the bundle to all users that are predicted on a day, and store it."""
    game, lake = installation.game, installation.lake
    rows: pd.DataFrame = read_predictions(of, lake).to_pandas()
    ids = rows["user_id"].tolist()
    arms = arms_of(ids, game, "bundle")
    rows = rows.assign(
        promotion="bundle",
        version=version_of(game, "bundle"),
        arm=arms,
        offer=pd.Series(arms, rows.index).map({"treated": "bundle"}),
        assignment_id=[f"{of}-{user}" for user in ids],
        until=of + dt.timedelta(days=5),
        chosen_by="rule",
        weight=1.0,
        target_probability=rows["churn_probability"],
        cost=np.where(arms == "treated", 0.5, 0.0),
    ).assign(**values)
    store(installation, of, rows[PROMOTIONS.names])
    return rows


def store(installation: Installation, of: dt.date, rows: pd.DataFrame) -> None:
    """Store assignments of a day."""
    lake = installation.lake
    lineages = {"promotions": Lineage(tables=("promotions",)), **lineage_of(installation.game)}
    with recorded("promotions", [of], lineages, lake, "run"):
        store_rows(conform(PROMOTIONS, rows), "promotions", of, lake)


def activity_within(installation: Installation, of: dt.date, horizon: int) -> pd.DataFrame:
    """What was stored of the days of a horizon."""
    arrived = [of + dt.timedelta(days=number) for number in range(1, horizon + 1)]
    frames = [
        pd.read_parquet(installation.lake.local(table_file("user_activity", it))) for it in arrived
    ]
    rows = pd.concat(frames, ignore_index=True)
    return rows[pd.to_datetime(rows["event_date"]).dt.date.between(arrived[0], arrived[-1])]
