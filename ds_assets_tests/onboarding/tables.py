"""Logs of several tables in one place, and what their game files must say.

All games, users and values are invented. They share the events of `ds_assets_tests.exports`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ds_assets_tests.exports import (
    EXPORTS,
    KINDS,
    Event,
    Export,
    Kind,
    Line,
    by_day,
    write_csv,
    write_export,
    write_json,
    write_parquet,
)


@dataclass(frozen=True)
class Tables:
    """Several tables of a game.

    Attributes:
        tables: Each table, with the kinds of events that are in it.
        keys: What the game file must say, by key; these are the keys that are compared.
    """

    tables: tuple[tuple[Export, tuple[Kind, ...]], ...]
    keys: Mapping[str, Any]


def write_tables(tables: Tables, users: int, days: int, folder: Path) -> int:
    """Write tables into a folder. Returns the number of files."""
    for export, kinds in tables.tables:
        write_export(export, users, days, folder, kinds)
    return sum(path.is_file() for path in folder.rglob("*"))


def _session(event: Event) -> Line:
    return {"user": f"u{event.user}", "at": event.iso, "country": event.country, "lvl": event.level}


def _purchase(event: Event) -> Line:
    return {
        "player_id": f"u{event.user}",
        "ts": event.seconds,
        "price": event.price,
        "store": {"countryCode": event.country},
        "order_id": event.number,
    }


def _plain_purchase(event: Event) -> Line:
    return {"user": f"u{event.user}", "at": event.iso, "price": event.price}


def _german_purchase(event: Event) -> Line:
    day, price = event.time, f"{event.price:.2f}".replace(".", ",")
    return {"spieler": f"u{event.user}", "zeit": f"{day:%d.%m.%Y %H:%M:%S}", "betrag": price}


def _typed(event: Event) -> Line:
    return {"player": f"u{event.user}", "ts": event.iso, "event": event.kind, "lvl": event.level}


SESSIONS: tuple[Kind, ...] = ("start",)
PURCHASES: tuple[Kind, ...] = ("buy",)
PLAY: tuple[Kind, ...] = ("start", "level")
SEVERAL: Mapping[str, Tables] = {
    "a_folder_each": Tables(
        (
            (Export(_session, by_day("sessions/%Y-%m-%d.csv"), write_csv, {}), SESSIONS),
            (Export(_purchase, by_day("purchases/%Y-%m-%d.jsonl"), write_json, {}), PURCHASES),
        ),
        {
            "logs.path": "*/%Y-%m-%d.*",
            "logs.format": "csv",
            "logs.time_format": None,
            "logs.kinds.sessions": {"files": "sessions/*"},
            "logs.kinds.purchases": {
                "files": "purchases/*",
                "optional": True,
                "format": "jsonl",
                "time_format": "epoch_seconds",
                "fields": {
                    "user_id": "player_id",
                    "event_time": "ts",
                    "event_type": {"constant": "purchases"},
                },
            },
            "fields": {
                "user_id": "user",
                "event_time": "at",
                "event_type": {"constant": "sessions"},
                "event_id": "order_id",
                "amount": "price",
            },
            "events.purchases": ["purchases"],
            "events.sessions": ["sessions"],
            "attributes.country": {"field": ["country", "store.countryCode"]},
            "attributes.level": {"field": "lvl", "type": "number"},
        },
    ),
    "a_file_each_in_the_folder_of_a_day": Tables(
        (
            (Export(_session, by_day("%Y/%m/%d/sessions.csv"), write_csv, {}), SESSIONS),
            (Export(_plain_purchase, by_day("%Y/%m/%d/purchases.csv"), write_csv, {}), PURCHASES),
        ),
        {
            "logs.path": "%Y/%m/%d",
            "logs.kinds.sessions": {"files": "sessions*"},
            "logs.kinds.purchases": {
                "files": "purchases*",
                "optional": True,
                "fields": {"event_type": {"constant": "purchases"}},
            },
            "fields.user_id": "user",
            "fields.amount": "price",
            "events.purchases": ["purchases"],
            "events.sessions": ["sessions"],
        },
    ),
    "names_with_days_and_other_writings": Tables(
        (
            (Export(_typed, by_day("play_%Y%m%d.parquet"), write_parquet, {}), PLAY),
            (
                Export(
                    _german_purchase,
                    by_day("kauf_%Y%m%d.csv"),
                    partial(write_csv, delimiter=";"),
                    {},
                ),
                PURCHASES,
            ),
        ),
        {
            "logs.path": "*_%Y%m%d.*",
            "logs.format": "parquet",
            "logs.kinds.play": {"files": "play_*"},
            "logs.kinds.kauf": {
                "files": "kauf_*",
                "optional": True,
                "format": "csv",
                "csv": {"delimiter": ";", "decimal": ","},
                "time_format": "%d.%m.%Y %H:%M:%S",
                "fields": {
                    "user_id": "spieler",
                    "event_time": "zeit",
                    "event_type": {"constant": "kauf"},
                },
            },
            "fields.user_id": "player",
            "fields.event_type": "event",
            "fields.amount": "betrag",
            "events.purchases": ["kauf"],
            "events.sessions": None,
        },
    ),
    "the_tables_of_intendo": Tables(
        tuple(
            (EXPORTS[f"intendo_{name}"], KINDS)
            for name in ("revenue", "sessions", "users_daily", "user_summary")
        ),
        {
            "logs.path": None,
            "logs.format": "csv",
            "logs.kinds.sj_all_revenue": {"files": "sj_all_revenue*", "optional": True},
            "logs.kinds.sj_all_sessions.fields.event_time": "session_start",
            "logs.kinds.sj_users_daily.fields.event_time": "login_date",
            "logs.kinds.sj_users_daily.fields.amount": None,
            "logs.kinds.sj_user_summary.fields.event_time": "first_login",
            "fields.user_id": "player_id",
            "fields.event_time": "time",
            "fields.event_type": "item_type",
            "fields.event_id": None,
            "fields.amount": "item_revenue",
            "events.purchases": ["iap"],
            "events.sessions": ["sj_all_sessions"],
            "attributes.country": {"field": "country"},
            "attributes.channel": {"field": "acquisition"},
            "attributes.device": {"field": "device_name"},
            "attributes.level": {"field": "level_reached", "type": "number"},
        },
    ),
}
