"""Exports of analytics services, as their documentation shows them, with a `game.yaml` for each.

All users and values are invented.
"""

import datetime as dt
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from ds_assets.game import Game
from ds_assets_tests.infra.engines.lines import START, WRITERS, Line, read_files


@dataclass(frozen=True)
class Export:
    """Some lines of an export.

    Attributes:
        rules: What its `game.yaml` says.
        lines: Its lines.
        events: User, hour, type and amount of each event, in order; others are left out.
        level: Level that the last line has, if it has one.
    """

    rules: str
    lines: list[Line]
    events: list[tuple[str, int, str, float | None]]
    level: float | None = None
    file_format: str = field(default="jsonl")


def ga4(number: int, name: str, **params: Any) -> Line:
    """A line of the BigQuery export; JSON lines leave out what is not set, Parquet has nulls."""
    types = {"string_value": str, "int_value": int, "float_value": None, "double_value": float}
    return {
        "event_date": "20260201",
        "event_timestamp": 1769940000123456 + number * 3_600_000_000,
        "event_name": name,
        "user_id": "u1" if number else None,
        "user_pseudo_id": "AB.1",
        "event_params": [
            {"key": key, "value": {it: value if type(value) is types[it] else None for it in types}}
            for key, value in params.items()
        ],
        "event_value_in_usd": params.get("value"),
    }


