"""The summary at the end of a run: numbers read back from the lake and the results database.

Scope: collecting and printing them. Nothing is computed here that the graph did not compute.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.encoding import USER_ID
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.previews import LAST_PURCHASE, find_payers_at_risk
from ds_assets.core.promotions.assignment import TREATED
from ds_assets.core.promotions.results import headlines_of
from ds_assets.core.tables import PROMOTION_RESULTS
from ds_assets.core.targets import targets_of
from ds_assets.game import Game
from ds_assets.infra.lake.activity_reports import read_report
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.models import stored_card
from ds_assets.infra.lake.tables import read_columns, read_predictions, read_rows, stored_days
from ds_assets.installation import Installation

USERS_SHOWN = 10


class ModelSummary(BaseModel):
    """A model's out-of-time validation, and that of a rule that uses recency alone."""

    auc: float
    auc_low: float
    auc_high: float
    recency_auc: float
    judged_on: dt.date
    training_rows: int
    base_rate: float | None


class ClusterLine(BaseModel):
    """A cluster of the last day."""

    id: int
    name: str
    users: int


class UserAtRisk(BaseModel):
    """A paying user who is likely to churn."""

    user_id: str
    churn_probability: float
    payment_probability: float | None
    cluster_name: str | None


class PromotionSummary(BaseModel):
    """What a promotion changed of its target, in all users of its newest comparison."""

    name: str
    target: str
    state: str
    words: str
    users: int
    """Users that were treated or kept for comparison."""
    assigned_from: dt.date
    assigned_until: dt.date
    effect: float | None
    """Difference of the target's share between the arms; none without a result."""
    low: float | None
    high: float | None
    true_effect: float | None = None
    """The difference that is truly expected; known of a simulated game only."""


class Summary(BaseModel):
    """The numbers of a run."""

    seconds: float
    days: int
    lines: int
    events: int
    lines_quarantined: int
    refused: dict[dt.date, str]
    """By day, who refused it and why."""
    as_of: dt.date | None
    """The newest day that was delivered; none without any."""
    users_predicted: int
    days_delivered: int
    models: dict[str, ModelSummary | str] = {}
    """By target; the reasons in words if there was not enough data."""
    clusters: list[ClusterLine] = []
    most_at_risk: list[UserAtRisk] = []
    promotions: list[PromotionSummary] = []


def summarize(installation: Installation, seconds: float, days: Collection[dt.date]) -> Summary:
    """Read the numbers back from where the graph stored them.

    Args:
        installation: The installation.
        seconds: How long the run took.
        days: Its days.
    """
    lake, game = installation.lake(), installation.game
    reports = [report for day in sorted(days) if (report := read_report(day, lake))]
    records = open_records(game, lake)
    refused = sorted(records.refused_days().intersection(days))
    with installation.results() as results:
        rows = {it.as_of: it.row_count for it in results.deliveries() if it.as_of in days}
        as_of = max(rows, default=None)
    return Summary(
        seconds=round(seconds, 1),
        days=len(reports),
        lines=sum(report.lines for report in reports),
        events=sum(report.events for report in reports),
        lines_quarantined=sum(sum(report.quarantined.values()) for report in reports),
        refused={day: str(records.verdict(day)) for day in refused},
        as_of=as_of,
        users_predicted=0 if as_of is None else rows[as_of],
        days_delivered=len(rows),
        **({} if as_of is None else _summarize_day(as_of, lake, game)),
    )


def _summarize_day(as_of: dt.date, lake: Lake, game: Game) -> dict[str, Any]:
    """Models, clusters and users at risk of a day that was delivered."""
    clusters = stored_card("clusters", as_of, ClusterCard, lake)
    return {
        "models": {target: _summarize_model(target, as_of, lake) for target in targets_of(game)},
        "clusters": [
            ClusterLine(id=cluster.id, name=cluster.name, users=cluster.size)
            for cluster in (clusters.clusters if clusters else ())
        ],
        "most_at_risk": _most_at_risk(as_of, lake, game),
        "promotions": summarize_promotions(lake, game),
    }


def print_summary(summary: Summary, places: Mapping[str, str]) -> None:
    """Print the summary for people."""
    out = Console()
    predicted = (
        "no day delivered"
        if summary.as_of is None
        else f"{summary.users_predicted:,} users predicted as of {summary.as_of}, "
        f"{_count('day', summary.days_delivered)} delivered"
    )
    out.print(
        f"\n[bold]{_count('day', summary.days)}, {summary.events:,} events[/bold] of "
        f"{summary.lines:,} lines ({summary.lines_quarantined:,} in quarantine) in "
        f"{summary.seconds:.0f} s; {predicted}.\n"
    )
    for day, reason in summary.refused.items():
        out.print(f"{day} is {reason}", soft_wrap=True, markup=False, highlight=False)
    if summary.as_of is not None:
        _print_predictions(summary, out)
    for name, place in places.items():
        out.print(f"{name:<9} {place}", soft_wrap=True)


