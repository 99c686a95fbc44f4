"""Asset checks: a day with bad data stops the run before anything is made from it.

Scope: the limits, and the messages when a day exceeds them. A check of a run over several days
names the days that fail; assets downstream do not run.
"""

import datetime as dt
from collections.abc import Callable, Hashable, Iterable, Mapping
from statistics import median
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow.compute as pc
from pyarrow import parquet

from ds_assets.core.checksum import checksum
from ds_assets.core.models.evaluation.metrics import ALL
from ds_assets.core.tables import PREDICTION_OUTCOMES
from ds_assets.core.targets import BUILT_IN
from ds_assets.daily_assets import days_of
from ds_assets.game import Game
from ds_assets.infra.lake.activity_reports import ActivityReport, read_report
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.tables import (
    read_predictions,
    read_rows,
    read_target_predictions,
    table_file,
)
from ds_assets.infra.results.database import ResultsDatabase

MIN_EVENT_SHARE = 0.25
"""A day with a smaller share of the usual events of its weekday is considered incomplete."""
WEEKS_COMPARED = 4
_MAX_NAMES = 5
"""Names of unreadable files in a message, those of the largest."""
MAX_QUARANTINED_SHARE = 0.05
"""Logs with a larger share of lines in quarantine are considered broken."""
MAX_DUPLICATE_SHARE = 0.5
"""With a larger share ids are not unique: a day that is delivered twice as a whole has this one."""

FindProblem = Callable[[dt.date, Lake], str | None]
"""Returns what is wrong with a day; None if nothing is."""


def build(game: Game) -> list[dg.AssetChecksDefinition]:
    """The checks of the graph."""

    def no_events(day: dt.date, lake: Lake) -> str | None:
        report = read_report(day, lake)
        if report is None or report.events or day in game.closed_days:
            return None
        return "no valid events; if the game was offline, add the day to closed_days"

    def few_events(day: dt.date, lake: Lake) -> str | None:
        return None if day in game.closed_days else _few_events(day, lake, game)

    return [
        _activity_check("has_events", "A day has events.", no_events),
        _activity_check(
            "has_enough_events",
            f"A day has at least {MIN_EVENT_SHARE:.0%} of the usual events of its weekday.",
            few_events,
        ),
        _activity_check(
            "is_mostly_valid",
            f"At most {MAX_QUARANTINED_SHARE:.0%} of a day's lines are in quarantine, or lost in "
            "files that cannot be read.",
            _many_quarantined,
        ),
        _activity_check(
            "has_few_duplicates",
            f"At most {MAX_DUPLICATE_SHARE:.0%} of a day's lines repeat an event.",
            _many_duplicates,
        ),
        _predictions_are_probabilities(),
        _delivery_is_complete(),
        _outcomes_are_as_promised(),
    ]


