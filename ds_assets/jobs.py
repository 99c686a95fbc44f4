"""Jobs: named selections of assets, and jobs of the operator for given users or days.

Scope: what runs together. Schedules and sensors decide when.
"""

import datetime as dt
import json
import logging
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import TypeAlias

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from pydantic import Field

from ds_assets.core.encoding import USER_ID
from ds_assets.core.game_settings import PROMOTIONS
from ds_assets.core.log_counts import DayLogs
from ds_assets.core.log_diagnostics import Diagnostic, Examination
from ds_assets.core.promotions.decisions import Choice
from ds_assets.core.tables import PREDICTIONS
from ds_assets.core.verdicts import Decision
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.lake import retention as retention_of_lake
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets.infra.lake.promotion_states import decide_about_promotion
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.refresh import (
    keep_changed_activity,
    keep_days_without_files,
    request_refresh,
)
from ds_assets.infra.lake.retention import Retention
from ds_assets.infra.lake.tables import read_batches
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.infra.withdrawal import take_offers_out_of_cache
from ds_assets.installation import Installation, make_service, operator_name
from ds_assets.serving.answer import Prediction
from ds_assets.serving.blocking import blocking
from ds_assets.serving.sources import INTERACTIVE_TIMEOUT_S

COLLECT = "collect_logs"
PREDICT = "daily_predictions"
PREDICT_AGAIN = "predict_again"
DELIVER_AGAIN = "deliver_again"
JUDGE = "judge_predictions"
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_EXAMPLE_USERS = 5
_MAX_LINES = 20
"""Users whose predictions are lines of a run's log; the table of the run has all."""
_PROBABILITY = "_probability"
"""End of the names of the values that are probabilities of targets."""
OUTCOMES = dg.AssetSelection.assets("prediction_outcomes") | dg.AssetSelection.key_substring(
    "promotion_results"  # only a game with promotions has it
)
DAILY = dg.AssetSelection.all() - OUTCOMES
"""The assets of a day at its end; the outcomes of its predictions are known later."""
PREDICTED = dg.AssetSelection.assets("user_lifetimes").downstream() - OUTCOMES
"""The assets of a day whose activity is stored."""
DELIVERED = dg.AssetSelection.groups("delivery")
"""The assets that bring a day to others."""

Job: TypeAlias = UnresolvedAssetJobDefinition
"""What `dagster.define_asset_job` returns; Dagster has no public name for it."""


def collect_logs() -> Job:
    """The job that copies a day's logs to the lake."""
    return dg.define_asset_job(
        COLLECT, dg.AssetSelection.assets("raw_logs"), description="Copy a day's logs to the lake."
    )


def daily_predictions() -> Job:
    """The job of a day whose raw files are in the lake."""
    return dg.define_asset_job(
        PREDICT,
        dg.AssetSelection.assets("user_activity").downstream() - OUTCOMES,
        description="From a day's raw files to predictions in the database and the cache.",
    )


def predict_again() -> Job:
    """The job of stored days whose activity is unchanged, but that of an earlier day is not."""
    return dg.define_asset_job(
        PREDICT_AGAIN,
        PREDICTED,
        description="Refresh predictions of days after the activity of an earlier day changed.",
    )


def deliver_again() -> Job:
    """The job of days whose predictions are stored, and were not delivered."""
    return dg.define_asset_job(
        DELIVER_AGAIN,
        DELIVERED,
        description="Deliver stored predictions and promotions again.",
    )


def judge_predictions() -> Job:
    """The job that compares predictions with what happened, for days whose horizon has passed."""
    return dg.define_asset_job(
        JUDGE, OUTCOMES, description="Compare predictions of days with what happened afterwards."
    )


class DayToDecide(dg.Config):
    """The day to decide about, such as 2026-01-31, and why."""

    day: str
    reason: str


def accept_day(game: Game) -> dg.JobDefinition:
    """The job that lets a refused day pass."""
    return _decision_job("accept_day", Decision.ACCEPTED, "Let a refused day pass.", game)


def refuse_day(game: Game) -> dg.JobDefinition:
    """The job that withdraws a day."""
    return _decision_job("refuse_day", Decision.REFUSED, "Withdraw a day from use.", game)


def _decision_job(name: str, decision: Decision, description: str, game: Game) -> dg.JobDefinition:
    @dg.op(name=f"{name}_op", description=description)
    def decide(
        context: dg.OpExecutionContext, config: DayToDecide, lake: dg.ResourceParam[Lake]
    ) -> None:
        try:
            day = _read_day(config.day)
            verdict = decide_by_operator(day, decision, config.reason, operator_name(), lake, game)
        except InputError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        context.log_event(
            dg.AssetObservation("user_activity", f"{day} is {verdict}", partition=str(day))
        )

    @dg.job(name=name, description=description)
    def job() -> None:
        decide()

    return job


class PromotionToDecide(dg.Config):
    """The promotion to decide about, by its name in game.yaml, and why."""

    promotion: str
    reason: str


