"""What a hole in the logs does to the next predictions: `python -m benchmarks.missing_days`.

A simulated game is predicted on one day by one model, each time without the activity of other
days before it, and the probabilities are compared with what then happened. The last column is with
the missing days declared as closed.
"""

import datetime as dt
import tempfile
from pathlib import Path
from typing import NamedTuple

import dagster as dg

from benchmarks.subjects.predict_days import FEATURES, LOGS, MODELS, feature_days
from ds_assets.closed_days import ClosedDays
from ds_assets.core import labels
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.features import arrival_days, frame_of_snapshots, user_features
from ds_assets.core.game_settings import LIFETIMES
from ds_assets.core.game_tables import stored_activity_table, user_activity_table
from ds_assets.core.lifetimes import newest_roll_up, user_lifetimes_table
from ds_assets.core.models.evaluation.metrics import log_losses
from ds_assets.core.models.inference.batch import predict
from ds_assets.definitions import build_defs
from ds_assets.game import Game
from ds_assets.infra.lake.models import day_models
from ds_assets.infra.lake.tables import between, stored_days
from ds_assets.installation import Installation, load_installation
from ds_assets.runs import materialize_days
from ds_assets.simulate import SimulationOptions, simulate
from ds_assets.simulate.game_file import HORIZON_DAYS

USERS, DAYS = 3_000, 70
START = dt.date(2026, 1, 1)
LAST = START + dt.timedelta(days=DAYS - 1)
HOLES = (
    (1,),
    (2,),
    (3,),
    (5,),
    (7,),
    (14,),
    (1, 2),
    (2, 3),
    (1, 2, 3),
    (4, 5, 6),
    (1, 2, 3, 4, 5, 6, 7),
)
"""Missing days of each case, in days before the day that is predicted."""


class Predicted(NamedTuple):
    """The mean chance of leaving, the users without a prediction, and the mean log loss."""

    users: int
    mean: float
    loss: float


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        installation = _make_installation(Path(folder))
        whole = _predict(installation, installation.game, frozenset())
        print("| missing days before | users lost | mean churn | log loss | log loss if closed |")
        print("|---|---|---|---|---|")
        _print("none", whole, whole, whole)
        for hole in HOLES:
            missing = frozenset(LAST - dt.timedelta(days=back) for back in hole)
            closed = installation.game.model_copy(update={"closed_days": ClosedDays(missing)})
            _print(
                ", ".join(map(str, hole)),
                whole,
                _predict(installation, installation.game, missing),
                _predict(installation, closed, missing),
            )


def _print(name: str, whole: Predicted, incomplete: Predicted, closed: Predicted) -> None:
    lost = 1 - incomplete.users / whole.users
    print(
        f"| {name} | {lost:.1%} | {incomplete.mean:.3f} | {incomplete.loss / whole.loss - 1:+.1%} "
        f"| {closed.loss / whole.loss - 1:+.1%} |"
    )


def _make_installation(home: Path) -> Installation:
    simulate(SimulationOptions(users=USERS, days=DAYS + HORIZON_DAYS, start=START), home)
    installation = load_installation({"home": home})
    defs = build_defs(installation)
    with dg.DagsterInstance.ephemeral() as instance:
        end = LAST + dt.timedelta(days=HORIZON_DAYS)
        materialize_days(defs, LOGS, START, end, instance)
        for day in sorted(feature_days([LAST], installation.game)):
            materialize_days(defs, FEATURES, day, day, instance)
        materialize_days(defs, MODELS, LAST, LAST, instance)
    return installation


def _predict(installation: Installation, game: Game, missing: frozenset[dt.date]) -> Predicted:
    """Predict the day without the activity of some days, and compare with what happened."""
    lake, engine = installation.lake(), installation.engine()
    days = set(stored_days("user_activity", lake)) - missing
    table = user_activity_table(game)
    arrived = sorted(between(days, *arrival_days(LAST, game)))
    roll_ups = {newest_roll_up(LAST)}.intersection(stored_days(LIFETIMES, lake))
    with (
        engine.read(arrived, table, lake) as activity,
        engine.read(roll_ups, user_lifetimes_table(game), lake) as lifetimes,
        frame_of_snapshots({LAST: newest_roll_up(LAST)}, engine) as snapshots,
    ):
        features = engine.to_pandas(user_features(activity, lifetimes, snapshots, game, engine))
    rows = predict(features, day_models(LAST, lake), declare_features(game), game.closed_days)
    after = sorted(stored_days("user_activity", lake))
    looks = {after[-1]: [LAST]}
    with (
        engine.read(after, stored_activity_table(game), lake) as activity,
        labels.frame_of_windows(looks, HORIZON_DAYS, installation.game, engine) as windows,
    ):
        outcomes = engine.to_pandas(
            labels.outcomes(activity, windows, installation.game, (), engine)
        )
    came = outcomes.query("active_days > 0")["user_id"]
    has_left = ~rows["user_id"].isin(came)
    chances = rows["churn_probability"].to_numpy(dtype=float)
    losses = log_losses(has_left.to_numpy(), chances)
    return Predicted(len(rows), float(chances.mean()), float(losses.mean()))


if __name__ == "__main__":
    main()
