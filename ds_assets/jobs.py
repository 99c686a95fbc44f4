"""Jobs: named parts of the graph, and the one that answers for given users.

Belongs here: what runs together. When it runs is for schedules and sensors.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import dagster as dg

from ds_assets.game import Game
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.installation import make_service
from ds_assets.serving.answer import Prediction
from ds_assets.serving.blocking import blocking
from ds_assets.serving.sources import INTERACTIVE_TIMEOUT_S

COLLECT = "collect_logs"
PREDICT = "daily_predictions"
PREDICT_AGAIN = "predict_again"
JUDGE = "judge_predictions"
OUTCOMES = dg.AssetSelection.assets("prediction_outcomes")
DAILY = dg.AssetSelection.all() - OUTCOMES
"""What a day can have at its end; the outcomes of its predictions are known later."""


def collect_logs() -> Any:
    """Copies a day's logs into the lake."""
    return dg.define_asset_job(
        COLLECT, dg.AssetSelection.assets("raw_logs"), description="Copy a day's logs to the lake."
    )


def daily_predictions() -> Any:
    """Everything that follows when a day's raw files are in the lake."""
    return dg.define_asset_job(
        PREDICT,
        dg.AssetSelection.assets("user_activity").downstream() - OUTCOMES,
        description="From a day's raw files to predictions in the database and the cache.",
    )


def predict_again() -> Any:
    """Everything that follows from activity that is stored."""
    return dg.define_asset_job(
        PREDICT_AGAIN,
        dg.AssetSelection.assets("user_features").downstream() - OUTCOMES,
        description="Predictions of days once more, after the activity of an earlier day changed.",
    )


def judge_predictions() -> Any:
    """Compares predictions with what happened, for days whose horizon is over."""
    return dg.define_asset_job(
        JUDGE, OUTCOMES, description="Compare predictions of days with what happened afterwards."
    )


class UsersToAnswer(dg.Config):
    """Whom to answer for."""

    user_ids: list[str]


def serve_predictions(game: Game) -> dg.JobDefinition:
    """Answers for the users of the run config, and keeps what it found in the cache."""

    @dg.op(description="From the cache, else the table, else the live model.")
    def answer(
        context: dg.OpExecutionContext,
        config: UsersToAnswer,
        cache: dg.ResourceParam[PredictionCache],
        results: dg.ResourceParam[ResultsDatabase],
        lake: dg.ResourceParam[Lake],
    ) -> None:
        made = make_service(cache, results, lake, game, INTERACTIVE_TIMEOUT_S)
        with blocking(made) as service:
            answers = service.answer(config.user_ids)
            context.add_output_metadata(_metadata(answers, service.health().degraded))

    @dg.job(description="Answer what is predicted for the users named in the run config.")
    def serve_predictions() -> None:
        answer()

    return serve_predictions


def _metadata(answers: Sequence[Prediction], degraded: Sequence[str]) -> dict[str, object]:
    rows = [dg.TableRecord({name: _shown(it) for name, it in _told(one)}) for one in answers]
    columns = [name for name, _ in _told(answers[0])] if answers else []
    schema = dg.TableSchema(columns=[dg.TableColumn(name) for name in columns])
    sources = Counter({one.user_id: one.source for one in answers}.values())
    return {
        "answers": dg.MetadataValue.table(rows, schema=schema),
        "degraded": ", ".join(degraded),
        **{f"from_{source}": count for source, count in sources.items()},
    }


def _told(one: Prediction) -> list[tuple[str, object]]:
    own = [(name, getattr(one, name)) for name in ("user_id", "status", "source", "age_seconds")]
    return own + list(one.values.items())


def _shown(value: object) -> str | int | float | None:
    if value is None or isinstance(value, (int, float)):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)