def promotion_decisions(game: Game) -> list[dg.JobDefinition]:
    """The jobs that pause, withdraw and resume promotions, in a game that has any."""
    if not game.promotions:
        return []
    return [
        _promotion_job(
            "pause_promotion", Choice.PAUSED, "Assign a promotion to no more users.", game
        ),
        _withdraw_promotion(game),
        _promotion_job("resume_promotion", Choice.RESUMED, "Continue a promotion.", game),
    ]


def _promotion_job(name: str, choice: Choice, description: str, game: Game) -> dg.JobDefinition:
    @dg.op(name=f"{name}_op", description=description)
    def decide(
        context: dg.OpExecutionContext, config: PromotionToDecide, lake: dg.ResourceParam[Lake]
    ) -> None:
        _decide_about_promotion(context, config, choice, lake, game)

    @dg.job(name=name, description=description)
    def job() -> None:
        decide()

    return job


def _withdraw_promotion(game: Game) -> dg.JobDefinition:
    description = "Take the offers of a promotion back at once, and assign it to no more users."

    @dg.op(name="withdraw_promotion_op", description=description)
    def withdraw(
        context: dg.OpExecutionContext,
        config: PromotionToDecide,
        lake: dg.ResourceParam[Lake],
        cache: dg.ResourceParam[PredictionCache],
    ) -> None:
        _decide_about_promotion(context, config, Choice.WITHDRAWN, lake, game)
        for day, put in take_offers_out_of_cache(config.promotion, lake, cache, game):
            context.log.info("taken out of the cache of %s: %d users written", day, put.written)

    @dg.job(name="withdraw_promotion", description=description)
    def job() -> None:
        withdraw()

    return job


def _decide_about_promotion(
    context: dg.OpExecutionContext,
    config: PromotionToDecide,
    choice: Choice,
    lake: Lake,
    game: Game,
) -> None:
    by = operator_name()
    try:
        decision = decide_about_promotion(config.promotion, choice, config.reason, by, lake, game)
    except InputError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    context.log_event(dg.AssetObservation(PROMOTIONS, f"{config.promotion} is {decision}"))


class DaysToKeep(dg.Config):
    """Why `user_activity` that another game file made stays as it is; empty to make it again."""

    keep: str = ""


def refresh(game: Game) -> dg.JobDefinition:
    """The job by which the operator decides about days that another game file made."""
    description = "Have the sensor make the days again that another game.yaml made."

    @dg.op(name="refresh_op", description=description)
    def decide(
        context: dg.OpExecutionContext, config: DaysToKeep, lake: dg.ResourceParam[Lake]
    ) -> None:
        by = operator_name()
        try:
            if config.keep.strip():
                days = keep_changed_activity(config.keep.strip(), by, game, lake)
                context.log.info("kept %d days of user_activity", len(days))
            for day in keep_days_without_files(game, lake):
                context.log.warning("%s stays as it is, because its raw files are gone", day)
            request_refresh(game, by, lake)
        except InputError as error:
            raise dg.Failure(str(error), allow_retries=False) from None

    @dg.job(name="refresh", description=description)
    def job() -> None:
        decide()

    return job


def _read_day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise InputError(f"day: found {text!r}; write a date, for example 2026-01-31") from None


def remove_expired_days(game: Game, retention: Retention) -> dg.JobDefinition:
    """The job that removes what is older than the retention of the lake demands."""
    description = "Remove from the lake what is older than DS_ASSETS_RAW_DAYS and its like demand."

    @dg.op(name="remove_expired_days_op", description=description)
    def remove(context: dg.OpExecutionContext, lake: dg.ResourceParam[Lake]) -> None:
        texts = {
            kind: f"{removed.days:,} days before {removed.first_kept} removed: "
            f"{removed.files:,} files of {removed.size:,} bytes"
            for kind, removed in retention_of_lake.remove_expired_days(
                retention, lake, game
            ).items()
        }
        for kind, text in texts.items():
            context.log.info("%s: %s", kind, text)
        context.add_output_metadata(texts)

    @dg.job(name="remove_expired_days", description=description)
    def job() -> None:
        remove()

    return job


class DaysToExamine(dg.Config):
    """The days whose logs are examined."""

    day: str = Field(default="", description="The only day, such as 2026-01-31.")
    days: int = Field(default=3, ge=1, le=31, description="Without a day: how many of the newest.")


def examine_logs(installation: Installation) -> dg.JobDefinition:
    """The job that examines the logs of some days and every place, as `ds-assets doctor` does."""

    @dg.op(name="examine_logs_op", description="Counts what logs hold, and tries every place.")
    def run(context: dg.OpExecutionContext, config: DaysToExamine) -> None:
        from ds_assets.onboarding.examination import examine  # noqa: PLC0415  (loads an engine)

        try:
            day = _read_day(config.day) if config.day else None
        except InputError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        examination = examine(installation, day, config.days, dt.datetime.now(dt.UTC))
        for diagnostic in examination.diagnostics:
            context.log.log(_LEVELS[diagnostic.severity], diagnostic.sentence)
        for logs in examination.days:
            context.log_event(_observe(logs, examination))
        context.add_output_metadata({"findings": _table(examination.diagnostics)})

    @dg.job(description="Examine the logs of the last days, and try every place that is used.")
    def examine_logs() -> None:
        run()

    return examine_logs


