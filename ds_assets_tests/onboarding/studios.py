"""Logs as game studios write them with code of their own, and what their game files must say.

All games, users and values are invented. They share the events of `ds_assets_tests.exports`.
"""

import datetime as dt
from collections.abc import Mapping
from functools import partial
from zoneinfo import ZoneInfo

from ds_assets_tests.exports import (
    Event,
    Export,
    Line,
    by_day,
    write_csv,
    write_json,
    write_parquet,
)

SEOUL = ZoneInfo("Asia/Seoul")


def _seoul_path(event: Event) -> str:
    return f"{event.time.astimezone(SEOUL):%Y%m%d}/log.jsonl"


def _seoul(event: Event) -> Line:
    """Days of Seoul, and times in UTC."""
    names = {"start": "LOGIN", "level": "LEVEL_UP", "buy": "CASH_CHARGE"}
    return {
        "accountNo": 100_000 + event.user,
        "logType": names[event.kind],
        "regDt": event.iso,
        "serverId": 1 + event.user % 3,
        "charLv": event.level,
        **({"payAmt": round(event.price * 1_400)} if event.kind == "buy" else {}),
    }


def _integer_user(event: Event) -> Line:
    """A user by number beside a device, seconds since 1970, and no id of events."""
    names = {"start": "session_start", "level": "battle_end", "buy": "iap"}
    return {
        "uid": 1_000 + event.user,
        "device_uuid": f"{event.user // 2:032x}",
        "t": event.seconds,
        "evt": names[event.kind],
        "lvl": event.level,
        **({"battle_duration": 30 + event.level} if event.kind == "level" else {}),
        **({"price_usd": event.price} if event.kind == "buy" else {}),
    }


def _french(event: Event) -> Line:
    """French names, and commas in numbers."""
    names = {"start": "connexion", "level": "niveau_termine", "buy": "achat"}
    return {
        "id_joueur": f"j{event.user:05}",
        "horodatage": f"{event.time:%d/%m/%Y %H:%M:%S}",
        "type_evenement": names[event.kind],
        "pays": event.country,
        "niveau": event.level,
        "montant": f"{event.price:.2f}".replace(".", ",") if event.kind == "buy" else "",
    }


def _camel_case(event: Event) -> Line:
    """Messages of Protocol Buffers as JSON, whose 64-bit numbers are texts."""
    names = {"start": "EVENT_SESSION_START", "level": "EVENT_MATCH_END", "buy": "EVENT_PURCHASE"}
    return {
        "header": {
            "eventUid": f"{event.number:016x}",
            "playerId": f"{10**15 + event.user}",
            "sentAtMs": f"{event.seconds * 1_000 + 60_000}",
            "occurredAtMs": f"{event.seconds * 1_000}",
        },
        "eventType": names[event.kind],
        "client": {"appVersion": f"1.{event.level}.0", "countryCode": event.country},
        **(
            {"purchase": {"priceMicros": f"{event.price * 1e6:.0f}"}} if event.kind == "buy" else {}
        ),
    }


def _gems(event: Event) -> Line:
    """A virtual currency that is spent in many lines, beside real money in few."""
    spent = event.kind == "level"
    names = {"start": "app_open", "level": "gem_spend", "buy": "iap_purchase"}
    return {
        "player_id": f"p{event.user}",
        "ts": event.iso,
        "event_name": names[event.kind],
        "event_uuid": f"e{event.number}",
        "currency_type": "gems" if spent else None,
        "amount": 10 * event.level if spent else None,
        "gem_balance": 500 - event.level,
        "revenue_usd": event.price if event.kind == "buy" else None,
    }


def _two_currencies(event: Event) -> Line:
    """Real money in two currencies."""
    is_won = event.country == "KR"
    names = {"start": "login", "level": "stage_clear", "buy": "payment_complete"}
    paid = {
        "amount": round(event.price * 1_400) if is_won else event.price,
        "currency": "KRW" if is_won else "USD",
    }
    return {
        "user_id": f"u{event.user}",
        "log_time": f"{event.time:%Y-%m-%d %H:%M:%S}",
        "action": names[event.kind],
        "stage": event.level,
        "country": event.country,
        **(paid if event.kind == "buy" else {}),
    }


