"""Asset checks: bad data stop a run before anything is made from them.

Scope: the checks of Dagster, and their messages. The rules for a day of activity are in
`core.activity_checks`: a day that they refuse is left out of a run over several days, and fails a
run that has no other day.
"""

import datetime as dt
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import pandas as pd

from ds_assets.core.activity_checks import describe_checks
from ds_assets.core.activity_report import ActivityReport
from ds_assets.core.checksum import RowsChecksum, checksum_rows, is_of_first_version
from ds_assets.core.clusters.checks import check_continuity, check_sizes
from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.day_rows import DayRows
from ds_assets.core.finding import Finding
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.models.evaluation.metrics import ALL
from ds_assets.core.models.monitoring.model_checks import MODEL_CHECKS
from ds_assets.core.promotions.harm import check_results
from ds_assets.core.promotions.terms import outcomes_of
from ds_assets.core.tables import (
    CLUSTER_PROFILES,
    PREDICTION_OUTCOMES,
    PREDICTIONS,
    PROMOTION_RESULTS,
    PROMOTIONS,
    TARGET_PREDICTIONS,
)
from ds_assets.core.targets import Target, targets_of
from ds_assets.core.verdicts import CHECKS, Verdict
from ds_assets.core.window_days import find_missing_active_days
from ds_assets.daily_assets import days_of, warn
from ds_assets.game import Game
from ds_assets.infra.assignment_files import AssignmentFiles
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.lake.activity_reports import read_report
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.models import readable_card
from ds_assets.infra.lake.prediction_checks import find_bad_prediction
from ds_assets.infra.lake.promotion_states import read_states
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import (
    read_clusters,
    read_columns,
    read_rows,
    stored_days,
    stored_rows,
    stored_target_predictions,
    table_file,
)
from ds_assets.infra.log_source.base import LogSource
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.missing_days import find_holes, find_missing_days
from ds_assets.infra.newest_logs import newest_day
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.sensors import given_up
from ds_assets.sensors.cursor import Cursor
from ds_assets.sensors.log_source import CHECK as MISSING_DAYS
from ds_assets.sensors.log_source import missing_days_result
from ds_assets.sensors.run_requests import SensorEvaluation

_SPEND_DIFFERS = {"more_than_predicted", "less_than_predicted"}


def build(game: Game) -> list[dg.AssetChecksDefinition]:
    """The checks of the graph."""
    demands = describe_checks(game)
    return [
        *(_activity_check(name, demand) for name, demand in demands.items()),
        _has_whole_windows(game),
        _predictions_are_probabilities(),
        _delivery_is_complete(),
        _outcomes_are_as_promised(),
        *([_promotions_do_no_harm(game)] if game.promotions else []),
        _has_no_missing_days(game),
        *(_model_checks(target) for target in targets_of(game).values()),
        _cluster_checks(),
        _profiles_cover_all_users(),
        _cache_holds_newest_day(game),
        *([_promotions_are_running(game)] if game.promotions else []),
        *(_is_not_given_up(job, asset, game) for job, asset in given_up.FIRST_ASSETS.items()),
    ]


def _has_no_missing_days(game: Game) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset="raw_logs",
        name=MISSING_DAYS,
        description="Every day of the game so far has logs, or is in closed_days.",
    )
    def check(
        log_source: dg.ResourceParam[LogSource], lake: dg.ResourceParam[Lake]
    ) -> dg.AssetCheckResult:
        made_days = open_records(game, lake).recorded_days("user_activity")
        holes = find_holes(newest_day(game), made_days, lake, game)
        folders = DayFolders(log_source)
        missing = find_missing_days(holes, folders, game)
        return missing_days_result(missing, str(log_source))

    return check