def _activity_check(
    name: str, description: str, find_problem: FindProblem
) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset="user_activity", name=name, description=description, blocking=True)
    def check(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.AssetCheckResult:
        days = _days(context, "user_activity", lake)
        return _result({day: find_problem(day, lake) for day in days}, _totals(days, lake))

    return check


def _few_events(day: dt.date, lake: Lake, game: Game) -> str | None:
    weeks = (day - dt.timedelta(weeks=back) for back in range(1, WEEKS_COMPARED + 1))
    past = [
        report.events
        for earlier in weeks
        if earlier not in game.closed_days and (report := read_report(earlier, lake)) is not None
    ]
    report = read_report(day, lake)
    if report is None or not past or report.events >= MIN_EVENT_SHARE * median(past):
        return None
    return f"{report.events} events, where this weekday usually has {median(past):.0f}"


def _many_quarantined(day: dt.date, lake: Lake) -> str | None:
    report = read_report(day, lake)
    if report is None or report.quarantined_share <= MAX_QUARANTINED_SHARE:
        return None
    worst = max(report.quarantined, key=lambda reason: report.quarantined[reason])
    return (
        f"{report.quarantined_share:.1%} of the lines are in quarantine{_lost_in(report)}, "
        f"most often: {worst}"
    )


def _many_duplicates(day: dt.date, lake: Lake) -> str | None:
    report = read_report(day, lake)
    if report is None or report.duplicates <= MAX_DUPLICATE_SHARE * report.lines:
        return None
    return (
        f"{report.duplicates:,} of {report.lines:,} lines repeat the id of an event; is "
        "fields.event_id unique, within what logs.event_id_scope says?"
    )


def _lost_in(report: ActivityReport) -> str:
    """Say what is lost in files that cannot be read; nothing if all can."""
    if not report.unreadable:
        return ""
    largest = sorted(report.unreadable, key=lambda file: -file.size)
    names = ", ".join(file.name for file in largest[:_MAX_NAMES])
    size = sum(file.size for file in largest)
    lost = sum(file.lost_lines for file in largest)
    return (
        f" or in {len(largest)} files that cannot be read ({size:,} bytes, about {lost:,} lines: "
        f"{names})"
    )


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
        return _result({day: _find_bad_prediction(day, lake) for day in days})

    return are_probabilities


def _find_bad_prediction(day: dt.date, lake: Lake) -> str | None:
    rows = read_predictions(day, lake)
    users = parquet.read_metadata(lake.local(table_file("user_features", day))).num_rows
    if rows.num_rows != users:
        return f"{rows.num_rows} rows for {users} active users"
    for target in BUILT_IN:
        probabilities = rows.filter(pc.is_valid(rows[target.model_column]))[
            target.probability_column
        ]
        inside = pc.and_(pc.greater_equal(probabilities, 0.0), pc.less_equal(probabilities, 1.0))
        outside = len(probabilities) - (pc.sum(inside).as_py() or 0)
        if outside:
            return f"{outside} values of {target.probability_column} are not between 0 and 1"
    return _find_bad_target_prediction(day, lake)


def _find_bad_target_prediction(day: dt.date, lake: Lake) -> str | None:
    rows = read_target_predictions(day, lake).to_pandas()
    predicted = rows[rows["model"].notna()]
    outside = predicted[~predicted["probability"].between(0, 1)]
    counted = outside["target"].value_counts()
    if len(outside):
        return f"{counted.iloc[0]} probabilities of {counted.index[0]} are not between 0 and 1"
    return None


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
        days = _days(context, "predictions", lake)
        return _result({day: _find_undelivered(day, lake, results) for day in days})

    return is_complete


def _find_undelivered(day: dt.date, lake: Lake, database: ResultsDatabase) -> str | None:
    deliveries = {delivery.as_of: delivery for delivery in database.deliveries()}
    if (record := deliveries.get(day)) is None:
        return "not delivered"
    rows, stored = read_predictions(day, lake), database.day(day)
    if stored.num_rows != rows.num_rows:
        return f"the database holds {stored.num_rows} rows of {rows.num_rows}"
    if checksum(stored) != checksum(rows):
        return "the rows in the database differ from the predictions"
    if record.checksum != checksum(rows):
        return "the record of the delivery is of rows that differ from the predictions"
    of_targets = read_target_predictions(day, lake)
    if checksum(database.target_predictions(day)) != checksum(of_targets):
        return "the target predictions in the database differ from those that were made"
    return None


def _outcomes_are_as_promised() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset="prediction_outcomes",
        description="Outcomes are within what the model cards promised, and no model is useless.",
    )
    def are_as_promised(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.AssetCheckResult:
        days = _days(context, "prediction_outcomes", lake)
        rows = pd.concat([_outcomes_of_all_users(day, lake) for day in days] or [pd.DataFrame()])
        return check_outcomes(rows, len(days))

    return are_as_promised


def check_outcomes(outcomes: pd.DataFrame, days: int) -> dg.AssetCheckResult:
    """Warn of outcomes outside of what a model card promised; a useless model is an error.

    Args:
        outcomes: Columns of `PREDICTION_OUTCOMES`; the rows of all users together.
        days: Number of days that were checked.
    """
    rows = outcomes.to_dict("records")
    broken = [row for row in rows if row["verdict"] in {"outside", "useless"}]
    useless = [row for row in broken if row["verdict"] == "useless"]
    severity = dg.AssetCheckSeverity.ERROR if useless else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        passed=not broken,
        severity=severity,
        description="; ".join(map(_describe_outcome, broken)) or f"{days} day(s) checked",
        metadata={"days": days, "outside": len(broken) - len(useless), "useless": len(useless)},
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


def _range(row: Mapping[Hashable, Any], name: str) -> str:
    return f"{row[f'{name}_low']:.3f} to {row[f'{name}_high']:.3f}"


def _days(context: dg.AssetCheckExecutionContext, table: str, lake: Lake) -> list[dt.date]:
    """Stored days of the run; for a run without days, the latest stored day."""
    stored = [day for day in lake.days(table) if lake.exists(table_file(table, day))]
    if context.has_partition_key or context.has_partition_key_range:
        requested = set(days_of(context))
        return [day for day in stored if day in requested]
    return stored[-1:]


def _totals(days: Iterable[dt.date], lake: Lake) -> dict[str, int]:
    reports: list[ActivityReport] = [r for day in days if (r := read_report(day, lake))]
    return {
        "lines": sum(report.lines for report in reports),
        "events": sum(report.events for report in reports),
        "quarantined": sum(sum(report.quarantined.values()) for report in reports),
    }


def _result(
    problems: Mapping[dt.date, str | None], metadata: Mapping[str, int] | None = None
) -> dg.AssetCheckResult:
    failed = [f"{day}: {text}" for day, text in problems.items() if text]
    return dg.AssetCheckResult(
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(failed) or f"{len(problems)} day(s) checked",
        metadata={"days": len(problems), "days_that_fail": len(failed)} | dict(metadata or {}),
    )