def _ads(event: Event) -> Line:
    """Revenue of advertisements beside that of purchases."""
    names = {"start": "session_begin", "level": "ad_impression", "buy": "in_app_purchase"}
    revenue = {"start": None, "level": 0.01, "buy": event.price}[event.kind]
    return {
        "installation": f"i{event.user}",
        "player_id": f"p{event.user}",
        "event": names[event.kind],
        "timestamp_ms": event.seconds * 1_000,
        "revenue": revenue,
        "ad_network": "one" if event.kind == "level" else None,
    }


def _refunds(event: Event) -> Line:
    """Refunds as negative amounts of a type of their own."""
    is_refund = event.kind == "buy" and event.number % 7 == 0
    names = {"start": "login", "level": "quest_complete", "buy": "order_paid"}
    return {
        "order_id" if event.kind == "buy" else "quest_id": event.number,
        "customer": {"id": f"c{event.user}"},
        "created_at": event.iso,
        "kind": "order_refunded" if is_refund else names[event.kind],
        **({"total": -event.price if is_refund else event.price} if event.kind == "buy" else {}),
    }


def _durations(event: Event) -> Line:
    """Tutorials and battles with durations."""
    kinds = {"start": "tutorial_begin", "level": "battle_finished", "buy": "shop_purchase"}
    kind = "game_start" if event.kind == "start" and event.level > 1 else kinds[event.kind]
    return {
        "id": f"{event.number:010}",
        "user": f"u{event.user}",
        "event": kind,
        "at": event.text,
        "duration_sec": 12.5 + event.level if event.kind == "level" else None,
        "tutorial_step": event.level if kind == "tutorial_begin" else None,
        "price": event.price if event.kind == "buy" else None,
        "platform": "ios" if event.user % 2 else "android",
    }


def _warehouse(event: Event) -> Line:
    """A table of a warehouse with times of Parquet, and exact prices."""
    names = {"start": "Login", "level": "LevelUp", "buy": "Purchase"}
    return {
        "EVENT_ID": event.number,
        "USER_KEY": 7_000_000 + event.user,
        "EVENT_TS": event.time,
        "LOAD_TS": event.time + dt.timedelta(days=2),
        "EVENT_NAME": names[event.kind],
        "PLATFORM": "ios" if event.user % 2 else "android",
        "NET_AMOUNT": event.price if event.kind == "buy" else None,
    }


