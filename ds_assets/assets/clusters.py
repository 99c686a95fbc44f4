"""Clusters of users who play alike: k-means on scaled features, with ids that persist over days."""

import datetime as dt
from collections.abc import Container, Sequence

import dagster as dg

from ds_assets.core.clusters.clustering import (
    Cluster,
    ClusterCard,
    distance_features,
    fit_clusters,
)
from ds_assets.core.clusters.flows import flows, share_changed
from ds_assets.core.contracts import conform
from ds_assets.core.encoding import USER_ID
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.tables import CLUSTERS
from ds_assets.daily_assets import (
    CLUSTER_IDS_POOL,
    daily_asset,
    days_of,
    days_with,
    recording,
    report_days,
    table_schema,
    warn,
)
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.models import (
    Warn,
    cards_before,
    clusters_after,
    next_cluster_id,
    readable_card,
    store_model,
    store_next_cluster_id,
)
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import read_clusters, read_columns, store_rows

TABLE = "clusters"
_DIGITS = 4
"""Decimals of shares and silhouettes in the UI."""


def materialize_days(days: Sequence[dt.date], lake: Lake, game: Game) -> dict[dt.date, ClusterCard]:
    """Cluster the users of days, in order: each day continues the clusters of the day before."""
    return {day: _cluster(day, lake, game) for day in sorted(days)}


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `clusters`."""

    @daily_asset(
        game,
        TABLE,
        "models",
        {"scikitlearn", "parquet"},
        __doc__,
        pool=CLUSTER_IDS_POOL,
        metadata=table_schema(CLUSTERS),
    )
    def clusters(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> None:
        days = days_with(days_of(context), "user_features", lake, context, game)
        with recording(context, days, lake, game):
            cards = materialize_days(days, lake, game)
        report_days(context, {day: _metadata(card, lake) for day, card in cards.items()})

    return clusters


def _cluster(day: dt.date, lake: Lake, game: Game) -> ClusterCard:
    declared = declare_features(game)
    # Of millions of users, all features together take gigabytes.
    columns = [USER_ID, *(feature.name for feature in distance_features(declared))]
    features = read_columns("user_features", day, columns, lake)
    unreadable: list[str] = []

    def note(text: str) -> None:
        unreadable.append(text)
        warn(text)

    records = Records({}, lake)
    refused = records.refused_days()
    # Alone in its pool, so that no other run takes it.
    free_id = next_cluster_id(records.recorded_days(TABLE), lake, warn)
    fitted = fit_clusters(
        features,
        declared,
        game.clusters,
        _previous(day, refused, lake, note),
        as_of=day,
        replaced=readable_card("clusters", day, ClusterCard, lake, warn),
        following=clusters_after(day, refused, lake, warn),
        free_id=free_id,
    )
    store_rows(conform(CLUSTERS, fitted.assignments), TABLE, day, lake)
    card = fitted.card.model_copy(update={"warnings": (*fitted.card.warnings, *unreadable)})
    store_model("clusters", day, card, fitted.onnx, lake)
    # After the card: a run that is killed and repeated assigns the same ids.
    store_next_cluster_id(max(card.next_id, free_id), lake)
    return card


def _previous(
    day: dt.date, refused: Container[dt.date], lake: Lake, note: Warn
) -> ClusterCard | None:
    """Card of the latest earlier day with clusters, within `LONGEST_PAUSE`.

    Without one it is the latest card, which has no clusters to continue.
    """
    latest = None
    for card in cards_before("clusters", day, ClusterCard, refused, lake, note):
        if card.state == "ready":
            return card
        latest = latest or card
    return latest


def _metadata(card: ClusterCard, lake: Lake) -> dict[str, object]:
    shown: dict[str, object] = {
        "dagster/partition_row_count": card.users if card.clusters else 0,
        "state": card.state,
        "reasons": "; ".join(card.reasons),
        "warnings": "; ".join(card.warnings),
        "criterion": card.criterion,
        "version": card.version,
        "number_of_clusters": len(card.clusters),
        "sizes": dg.MetadataValue.table(
            [_record(cluster, card) for cluster in card.clusters], _SIZES
        ),
    }
    silhouette = card.silhouettes.get(len(card.clusters))
    if silhouette is not None:
        shown["silhouette"] = round(silhouette, _DIGITS)
    changed = _changed(card.as_of, lake)
    if changed is not None:
        shown["share_changed_in_a_day"] = round(changed, _DIGITS)
    return {name: value for name, value in shown.items() if value != ""}


def _changed(day: dt.date, lake: Lake) -> float | None:
    """Share of the users of both this day and the day before that changed cluster."""
    before, after = read_clusters(day - dt.timedelta(days=1), lake), read_clusters(day, lake)
    if before is None or after is None:
        return None
    return share_changed(flows(before, after))


def _record(cluster: Cluster, card: ClusterCard) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "id": cluster.id,
            "name": cluster.name,
            "users": cluster.size,
            "share": round(card.shares[cluster.id], _DIGITS),
        }
    )


_SIZES = dg.TableSchema(
    columns=[
        dg.TableColumn("id", "int"),
        dg.TableColumn("name", "string"),
        dg.TableColumn("users", "int"),
        dg.TableColumn("share", "float"),
    ]
)
