"""Asset checks: where a bad day must not go further, the run stops with a sentence.

Belongs here: the limits, and what is said when a day is beyond them. A check of a run over several
days names the days that fail; those after them in the graph do not run.
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
from ds_assets.infra.lake.tables import read_predictions, read_rows, table_file
from ds_assets.infra.results.database import ResultsDatabase

FEWEST_EVENTS = 0.25
"""Share of the same weekday's usual events below which a day is taken to be incomplete."""
WEEKS_COMPARED = 4
MOST_QUARANTINED = 0.05
"""Share of the lines in quarantine above which the logs are taken to be broken."""

Complaint = Callable[[dt.date, Lake], str | None]


def build(game: Game) -> list[dg.AssetChecksDefinition]:
    """All checks of the graph."""

    def no_events(day: dt.date, lake: Lake) -> str | None:
        report = read_report(day, lake)
        if report is None or report.events or day in game.closed_days:
            return None
        return "no valid events; if the game was shut, name the day in closed_days"

    def few_events(day: dt.date, lake: Lake) -> str | None:
        return None if day in game.closed_days else _few_events(day, lake, game)

    return [
        _activity_check("has_events", "A day has events.", no_events),
        _activity_check(
            "has_enough_events",
            f"A day has at least {FEWEST_EVENTS:.0%} of the usual events of its weekday.",
            few_events,
        ),
        _activity_check(
            "is_mostly_valid",
            f"At most {MOST_QUARANTINED:.0%} of a day's lines are in quarantine.",
            _many_quarantined,
        ),
        _predictions_are_probabilities(),
        _delivery_is_complete(),
        _outcomes_are_as_promised(),
    ]


def _activity_check(name: str, description: str, complaint: Complaint) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset="user_activity", name=name, description=description, blocking=True)
    def check(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.AssetCheckResult:
        days = _days(context, "user_activity", lake)
        return _result({day: complaint(day, lake) for day in days}, _reports(days, lake))

    return check


def _few_events(day: dt.date, lake: Lake, game: Game) -> str | None:
    weeks = (day - dt.timedelta(weeks=back) for back in range(1, WEEKS_COMPARED + 1))
    past = [
        report.events
        for earlier in weeks
        if earlier not in game.closed_days and (report := read_report(earlier, lake)) is not None
    ]
    report = read_report(day, lake)
    if report is None or not past or report.events >= FEWEST_EVENTS * median(past):
        return None
    return f"{report.events} events, where this weekday usually has {median(past):.0f}"


def _many_quarantined(day: dt.date, lake: Lake) -> str | None:
    report = read_report(day, lake)
    if report is None or report.quarantined_share <= MOST_QUARANTINED:
        return None
    worst = max(report.quarantined, key=lambda reason: report.quarantined[reason])
    return f"{report.quarantined_share:.1%} of the lines are in quarantine, most for: {worst}"


def _predictions_are_probabilities() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset="predictions",
        blocking=True,
        description="Probabilities lie in 0 to 1, and every active user has one row.",
    )
    def are_probabilities(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.AssetCheckResult:
        days = _days(context, "predictions", lake)
        return _result({day: _no_probability(day, lake) for day in days})

    return are_probabilities


def _no_probability(day: dt.date, lake: Lake) -> str | None:
    rows = read_predictions(day, lake)
    users = parquet.read_metadata(lake.local(table_file("user_features", day))).num_rows
    if rows.num_rows != users:
        return f"{rows.num_rows} rows for {users} active users"
    for target in BUILT_IN:
        known = rows.filter(pc.is_valid(rows[target.model_column]))[target.probability_column]
        inside = pc.and_(pc.greater_equal(known, 0.0), pc.less_equal(known, 1.0))
        outside = len(known) - (pc.sum(inside).as_py() or 0)
        if outside:
            return f"{outside} values of {target.probability_column} are not in 0 to 1"
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
        return _result({day: _undelivered(day, lake, results) for day in days})

    return is_complete


def _undelivered(day: dt.date, lake: Lake, database: ResultsDatabase) -> str | None:
    record = next((one for one in database.deliveries() if one.as_of == day), None)
    if record is None:
        return "not delivered"
    rows, stored = read_predictions(day, lake), database.day(day)
    if stored.num_rows != rows.num_rows:
        return f"the database holds {stored.num_rows} rows of {rows.num_rows}"
    if checksum(stored) != checksum(rows):
        return "the database holds other rows than were predicted"
    if record.checksum != checksum(rows):
        return "the record of the delivery is of other rows than were predicted"
    return None


def _outcomes_are_as_promised() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset="prediction_outcomes",
        description="What happened lies where the model cards said, and no model is useless.",
    )
    def are_as_promised(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.AssetCheckResult:
        days = _days(context, "prediction_outcomes", lake)
        rows = pd.concat([_of_everybody(day, lake) for day in days] or [pd.DataFrame()])
        return judgement(rows, len(days))

    return are_as_promised


def judgement(outcomes: pd.DataFrame, days: int) -> dg.AssetCheckResult:
    """A warning where something is outside of what was promised, an error where it is useless.

    Args:
        outcomes: Columns of `PREDICTION_OUTCOMES`, rows of all users.
        days: Number of days that were looked at.
    """
    rows = outcomes.to_dict("records")
    wrong = [row for row in rows if row["verdict"] in {"outside", "useless"}]
    useless = [row for row in wrong if row["verdict"] == "useless"]
    severity = dg.AssetCheckSeverity.ERROR if useless else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        passed=not wrong,
        severity=severity,
        description="; ".join(map(_fault, wrong)) or f"{days} day(s) checked",
        metadata={"days": days, "outside": len(wrong) - len(useless), "useless": len(useless)},
    )