def _observe(logs: DayLogs, examination: Examination) -> dg.AssetObservation:
    """What the logs of a day hold, for the page of `raw_logs`."""
    findings = [it for it in examination.diagnostics if logs.day in it.days]
    return dg.AssetObservation(
        "raw_logs",
        partition=str(logs.day),
        metadata={
            "files": logs.files,
            "lines": logs.lines,
            "valid_lines": logs.valid,
            "users": logs.users,
            "event_types": {name: counts.lines for name, counts in logs.types.items()},
            "quarantine": {reason: it.lines for reason, it in logs.quarantine.items()},
            "findings": _table(findings),
        },
    )


def _table(diagnostics: Sequence[Diagnostic]) -> dg.TableMetadataValue:
    """Findings with what to do about each, the worst ones first."""
    schema = dg.TableSchema(columns=[dg.TableColumn(it) for it in ("severity", "code", "finding")])
    rows = [
        dg.TableRecord({"severity": it.severity, "code": it.code, "finding": it.sentence})
        for it in diagnostics
    ]
    return dg.MetadataValue.table(rows, schema=schema)


class UsersToAnswer(dg.Config):
    """The users to answer for; without any, some of the newest predictions are an example."""

    user_ids: list[str] = Field(
        default=[], description="Ids of users; without any, some of the newest day are an example."
    )


def serve_predictions(game: Game) -> dg.JobDefinition:
    """The job that answers for the users of the run config, and caches what it finds."""

    @dg.op(description="Asks the cache, then the results table, then the live model.")
    def answer(
        context: dg.OpExecutionContext,
        config: UsersToAnswer,
        cache: dg.ResourceParam[PredictionCache],
        results: dg.ResourceParam[ResultsDatabase],
        lake: dg.ResourceParam[Lake],
    ) -> None:
        async_service = make_service(cache, results, lake, game, INTERACTIVE_TIMEOUT_S)
        user_ids = config.user_ids or _example_users(context, lake)
        with blocking(async_service) as service:
            answers = service.answer(user_ids)
            degraded = service.health().degraded
        for line in map(_describe, answers[:_MAX_LINES]):
            context.log.info(line)
        context.add_output_metadata(_metadata(answers, degraded))

    @dg.job(description="Show the predictions of the users whose ids are in the run config.")
    def serve_predictions() -> None:
        answer()

    return serve_predictions


def _example_users(context: dg.OpExecutionContext, lake: Lake) -> list[str]:
    """Users of the newest predictions, for a run whose config names none."""
    days = Records({}, lake).usable_days(PREDICTIONS.name)
    if not days:
        raise dg.Failure(
            f"user_ids: found none, and there are no predictions in {lake} to show an example of; "
            "write the ids of users into the run config",
            allow_retries=False,
        )
    batches = read_batches(PREDICTIONS, max(days), lake, [USER_ID])
    users = (str(user) for batch in batches for user in batch[USER_ID].to_pylist())
    context.log.info(
        "user_ids is empty, so these are users of %s; write the ids of others into the run config",
        max(days),
    )
    return list(islice(users, _EXAMPLE_USERS))


def _describe(answer: Prediction) -> str:
    """One line on a user for the log of the run."""
    chances = {
        name.removesuffix(_PROBABILITY): value
        for name, value in answer.values.items()
        if name.endswith(_PROBABILITY)
    }
    chances |= {name: own["probability"] for name, own in answer.values.get("targets", {}).items()}
    texts = [f"{name} {value:.0%}" for name, value in chances.items() if value is not None]
    cluster = answer.values.get("cluster_name")
    facts = ", ".join([*texts, *([f"cluster {cluster}"] if cluster else [])])
    as_of = answer.values.get("as_of")
    day = f" as of {as_of}" if as_of else ""
    return f"{answer.user_id}: {facts or 'no prediction'} ({answer.status}, {answer.source}{day})"


def _metadata(answers: Sequence[Prediction], degraded: Sequence[str]) -> dict[str, object]:
    records = [_record(answer) for answer in answers]
    names = dict.fromkeys(name for record in records for name in record)
    rows = [dg.TableRecord({name: _cell(row.get(name)) for name in names}) for row in records]
    schema = dg.TableSchema(columns=[dg.TableColumn(name) for name in names])
    sources = Counter({answer.user_id: answer.source for answer in answers}.values())
    return {
        "answers": dg.MetadataValue.table(rows, schema=schema),
        "degraded": ", ".join(degraded),
        **{f"from_{source}": count for source, count in sources.items()},
    }


def _record(answer: Prediction) -> dict[str, object]:
    names = ("user_id", "status", "source", "age_seconds")
    return {name: getattr(answer, name) for name in names} | answer.values


def _cell(value: object) -> str | int | float | None:
    if value is None or isinstance(value, (int, float)):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else str(value)