FIREBASE_RULES = """
    logs: {time_format: epoch_microseconds}
    fields:
      user_id: [user_id, user_pseudo_id]
      event_time: event_timestamp
      event_type: event_name
      amount: event_value_in_usd
    properties: {level: 'event_params[level]'}
"""
FIREBASE = [
    ga4(0, "session_start", ga_session_id=1),
    ga4(1, "in_app_purchase", product="gems", value=4.99),
    ga4(2, "level_up", character="x", level=7),
]
FIREBASE_EVENTS = [
    ("AB.1", 10, "session_start", None),
    ("u1", 11, "in_app_purchase", 4.99),
    ("u1", 12, "level_up", None),
]
EXPORTS = {
    "firebase_json": Export(FIREBASE_RULES, FIREBASE, FIREBASE_EVENTS, 7),
    "firebase_parquet": Export(FIREBASE_RULES, FIREBASE, FIREBASE_EVENTS, 7, "parquet"),
    "amplitude": Export(
        """
    time_zone: Asia/Seoul
    logs: {times_without_zone: UTC}
    fields:
      user_id: [user_id, device_id]
      event_time: event_time
      event_type: event_type
      event_id: uuid
      amount: {product: [event_properties.quantity, event_properties.price]}
    properties: {level: event_properties.level}
""",
        [
            {
                "uuid": "a1",
                "user_id": "u1",
                "device_id": "d1",
                "event_time": "2026-02-01 01:00:00.123456",
                "event_type": "Buy Item",
                "event_properties": {"quantity": 2, "price": 4.5},
            },
            {
                "uuid": "a2",
                "user_id": None,
                "device_id": "d2",
                "event_time": "2026-02-01 02:00:00.123456",
                "event_type": "[Amplitude] Start Session",
                "event_properties": {"level": 7},
            },
        ],
        [("u1", 10, "Buy Item", 9.0), ("d2", 11, "[Amplitude] Start Session", None)],
        7,
    ),
    "mixpanel": Export(
        """
    logs: {time_format: epoch_seconds}
    fields:
      user_id: properties.distinct_id
      event_time: properties.time
      event_type: event
      event_id: properties.$insert_id
    properties: {level: properties.Player Level}
""",
        [
            {
                "event": "Level Up",
                "properties": {
                    "time": 1769940000,
                    "distinct_id": "u1",
                    "$insert_id": "x",
                    "Player Level": 7,
                },
            }
        ],
        [("u1", 10, "Level Up", None)],
        7,
    ),
    "segment": Export(
        """
    logs: {leave_out: [{field: type, values: [identify, page]}]}
    fields:
      user_id: [userId, anonymousId]
      event_time: timestamp
      event_type: event
      event_id: messageId
      amount: [properties.revenue, properties.total]
    properties: {level: properties.level}
""",
        [
            {"type": "identify", "userId": "u1", "timestamp": "2026-02-01T10:00:00.123Z"},
            {
                "type": "track",
                "event": "Order Completed",
                "messageId": "m1",
                "userId": "u1",
                "anonymousId": "an1",
                "timestamp": "2026-02-01T10:00:00.123Z",
                "properties": {"revenue": "", "total": 12.5},
            },
            {
                "type": "track",
                "event": "Level Up",
                "messageId": "m2",
                "userId": None,
                "anonymousId": "an2",
                "timestamp": "2026-02-01T11:00:00.123Z",
                "properties": {"level": 7},
            },
        ],
        [("u1", 10, "Order Completed", 12.5), ("an2", 11, "Level Up", None)],
        7,
    ),
    "delta_dna": Export(
        """
    fields:
      user_id: userID
      event_time: eventTimestamp
      event_type: eventName
      event_id: eventUUID
      amount: json(eventParams).productsSpent.realCurrency.realCurrencyAmount
    properties: {level: json(eventParams).userLevel}
""",
        [
            {
                "userID": "u1",
                "eventTimestamp": "2026-02-01 10:00:00.123",
                "eventName": "transaction",
                "eventUUID": "d1",
                "eventParams": json.dumps(
                    {
                        "userLevel": 7,
                        "productsSpent": {"realCurrency": {"realCurrencyAmount": 499}},
                    }
                ),
            }
        ],
        [("u1", 10, "transaction", 499.0)],
        7,
    ),
    "game_analytics": Export(
        """
    logs: {time_format: epoch_seconds}
    fields:
      user_id: data.user_id
      event_time: data.client_ts
      event_type: {joined: [data.category, data.event_id]}
      amount: data.amount
      currency: data.currency
    currencies: {USD: 0.01}
    events: {purchases: ['business:gems:pack']}
""",
        [
            {
                "data": {
                    "category": "business",
                    "event_id": "gems:pack",
                    "user_id": "u1",
                    "client_ts": 1769940000,
                    "amount": 499,
                    "currency": "USD",
                }
            },
            {"data": {"category": "user", "user_id": "u1", "client_ts": 1769943600}},
        ],
        [("u1", 10, "business:gems:pack", 4.99), ("u1", 11, "user", None)],
    ),
    "playfab": Export(
        """
    logs: {format: parquet}
    fields:
      user_id: EntityId
      event_time: Timestamp
      event_type: EventName
      amount: json(EventData).OrderTotal
      currency: json(EventData).TransactionCurrency
    currencies: {USD: 0.01}
    properties: {level: json(EventData).Custom.Level}
""",
        [
            {
                "EntityId": "u1",
                "Timestamp": "2026-02-01T10:00:00.1234567Z",
                "EventName": "player_realmoney_purchase",
                "EventData": json.dumps(
                    {"OrderTotal": 499, "TransactionCurrency": "USD", "Custom": {"Level": 7}}
                ),
            }
        ],
        [("u1", 10, "player_realmoney_purchase", 4.99)],
        7,
        "parquet",
    ),
    "adjust": Export(
        """
    logs: {format: csv, time_format: epoch_seconds}
    fields:
      user_id: ['{user_id}', '{adid}']
      event_time: '{created_at}'
      event_type: {joined: ['{activity_kind}', '{event_name}']}
      amount: '{revenue_usd}'
    properties: {level: 'json({partner_parameters}).level'}
""",
        [
            {
                "{user_id}": "",
                "{adid}": "ad1",
                "{created_at}": 1769940000,
                "{activity_kind}": "install",
                "{event_name}": "",
                "{revenue_usd}": "",
                "{partner_parameters}": "",
            },
            {
                "{user_id}": "u1",
                "{adid}": "ad1",
                "{created_at}": 1769943600,
                "{activity_kind}": "event",
                "{event_name}": "purchase",
                "{revenue_usd}": 4.99,
                "{partner_parameters}": '{"level": "7"}',
            },
        ],
        [("ad1", 10, "install", None), ("u1", 11, "event:purchase", 4.99)],
        7,
        "csv",
    ),
    "aws_game_analytics": Export(
        """
    logs: {format: parquet, time_format: epoch_seconds}
    fields:
      user_id: json(event_data).user_id
      event_time: event_timestamp
      event_type: event_type
      event_id: event_id
      amount: json(event_data).transaction_value
    properties: {level: json(event_data).level}
""",
        [
            {
                "event_id": "e1",
                "event_type": "iap_transaction",
                "event_timestamp": 1769940000,
                "event_data": json.dumps({"user_id": 7, "transaction_value": 4.99, "level": "7"}),
            }
        ],
        [("7", 10, "iap_transaction", 4.99)],
        7,
        "parquet",
    ),
    "purchases_of_a_shop": Export(
        """
    time_zone: America/New_York
    logs: {format: csv, time_format: '%m/%d/%Y %I:%M:%S %p'}
    closed_days: [saturday]
    fields:
      user_id: Customer ID
      event_time: Order Date
      event_type: {constant: purchase}
      amount: {product: [Quantity, Unit Price (USD)]}
""",
        [
            {
                "Customer ID": "0017",
                "Order Date": "2/1/2026 10:05:00 AM",
                "Quantity": 3,
                "Unit Price (USD)": "1.5",
            }
        ],
        [("0017", 10, "purchase", 4.5)],
        file_format="csv",
    ),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_read_as_its_game_file_says(name: str, tmp_path: Path) -> None:
    export = EXPORTS[name]
    rules = yaml.safe_load(export.rules)
    rules["logs"] = {"format": export.file_format} | rules.get("logs", {})
    game = Game.model_validate({"name": name, "first_day": START, **rules})
    path = tmp_path / "raw"
    WRITERS[export.file_format](export.lines, path)
    events = [it for it in read_files([path], game) if it["reason"] != "left out"]
    assert [it["reason"] for it in events] == [None] * len(export.events)
    assert [
        (it["user_id"], it["event_time"].hour, it["event_type"], it["amount"]) for it in events
    ] == [(user, hour, kind, pytest.approx(amount)) for user, hour, kind, amount in export.events]
    assert {it["event_date"] for it in events} == {dt.date(2026, 2, 1)}
    assert events[-1].get("property_level") == export.level