def _of_everybody(day: dt.date, lake: Lake) -> pd.DataFrame:
    rows: pd.DataFrame = read_rows(PREDICTION_OUTCOMES, day, lake).to_pandas()
    return rows[rows["segment"] == ALL]


def _fault(row: Mapping[Hashable, Any]) -> str:
    said = f"{row['as_of']}: {row['target']} predictions are {row['verdict']}"
    auc = f"AUC {row['auc']:.3f}, promised {_range(row, 'promised_auc')}"
    share = (
        f"it happened to {row['happened']:.1%} of the users, promised "
        f"{_range(row, 'promised_happened')}"
    )
    return f"{said} ({auc}; {share}; largest drift of a feature {row['drift']:.2f})"


def _range(row: Mapping[Hashable, Any], name: str) -> str:
    return f"{row[f'{name}_low']:.3f} to {row[f'{name}_high']:.3f}"


def _days(context: dg.AssetCheckExecutionContext, table: str, lake: Lake) -> list[dt.date]:
    """Days to check: the run's that were made, or the latest made where the run is for none."""
    made = [day for day in lake.days(table) if lake.exists(table_file(table, day))]
    if context.has_partition_key or context.has_partition_key_range:
        wanted = set(days_of(context))
        return [day for day in made if day in wanted]
    return made[-1:]


def _reports(days: Iterable[dt.date], lake: Lake) -> dict[str, int]:
    reports: list[ActivityReport] = [r for day in days if (r := read_report(day, lake))]
    return {
        "lines": sum(report.lines for report in reports),
        "events": sum(report.events for report in reports),
        "quarantined": sum(sum(report.quarantined.values()) for report in reports),
    }


def _result(
    complaints: Mapping[dt.date, str | None], metadata: Mapping[str, int] | None = None
) -> dg.AssetCheckResult:
    wrong = [f"{day}: {text}" for day, text in complaints.items() if text]
    return dg.AssetCheckResult(
        passed=not wrong,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(wrong) or f"{len(complaints)} day(s) checked",
        metadata={"days": len(complaints), "days_that_fail": len(wrong)} | dict(metadata or {}),
    )
