"""What sets each cluster apart, what is predicted of its users, and where they came from."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pandas as pd

from ds_assets.core.clusters import profiles
from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.clusters.flows import flows, share_changed
from ds_assets.core.clusters.pictures import flows_picture, profiles_picture
from ds_assets.core.contracts import conform
from ds_assets.core.encoding import USER_ID
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.lineage import WEEK
from ds_assets.core.tables import CLUSTER_PROFILES, PREDICTED_NUMBERS
from ds_assets.daily_assets import (
    PICTURED_DAYS,
    daily_asset,
    days_of,
    days_with,
    picture,
    pictured_days,
    recording,
    report_days,
    table_schema,
)
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.models import stored_card
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import (
    read_clusters,
    read_columns,
    read_target_batches,
    store_rows,
)

TABLE = "cluster_profiles"
_NO_PICTURES = f"no pictures: only the latest {PICTURED_DAYS} days of a run have some"

_SHOWN = dg.TableSchema(
    columns=[
        dg.TableColumn(column.name, description=column.description)
        for column in CLUSTER_PROFILES.columns
        if column.name not in {"as_of", "typical_values"}  # the day's own; and too long to read
    ]
)


@dataclass(frozen=True)
class DayProfiles:
    """What was found of a day's clusters.

    Attributes:
        rows: The columns of `CLUSTER_PROFILES`; no rows without clusters.
        changed: Share of the users of both weeks that changed cluster, where there were any.
        pictures: PNG files, by what they show; none of a day that is not among the latest.
        missing: What is missing and why, in words.
    """

    rows: pd.DataFrame
    changed: float | None
    pictures: dict[str, bytes]
    missing: str


def update(days: Sequence[dt.date], lake: Lake, game: Game) -> dict[dt.date, DayProfiles]:
    """Describe the clusters of days, and store one row per cluster."""
    pictured = pictured_days(days)
    return {day: _describe(day, lake, game, pictured=day in pictured) for day in sorted(days)}


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `cluster_profiles`."""

    @daily_asset(
        game,
        TABLE,
        "predictions",
        {"pandas", "matplotlib"},
        __doc__,
        metadata=table_schema(CLUSTER_PROFILES),
    )
    def cluster_profiles(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> None:
        days = days_with(days_of(context), "predictions", lake, context, game)
        with recording(context, days, lake, game):
            profiles_by_day = update(days, lake, game)
        report_days(
            context, {day: _metadata(profiles) for day, profiles in profiles_by_day.items()}
        )

    return cluster_profiles


def _describe(day: dt.date, lake: Lake, game: Game, *, pictured: bool) -> DayProfiles:
    card, clusters = stored_card("clusters", day, ClusterCard, lake), read_clusters(day, lake)
    profiles = _without_clusters(card)
    if card is not None and clusters is not None:
        profiles = _with_clusters(card, clusters, lake, game, pictured=pictured)
    store_rows(conform(CLUSTER_PROFILES, profiles.rows), TABLE, day, lake)
    return profiles


def _week_before(day: dt.date) -> dt.date:
    return day - dt.timedelta(days=WEEK)


def _without_clusters(card: ClusterCard | None) -> DayProfiles:
    reasons = "no clusters" if card is None else f"no clusters: {'; '.join(card.reasons)}"
    return DayProfiles(pd.DataFrame(columns=CLUSTER_PROFILES.names), None, {}, reasons)


def _with_clusters(
    card: ClusterCard, clusters: pd.DataFrame, lake: Lake, game: Game, *, pictured: bool
) -> DayProfiles:
    week_before = _week_before(card.as_of)
    is_refused = week_before in Records({}, lake).refused_days()
    before = None if is_refused else read_clusters(week_before, lake)
    rows = _rows(card.as_of, clusters, before, lake, game)
    pictures = {}
    if pictured:
        pictures["profiles"] = profiles_picture(rows, declare_features(game), card.deviations)
    missing = [] if pictured else [_NO_PICTURES]
    if before is None:
        missing += [f"no flows: there are no clusters of {_week_before(card.as_of)}"]
        return DayProfiles(rows, None, pictures, "; ".join(missing))
    counted = flows(before, clusters)
    if pictured:
        pictures["flows"] = flows_picture(counted, _names(before), _names(clusters))
    return DayProfiles(rows, share_changed(counted), pictures, "; ".join(missing))


def _rows(
    day: dt.date,
    clusters: pd.DataFrame,
    week_before: pd.DataFrame | None,
    lake: Lake,
    game: Game,
) -> pd.DataFrame:
    declared = declare_features(game)
    shown = [feature.name for feature in profiles.profile_features(declared)]
    rows = profiles.cluster_profiles(
        day,
        read_columns("user_features", day, [USER_ID, *shown], lake),
        declared,
        clusters,
        read_columns("predictions", day, [USER_ID, *PREDICTED_NUMBERS], lake),
        week_before,
    )
    batches = read_target_batches(day, lake, [USER_ID, "target", "probability"])
    of_targets = (batch.to_pandas() for batch in batches)
    means = profiles.target_probabilities(clusters, of_targets)
    return rows.assign(target_probabilities=rows["cluster"].map(means).astype(object))


def _names(clusters: pd.DataFrame) -> dict[int, str]:
    named = clusters.drop_duplicates("cluster")
    return dict(zip(named["cluster"].tolist(), named["cluster_name"], strict=True))


def _metadata(profiles: DayProfiles) -> dict[str, object]:
    shown: dict[str, object] = {"missing": profiles.missing} if profiles.missing else {}
    for name, png in profiles.pictures.items():
        shown[name] = picture(name, png)
    if profiles.changed is not None:
        shown["share_changed_in_a_week"] = _short(profiles.changed)
    shown["table"] = dg.MetadataValue.table(_records(profiles.rows), _SHOWN)
    shown["dagster/partition_row_count"] = len(profiles.rows)
    return shown


def _records(rows: pd.DataFrame) -> list[dg.TableRecord]:
    names = [column.name for column in _SHOWN.columns]
    plain = conform(CLUSTER_PROFILES, rows).select(names).to_pylist()
    return [dg.TableRecord({name: _short(row[name]) for name in names}) for row in plain]


def _short(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
