"""Comparisons: of two installations, and of what one has delivered with what it has stored."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from ds_assets.core.lineage import lineage_of
from ds_assets.core.tables import (
    CLUSTER_PROFILES,
    COHORTS,
    EVENT_IDS,
    MODEL_METRICS,
    PLAYER_PROMOTIONS,
    PREDICTION_OUTCOMES,
    PREDICTIONS,
    PROMOTION_RESULTS,
)
from ds_assets.core.user_offers import NAMES, select_offers
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.models import card_name
from ds_assets.infra.lake.promotions import assignments_in_effect
from ds_assets.infra.lake.tables import read_predictions, read_rows, stored_days
from ds_assets_tests.assets.factories import Installation
from ds_assets_tests.checksums import checksum_in_any_order
from ds_assets_tests.infra.factories import fetch_patiently
from ds_assets_tests.infra.results.databases import ALL_REPORTS, read_report

DATA = ("user_activity", "user_features", EVENT_IDS.name)
"""The tables that models learn from."""
Content = Mapping[str, Any]
"""Something to compare, by a name for people."""


def find_differences(present: Content, expected: Content) -> list[str]:
    """Name what is not equal."""
    names = sorted(present.keys() | expected.keys())
    return [f"{name} differs" for name in names if present.get(name) != expected.get(name)]


def stored_tables(installation: Installation, tables: Sequence[str]) -> Content:
    """Checksum of each stored day of tables."""
    lake = installation.lake
    return {
        f"{table} of {day}": checksum_in_any_order(
            parquet.read_table(lake.local(file.name), partitioning=None)
        )
        for table in tables
        for day, file in stored_days(table, lake).items()
    }


def stored(installation: Installation) -> Content:
    """Checksum of each stored day of each table, and the card of each model.

    A card has the checksums of the other files of its model.
    """
    lake, lineages = installation.lake, lineage_of(installation.game).values()
    tables = [table for lineage in lineages for table in lineage.tables]
    cards = {
        f"model {kind} of {day}": lake.read(card_name(kind, day))
        for lineage in lineages
        for kind in lineage.models
        for day in lake.days(f"models/{kind}")
    }
    return {**stored_tables(installation, [*tables, EVENT_IDS.name]), **cards}


def delivered(installation: Installation) -> Content:
    """Checksum of each day of predictions and promotions and of each report in the database."""
    with installation.results() as database:
        days = [delivery.as_of for delivery in database.deliveries()]
        predictions = {
            _delivery(PREDICTIONS.name, day): checksum_in_any_order(database.day(day))
            for day in days
        }
        promotions = {day: database.promotions(day) for day in days}
        reports = {table.name: read_report(database, table) for table in ALL_REPORTS}
    predictions |= {
        _delivery(PLAYER_PROMOTIONS.name, day): checksum_in_any_order(rows)
        for day, rows in promotions.items()
        if rows.num_rows
    }
    return predictions | {
        _delivery(name, day): checksum_in_any_order(rows)
        for name, report in reports.items()
        for day, rows in _split_by_day(report)
    }


def _delivery(table: str, day: dt.date) -> str:
    return f"delivered {table} of {day}"


def _split_by_day(report: pa.Table) -> Iterator[tuple[dt.date, pa.Table]]:
    for day in pc.unique(report["as_of"]).to_pylist():
        yield day, report.filter(pc.equal(report["as_of"], day))


def cached(installation: Installation, users: Sequence[str]) -> Content:
    """The cached row of each user."""
    with installation.cache() as cache:
        return {
            f"cached {user}": row
            for user, row in zip(users, fetch_patiently(cache, users)[1], strict=True)
        }


def whole_cache(installation: Installation) -> Content:
    """The cached row of each user with predictions on any delivered day, and the cached days."""
    users: set[str] = set()
    with installation.results() as database:
        for delivery in database.deliveries():
            users.update(database.day(delivery.as_of)["user_id"].to_pylist())
    with installation.cache() as cache:
        days = fetch_patiently(cache, [])[0]
    return {**cached(installation, sorted(users)), "days of the cache": days}


def _offers_by_user(in_effect: pa.Table, installation: Installation) -> dict[str, dict[str, Any]]:
    """What the cache adds to the row of each user with offers."""
    users: dict[str, dict[str, Any]] = {}
    for row in select_offers(in_effect, installation.game.promotion_names).to_pylist():
        offer = {name: row[name] for name in NAMES} | {"until": str(row["until"])}
        users.setdefault(row["user_id"], {"promotions": []})["promotions"].append(offer)
    return users


def find_wrong_deliveries(installation: Installation) -> list[str]:
    """Find differences between the lake, and the results database and the cache.

    The cache is compared for the users of the newest day.
    """
    lake = installation.lake
    days = open_records(installation.game, lake).usable_days(PREDICTIONS.name)
    expected = {
        _delivery(PREDICTIONS.name, day): checksum_in_any_order(read_predictions(day, lake))
        for day in days
    }
    in_effect = {day: assignments_in_effect(day, lake, installation.game) for day in days}
    expected |= {
        _delivery(PLAYER_PROMOTIONS.name, day): checksum_in_any_order(rows)
        for day, rows in in_effect.items()
        if rows.num_rows
    }
    for table in (CLUSTER_PROFILES, COHORTS, PREDICTION_OUTCOMES, PROMOTION_RESULTS):
        reports = {day: read_rows(table, day, lake) for day in stored_days(table.name, lake)}
        expected |= {
            _delivery(table.name, day): checksum_in_any_order(rows)
            for day, rows in reports.items()
            if day in days and rows.num_rows
        }
    # Model metrics are in the lake only as cards.
    present = {
        name: it for name, it in delivered(installation).items() if MODEL_METRICS.name not in name
    }
    offers = _offers_by_user(in_effect[max(days)], installation)
    users = {
        f"cached {row['user_id']}": row | offers.get(row["user_id"], {})
        for row in read_predictions(max(days), lake).to_pylist()
    }
    in_cache = cached(installation, [row["user_id"] for row in users.values()])
    return find_differences({**present, **in_cache}, {**expected, **users})