def _count(noun: str, number: int) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _print_predictions(summary: Summary, out: Console) -> None:
    out.print(_models_table(summary))
    for target, model in summary.models.items():
        if isinstance(model, str):
            out.print(f"{target}: {model}", markup=False, highlight=False)
    clusters = _table("Clusters", "id", "name", "users")
    for cluster in summary.clusters:
        clusters.add_row(str(cluster.id), cluster.name, f"{cluster.users:,}")
    out.print(clusters)
    risk = _table("Paying users most at risk", "user", "leaves", "pays", "cluster")
    for user in summary.most_at_risk:
        pays = "" if user.payment_probability is None else f"{user.payment_probability:.0%}"
        risk.add_row(user.user_id, f"{user.churn_probability:.0%}", pays, user.cluster_name or "")
    out.print(risk)
    if summary.promotions:
        out.print(_promotions_table(summary.promotions))
    for promotion in summary.promotions:
        out.print(f"{promotion.name}: {promotion.words}", markup=False, highlight=False)


def _summarize_model(target: str, as_of: dt.date, lake: Lake) -> ModelSummary | str:
    card = stored_card(target, as_of, ModelCard, lake)
    if card is None or card.evaluation is None:
        return "no model" if card is None else card.missing
    measures = card.evaluation.measures
    return ModelSummary(
        auc=measures.auc.value,
        auc_low=measures.auc.low,
        auc_high=measures.auc.high,
        recency_auc=card.evaluation.contenders["recency"].auc.value,
        judged_on=card.evaluation.snapshot,
        training_rows=card.rows,
        base_rate=card.base_rate,
    )


def _most_at_risk(as_of: dt.date, lake: Lake, game: Game) -> list[UserAtRisk]:
    """Users who paid recently, in descending order of churn probability."""
    predictions = read_predictions(as_of, lake, list(UserAtRisk.model_fields)).to_pandas()
    features = read_columns("user_features", as_of, [USER_ID, LAST_PURCHASE], lake)
    rows = find_payers_at_risk(predictions, features, game.active_days).head(USERS_SHOWN)
    return [UserAtRisk.model_validate(record) for record in _records(rows)]


def summarize_promotions(lake: Lake, game: Game) -> list[PromotionSummary]:
    """Summarize the newest results of the promotions of the game file, each in its own target."""
    days = stored_days(PROMOTION_RESULTS.name, lake) if game.promotions else {}
    if not days:
        return []
    rows = read_rows(PROMOTION_RESULTS, max(days), lake).to_pandas()
    rows["users"] = rows["users_treated"] + rows["users_control"]
    treated = headlines_of(rows[rows["arm"] == TREATED])
    headlines = treated.sort_values("assigned_until")
    by_target = {(row["promotion"], row["outcome"]): row for row in _records(headlines)}
    return [
        PromotionSummary.model_validate(row | {"name": name, "target": promotion.target})
        for name, promotion in game.promotions.items()
        if (row := by_target.get((name, promotion.target)))
    ]


def _records(rows: pd.DataFrame) -> list[dict[Any, Any]]:
    """Rows as dictionaries, with None where a value is missing."""
    return rows.astype(object).where(rows.notna(), None).to_dict("records")


def _promotions_table(promotions: Sequence[PromotionSummary]) -> Table:
    """Effects in points: differences of shares in hundredths."""
    table = _table("Promotions (effect in points)", "promotion", "changes", "users", "effect")
    knows_truth = any(it.true_effect is not None for it in promotions)
    for column in ("95 %", *(["true effect"] if knows_truth else [])):
        table.add_column(column)
    for it in promotions:
        interval = f"{_points(it.low)} to {_points(it.high)}" if it.effect is not None else ""
        truth = [_points(it.true_effect)] if knows_truth else []
        effect = _points(it.effect) if it.effect is not None else it.state
        table.add_row(it.name, it.target, f"{it.users:,}", effect, interval, *truth)
    return table


def _points(share: float | None) -> str:
    return "" if share is None else f"{share * 100:+.1f}"


def _models_table(summary: Summary) -> Table:
    table = _table(
        "Models (out-of-time validation)", "model", "AUC", "95 %", "recency rule", "validated on"
    )
    for target, model in summary.models.items():
        if isinstance(model, str):
            table.add_row(target, "none")  # the reason is too long for a cell
            continue
        interval = f"{model.auc_low:.3f} to {model.auc_high:.3f}"
        table.add_row(
            target, f"{model.auc:.3f}", interval, f"{model.recency_auc:.3f}", str(model.judged_on)
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    return table
