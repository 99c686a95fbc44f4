"""Exports of analytics services, as their documentation shows them, with a `game.yaml` for each.

All users and values are invented.
"""

import datetime as dt
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from ds_assets.game import Game
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets_tests.infra.engines.lines import START, WRITERS, Line, read_files


@dataclass(frozen=True)
class Export:
    """Some lines of an export.

    Attributes:
        lines: Its lines.
        events: User, hour, type and amount of each event, in order; others are left out.
        level: Level that the last line has, if it has one.
    """

    lines: list[Line]
    events: list[tuple[str, int, str, float | None]]
    level: float | None = None
    file_format: str = field(default="jsonl")


SECTION = re.compile(r"^## (.+?)\n.*?```yaml\n(.*?)```", re.DOTALL | re.MULTILINE)
PAGE = Path(__file__).parents[2] / "docs" / "exports.md"
RULES: dict[str, str] = dict(SECTION.findall(PAGE.read_text(encoding="utf-8")))
"""What a `game.yaml` says of the lines of each service."""


def write_tsv(lines: list[Line], path: Path) -> None:
    """Write all columns of Snowplow, without quotes or a header."""
    header = yaml.safe_load(RULES["Snowplow"])["logs"]["csv"]["header"]
    rows = ("\t".join(str(line.get(name, "")) for name in header) for line in lines)
    path.write_text("".join(f"{row}\n" for row in rows))


def snowplow(hour: int, event: object, *contexts: tuple[str, object], **values: object) -> Line:
    """An enriched event with the data of its own schema, and of its contexts."""
    iglu = "iglu:com.snowplowanalytics.snowplow"
    listed = [{"schema": f"iglu:{schema}", "data": data} for schema, data in contexts]
    own = {"schema": "iglu:com.acme/purchase/jsonschema/2-0-1", "data": event}
    return {
        "event": "unstruct",
        "derived_tstamp": f"2026-02-01 {hour:02}:00:00.123",
        "event_name": "purchase",
        "event_id": f"id{hour}",
        "domain_userid": "d1",
        "contexts": json.dumps({"schema": f"{iglu}/contexts/jsonschema/1-0-0", "data": listed}),
        "unstruct_event": json.dumps(
            {"schema": f"{iglu}/unstruct_event/jsonschema/1-0-0", "data": own}
        ),
        **values,
    }


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
    "Firebase and GA4": Export(FIREBASE, FIREBASE_EVENTS, 7),
    "Amplitude": Export(
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
    "Mixpanel": Export(
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
    "Segment": Export(
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
    "RudderStack": Export(
        [
            {"type": "identify", "userId": "u1", "originalTimestamp": "2026-02-01T10:00:00.1Z"},
            {
                "type": "track",
                "event": "Order Completed",
                "messageId": "m1",
                "userId": "u1",
                "anonymousId": "an1",
                "timestamp": "2026-02-01T10:00:00.123Z",
                "originalTimestamp": "2026-02-01T23:00:00.123Z",
                "properties": {"total": 12.5},
            },
            {
                "type": "track",
                "event": "Level Up",
                "messageId": "m2",
                "userId": "",
                "anonymousId": "an2",
                "originalTimestamp": "2026-02-01T11:00:00.123Z",
                "properties": {"level": 7},
            },
        ],
        [("u1", 10, "Order Completed", 12.5), ("an2", 11, "Level Up", None)],
        7,
    ),
    "Snowplow": Export(
        [
            {"event": "page_ping", "user_id": "u1", "derived_tstamp": "2026-02-01 09:00:00"},
            snowplow(10, {"price": 4.99}, ("com.acme/level/jsonschema/1-0-0", {"level": 6})),
            snowplow(
                11,
                {"price": 0.99},
                ("com.acme/level_up/jsonschema/1-0-0", {"level": 1}),
                ("com.acme/level/jsonschema/2-1-0", {"level": 7}),
                user_id="u1",
            ),
        ],
        [("d1", 10, "purchase", 4.99), ("u1", 11, "purchase", 0.99)],
        7,
    ),
    "Unity Analytics and deltaDNA": Export(
        [
            {
                "userID": "u1",
                "eventTimestamp": "2026-02-01 10:00:00.123",
                "eventName": "transaction",
                "eventUUID": "d1",
                "eventParams": json.dumps(
                    {
                        "userLevel": 7,
                        "productsSpent": {
                            "realCurrency": {
                                "realCurrencyType": "USD",
                                "realCurrencyAmount": 499,
                            }
                        },
                    }
                ),
            }
        ],
        [("u1", 10, "transaction", 4.99)],
        7,
    ),
    "GameAnalytics": Export(
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
    "PlayFab": Export(
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
    "Adjust": Export(
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
    "AWS Game Analytics Pipeline": Export(
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
    "A table of purchases": Export(
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


def make_game(name: str, **logs: Any) -> Game:
    rules = yaml.safe_load(RULES[name])
    rules["logs"] = {"format": EXPORTS[name].file_format} | rules.get("logs", {}) | logs
    return Game.model_validate({"name": name, "first_day": START, **rules})


def check(export: Export, events: list[dict[str, Any]]) -> None:
    events = [it for it in events if it["reason"] != "left out"]
    assert [it["reason"] for it in events] == [None] * len(export.events)
    assert [
        (it["user_id"], it["event_time"].hour, it["event_type"], it["amount"]) for it in events
    ] == [(user, hour, kind, pytest.approx(amount)) for user, hour, kind, amount in export.events]
    assert {it["event_date"] for it in events} == {dt.date(2026, 2, 1)}
    assert events[-1].get("property_level") == export.level


def test_every_export_of_the_page_is_read() -> None:
    assert RULES.keys() == EXPORTS.keys()


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_read_as_its_game_file_says(name: str, tmp_path: Path) -> None:
    export, game = EXPORTS[name], make_game(name)
    write = write_tsv if game.logs.csv.header else WRITERS[game.logs.format]
    write(export.lines, tmp_path / "raw")
    check(export, read_files([tmp_path / "raw"], game))


@pytest.mark.parametrize("name", EXPORTS)
def test_its_lines_as_json_are_events_of_a_request(name: str, tmp_path: Path) -> None:
    # As serving reads them; see `EventFeatures`.
    game = make_game(name, format="jsonl", csv={})
    WRITERS["jsonl"](EXPORTS[name].lines, tmp_path / "raw")
    check(EXPORTS[name], read_files([tmp_path / "raw"], game))


def test_firebase_is_also_read_as_parquet(tmp_path: Path) -> None:
    game = make_game("Firebase and GA4", format="parquet")
    WRITERS["parquet"](FIREBASE, tmp_path / "raw")
    check(EXPORTS["Firebase and GA4"], read_files([tmp_path / "raw"], game))


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("RudderStack", "rudder-logs/2Ab/02-01-2026"),
        ("Segment", "segment-logs/2Ab/1769904000000"),
    ],
)
def test_the_days_of_an_export_are_where_the_page_says(
    name: str, folder: str, tmp_path: Path
) -> None:
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "1.json.gz").touch()
    game = make_game(name)
    assert len(FolderLogSource(tmp_path, game.log_path).objects(START)) == 1
    assert FolderLogSource(tmp_path, game.log_path).objects(START - dt.timedelta(1)) == []