def _is_not_given_up(job: str, asset: str, game: Game) -> dg.AssetChecksDefinition:
    """The check that shows runs of a job that were given up; the sensors update it, too."""

    @dg.asset_check(
        asset=asset,
        name=given_up.CHECK,
        description=f"No run of {job} was given up after failing again and again.",
    )
    def check(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.AssetCheckResult:
        now = dt.datetime.now(dt.UTC)
        evaluation = SensorEvaluation(
            game, lake, context.instance, now, Cursor(), open_records(game, lake)
        )
        return given_up.check_result(given_up.find_given_up(evaluation, [job]))

    return check


def _activity_check(name: str, description: str) -> dg.AssetChecksDefinition:
    """The check that shows what was found when a day was made, and stops a run of refused days."""

    @dg.asset_check(asset="user_activity", name=name, description=description, blocking=True)
    def check(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.AssetCheckResult:
        days = _days(context, "user_activity", lake)
        records = Records({}, lake)
        verdicts = {day: records.verdict(day) for day in days}
        problems = {day: _describe_finding(name, verdict) for day, verdict in verdicts.items()}
        is_usable = any(day not in records.refused_days() for day in days)
        return _result(problems, _totals(days, lake), is_blocking=not is_usable)

    return check


def _describe_finding(check: str, verdict: Verdict | None) -> str | None:
    """What a check has found, with the decision of a person where there is one."""
    if verdict is None or (finding := verdict.findings.get(check)) is None:
        return None
    return finding if verdict.by == CHECKS else f"{finding} ({verdict})"


def _has_whole_windows(game: Game) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset="user_features",
        description=f"No day is missing in the last {game.active_days} days of the features.",
    )
    def has_whole_windows(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.AssetCheckResult:
        stored = open_records(game, lake).usable_days("user_activity")
        missing = {
            day: find_missing_active_days(day, stored, game)
            for day in _days(context, "user_features", lake)
        }
        problems = {day: _describe_missing_days(absent) for day, absent in missing.items()}
        return _result(problems, is_blocking=False)

    return has_whole_windows


def _describe_missing_days(missing: Sequence[dt.date]) -> str | None:
    if not missing:
        return None
    return f"features lack {', '.join(map(str, missing))}, missing or refused"


def _predictions_are_probabilities() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset="predictions",
        blocking=True,
        description="Probabilities are between 0 and 1, and every active user has one row.",
    )
    def are_probabilities(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.AssetCheckResult:
        days = _days(context, "predictions", lake)
        problems = {day: find_bad_prediction(day, lake) for day in days}
        usable = Records({}, lake).usable_days("predictions")
        has_good = not all(problems.values())
        is_left_out = all(day not in usable for day, problem in problems.items() if problem)
        return _result(problems, is_blocking=not (has_good and is_left_out))

    return are_probabilities


def _delivery_is_complete() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset="rds_results",
        blocking=True,
        description="The results database holds exactly the predictions of the day.",
    )
    def is_complete(
        context: dg.AssetCheckExecutionContext,
        lake: dg.ResourceParam[Lake],
        results: dg.ResourceParam[ResultsDatabase],
    ) -> dg.AssetCheckResult:
        usable = Records({}, lake).usable_days("predictions")
        days = [day for day in _days(context, "predictions", lake) if day in usable]
        return _result({day: _find_undelivered(day, lake, results) for day in days})

    return is_complete


def _find_undelivered(day: dt.date, lake: Lake, database: ResultsDatabase) -> str | None:
    deliveries = {delivery.as_of: delivery for delivery in database.deliveries()}
    if (record := deliveries.get(day)) is None:
        return "not delivered"
    predicted = _checksum(stored_rows(PREDICTIONS, day, lake))
    stored = database.checksum_day(PREDICTIONS, day)
    if stored.row_count != predicted.row_count:
        return f"the database holds {stored.row_count} rows of {predicted.row_count}"
    if stored.value != predicted.value:
        return "the rows in the database differ from the predictions"
    # A record of an earlier release cannot be compared; its rows have been, above.
    if record.checksum != predicted.value and not is_of_first_version(record.checksum):
        return "the record of the delivery is of rows that differ from the predictions"
    of_targets = _checksum(stored_target_predictions(day, lake))
    if database.checksum_day(TARGET_PREDICTIONS, day).value != of_targets.value:
        return "the target predictions in the database differ from those that were made"
    return None


def _checksum(rows: DayRows) -> RowsChecksum:
    return checksum_rows(rows.contract.arrow_schema, rows)


def _outcomes_are_as_promised() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset="prediction_outcomes",
        description="Outcomes are within what the model cards promised, total spend differs by no "
        "more than noise from the predicted one, and no model is useless.",
    )
    def are_as_promised(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.AssetCheckResult:
        days = _days(context, "prediction_outcomes", lake)
        rows = pd.concat([_outcomes_of_all_users(day, lake) for day in days] or [pd.DataFrame()])
        return check_outcomes(rows, len(days))

    return are_as_promised


def _promotions_do_no_harm(game: Game) -> dg.AssetChecksDefinition:
    targets = {name: promotion.target for name, promotion in game.promotions.items()}

    @dg.asset_check(
        asset=PROMOTION_RESULTS.name,
        description="No promotion changes its target or spend for the worse beyond noise, and the "
        "sizes of the arms fit their planned shares.",
    )
    def do_no_harm(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.AssetCheckResult:
        day = _newest_of(context, stored_days(PROMOTION_RESULTS.name, lake))
        if day is None:
            return _result_of(day, Finding("no results are stored"))
        rows = read_rows(PROMOTION_RESULTS, day, lake).to_pandas()
        return _result_of(day, check_results(rows, targets, outcomes_of(game)))

    return do_no_harm


def check_outcomes(outcomes: pd.DataFrame, days: int) -> dg.AssetCheckResult:
    """Warn of outcomes outside of what was promised or predicted; a useless model is an error.

    Args:
        outcomes: Columns of `PREDICTION_OUTCOMES`; the rows of all users together.
        days: Number of days that were checked.
    """
    rows = outcomes.to_dict("records")
    broken = [row for row in rows if row["verdict"] in {"outside", "useless"}]
    useless = [row for row in broken if row["verdict"] == "useless"]
    other_spend = [row for row in rows if row["spend_verdict"] in _SPEND_DIFFERS]
    severity = dg.AssetCheckSeverity.ERROR if useless else dg.AssetCheckSeverity.WARN
    descriptions = [*map(_describe_outcome, broken), *map(_describe_spend, other_spend)]
    return dg.AssetCheckResult(
        passed=not descriptions,
        severity=severity,
        description="; ".join(descriptions) or f"{days} day(s) checked",
        metadata={
            "days": days,
            "outside": len(broken) - len(useless),
            "useless": len(useless),
            "spend_differs": len(other_spend),
        },
    )


def _outcomes_of_all_users(day: dt.date, lake: Lake) -> pd.DataFrame:
    rows: pd.DataFrame = read_rows(PREDICTION_OUTCOMES, day, lake).to_pandas()
    return rows[rows["segment"] == ALL]


def _describe_outcome(row: Mapping[Hashable, Any]) -> str:
    verdict = f"{row['as_of']}: {row['target']} predictions are {row['verdict']}"
    auc = f"AUC {row['auc']:.3f}, promised {_range(row, 'promised_auc')}"
    share = (
        f"it happened to {row['happened']:.1%} of the users, promised "
        f"{_range(row, 'promised_happened')}"
    )
    return f"{verdict} ({auc}; {share}; largest drift of a feature {row['drift']:.2f})"


def _describe_spend(row: Mapping[Hashable, Any]) -> str:
    verdict = str(row["spend_verdict"]).replace("_", " ")
    return (
        f"{row['as_of']}: {row['target']} spend is {verdict} ({row['spend_ratio']:.2f} times the "
        f"predicted total, 95 % interval {_range(row, 'spend_ratio')})"
    )


def _range(row: Mapping[Hashable, Any], name: str) -> str:
    return f"{row[f'{name}_low']:.3f} to {row[f'{name}_high']:.3f}"


def _model_checks(target: Target) -> dg.AssetChecksDefinition:
    """The checks of a model by its newest card, in one step."""

    @dg.multi_asset_check(
        name=f"{target.model_asset}_checks",
        specs=[
            dg.AssetCheckSpec(name, asset=target.model_asset, description=description)
            for name, (_, description) in MODEL_CHECKS.items()
        ],
        can_subset=True,
    )
    def check(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> Iterator[dg.AssetCheckResult]:
        day = _newest_of(context, lake.days(f"models/{target.name}"))
        card = None if day is None else readable_card(target.name, day, ModelCard, lake, warn)
        for key in context.selected_asset_check_keys:
            find, _ = MODEL_CHECKS[key.name]
            finding = Finding("no model is stored") if card is None else find(card)
            yield _result_of(day, finding, key)

    return check


def _cluster_checks() -> dg.AssetChecksDefinition:
    descriptions = {
        "keep_users": "No cluster of the day before is lost or has lost more than half its users.",
        "are_of_useful_size": "No cluster is too small or too large to be used.",
    }

    @dg.multi_asset_check(
        name="clusters_checks",
        specs=[
            dg.AssetCheckSpec(name, asset="clusters", description=description)
            for name, description in descriptions.items()
        ],
        can_subset=True,
    )
    def check(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> Iterator[dg.AssetCheckResult]:
        day = _newest_of(context, lake.days("clusters"))
        findings = dict.fromkeys(descriptions, Finding("no clusters are stored"))
        card = None if day is None else readable_card("clusters", day, ClusterCard, lake, warn)
        if card is not None:
            day_before = card.as_of - dt.timedelta(days=1)
            before = readable_card("clusters", day_before, ClusterCard, lake, warn)
            both = check_continuity(before, card), check_sizes(card)
            findings = dict(zip(descriptions, both, strict=True))
        for key in context.selected_asset_check_keys:
            yield _result_of(day, findings[key.name], key)

    return check


def _profiles_cover_all_users() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset="cluster_profiles",
        description="The profiles are those of all clusters and users of the day.",
    )
    def cover_all_users(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.AssetCheckResult:
        day = _newest_of(context, stored_days(CLUSTER_PROFILES.name, lake))
        finding = Finding("no profiles are stored") if day is None else _compare_users(day, lake)
        return _result_of(day, finding)

    return cover_all_users


def _compare_users(day: dt.date, lake: Lake) -> Finding:
    """Compare the users of a day's profiles with those of its clusters."""
    profiles = read_columns(CLUSTER_PROFILES.name, day, ["cluster", "users"], lake)
    described = dict(zip(profiles["cluster"], profiles["users"], strict=True))
    clusters = read_clusters(day, lake)
    counted = {} if clusters is None else clusters["cluster"].value_counts().to_dict()
    compared = (
        f"profiles of {sum(described.values()):,} users in {len(described)} clusters, the clusters "
        f"have {sum(counted.values()):,} in {len(counted)}"
    )
    is_same = described == counted
    return Finding(compared, "" if is_same else f"materialize cluster_profiles of {day} again")


def _promotions_are_running(game: Game) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=PROMOTIONS.name,
        description="No promotion is paused by a person, or stopped by itself.",
    )
    def are_running(
        lake: dg.ResourceParam[Lake], assignment_files: dg.ResourceParam[AssignmentFiles]
    ) -> dg.AssetCheckResult:
        day = max(stored_days(PROMOTIONS.name, lake), default=None)
        if day is None:
            return _result_of(None, Finding("no assignments are stored"))
        _, mistakes = assignment_files.read_all(game)
        states = read_states([day], lake, game, mistakes)[day]
        halts = {"paused", "withdrawn", "stopped"}
        halted = {name: it for name, it in states.items() if it.status in halts}
        compared = "; ".join(f"{name} {state}" for name, state in states.items())
        commands = [f"`ds-assets resume {name}`" for name, it in halted.items() if it.may_resume]
        advice = f"continue with {' and '.join(commands)}" if commands else "correct the file"
        return _result_of(day, Finding(compared, advice if halted else ""))

    return are_running


def _cache_holds_newest_day(game: Game) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset="prediction_cache",
        description="The cache holds the newest day that has been delivered.",
    )
    def holds_newest_day(
        lake: dg.ResourceParam[Lake],
        cache: dg.ResourceParam[PredictionCache],
    ) -> dg.AssetCheckResult:
        delivered = open_records(game, lake).usable_days("rds_results")
        newest, held = max(delivered, default=None), cache.current_day()
        compared = f"the cache holds {held or 'no day'}, delivered is {newest or 'no day'}"
        advice = "fill it with `ds-assets rebuild-cache`"
        return _result_of(newest, Finding(compared, "" if held == newest else advice))

    return holds_newest_day


def _newest_of(context: dg.AssetCheckExecutionContext, stored: Iterable[dt.date]) -> dt.date | None:
    """The newest stored day of the run, or of all days for a run without days."""
    days = set(stored)
    if context.has_partition_key or context.has_partition_key_range:
        days &= set(days_of(context))
    return max(days, default=None)


def _result_of(
    day: dt.date | None, finding: Finding, key: dg.AssetCheckKey | None = None
) -> dg.AssetCheckResult:
    """The result of a check of the newest day, which warns and stops no run."""
    return dg.AssetCheckResult(
        passed=finding.is_good,
        severity=dg.AssetCheckSeverity.WARN,
        description=str(finding) if day is None else f"{day}: {finding}",
        asset_key=None if key is None else key.asset_key,
        check_name=None if key is None else key.name,
    )


def _days(context: dg.AssetCheckExecutionContext, table: str, lake: Lake) -> list[dt.date]:
    """Stored days of the run; for a run without days, the latest stored day."""
    stored = [day for day in lake.days(table) if lake.exists(table_file(table, day))]
    if context.has_partition_key or context.has_partition_key_range:
        requested = set(days_of(context))
        return [day for day in stored if day in requested]
    return stored[-1:]


def _totals(days: Iterable[dt.date], lake: Lake) -> dict[str, int]:
    reports: list[ActivityReport] = [r for day in days if (r := read_report(day, lake, warn))]
    return {
        "lines": sum(report.lines for report in reports),
        "events": sum(report.events for report in reports),
        "quarantined": sum(sum(report.quarantined.values()) for report in reports),
    }


def _result(
    problems: Mapping[dt.date, str | None],
    metadata: Mapping[str, int] | None = None,
    *,
    is_blocking: bool = True,
) -> dg.AssetCheckResult:
    """The result of a check; one with severity WARN does not stop the run."""
    failed = [f"{day}: {text}" for day, text in problems.items() if text]
    return dg.AssetCheckResult(
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if is_blocking else dg.AssetCheckSeverity.WARN,
        description="; ".join(failed) or f"{len(problems)} day(s) checked",
        metadata={"days": len(problems), "days_that_fail": len(failed)} | dict(metadata or {}),
    )