STUDIOS: Mapping[str, Export] = {
    "days_of_seoul": Export(
        _seoul,
        _seoul_path,
        write_json,
        {
            "time_zone": "Etc/GMT-9",
            "logs.path": "%Y%m%d",
            "fields.user_id": "accountNo",
            "fields.event_time": "regDt",
            "fields.event_type": "logType",
            "fields.amount": "payAmt",
            "events.purchases": ["CASH_CHARGE"],
            "events.sessions": ["LOGIN"],
            "attributes.level": {"field": "charLv", "type": "number"},
        },
    ),
    "integer_user": Export(
        _integer_user,
        by_day("logs/%Y/%m/%d/events.jsonl"),
        write_json,
        {
            "logs.time_format": "epoch_seconds",
            "fields.user_id": "uid",
            "fields.event_time": "t",
            "fields.event_type": "evt",
            "fields.event_id": None,
            "fields.amount": "price_usd",
            "events.purchases": ["iap"],
            "events.sessions": ["session_start"],
            "attributes.level": {"field": "lvl", "type": "number"},
            "properties.battle_duration": "battle_duration",
        },
    ),
    "french": Export(
        _french,
        by_day("journal-%Y-%m-%d.csv"),
        partial(write_csv, delimiter=";"),
        {
            "logs.csv": {"delimiter": ";", "decimal": ","},
            "logs.time_format": "%d/%m/%Y %H:%M:%S",
            "fields.user_id": "id_joueur",
            "fields.event_time": "horodatage",
            "fields.event_type": "type_evenement",
            "fields.amount": "montant",
            "events.purchases": ["achat"],
            "events.sessions": ["connexion"],
            "attributes.country": {"field": "pays"},
            "attributes.level": {"field": "niveau", "type": "number"},
        },
    ),
    "camel_case": Export(
        _camel_case,
        by_day("%Y-%m-%d/%H.json.gz"),
        write_json,
        {
            "logs.time_format": "epoch_milliseconds",
            "fields.user_id": "header.playerId",
            "fields.event_time": "header.occurredAtMs",
            "fields.event_type": "eventType",
            "fields.event_id": "header.eventUid",
            "fields.amount": {"field": "purchase.priceMicros", "divided_by": 1000000},
            "events.purchases": ["EVENT_PURCHASE"],
            "events.sessions": ["EVENT_SESSION_START"],
            "attributes.country": {"field": "client.countryCode"},
            "attributes.app_version": {"field": "client.appVersion"},
        },
    ),
    "gems": Export(
        _gems,
        by_day("dt=%Y-%m-%d/part-0.jsonl"),
        write_json,
        {
            "fields.user_id": "player_id",
            "fields.event_time": "ts",
            "fields.event_type": "event_name",
            "fields.event_id": "event_uuid",
            "fields.amount": "revenue_usd",
            "fields.currency": None,
            "events.purchases": ["iap_purchase"],
            "events.sessions": ["app_open"],
        },
    ),
    "two_currencies": Export(
        _two_currencies,
        by_day("log_%Y%m%d.jsonl"),
        write_json,
        {
            "fields.user_id": "user_id",
            "fields.event_time": "log_time",
            "fields.event_type": "action",
            "fields.amount": "amount",
            "fields.currency": "currency",
            "events.purchases": ["payment_complete"],
            "events.sessions": ["login"],
        },
    ),
    "ads": Export(
        _ads,
        by_day("%Y-%m-%d.jsonl"),
        write_json,
        {
            "logs.time_format": "epoch_milliseconds",
            "fields.user_id": "player_id",
            "fields.event_time": "timestamp_ms",
            "fields.event_type": "event",
            "fields.amount": "revenue",
            "events.purchases": ["in_app_purchase"],
            "events.sessions": ["session_begin"],
        },
    ),
    "refunds": Export(
        _refunds,
        by_day("dt=%Y-%m-%d/a.jsonl"),
        write_json,
        {
            "fields.user_id": "customer.id",
            "fields.event_time": "created_at",
            "fields.event_type": "kind",
            "fields.event_id": None,
            "fields.amount": "total",
            "events.purchases": ["order_paid"],
            "events.refunds": ["order_refunded"],
            "events.sessions": ["login"],
        },
    ),
    "durations": Export(
        _durations,
        by_day("%Y/%m/%d.jsonl"),
        write_json,
        {
            "logs.path": "%Y/%m/%d.jsonl",
            "fields.user_id": "user",
            "fields.event_time": "at",
            "fields.event_type": "event",
            "fields.event_id": "id",
            "fields.amount": "price",
            "events.purchases": ["shop_purchase"],
            "events.sessions": ["game_start"],
            "attributes.platform": {"field": "platform"},
            "properties.duration_sec": "duration_sec",
        },
    ),
    "warehouse": Export(
        _warehouse,
        by_day("EVENTS_%Y%m%d/data_0_0_0.snappy.parquet"),
        write_parquet,
        {
            "logs.format": "parquet",
            "logs.time_format": None,
            "fields.user_id": "USER_KEY",
            "fields.event_time": "EVENT_TS",
            "fields.event_type": "EVENT_NAME",
            "fields.event_id": "EVENT_ID",
            "fields.amount": "NET_AMOUNT",
            "events.purchases": ["Purchase"],
            "events.sessions": ["Login"],
            "attributes.platform": {"field": "PLATFORM"},
        },
    ),
}
