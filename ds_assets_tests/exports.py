"""Small exports of an invented game in the formats of analytics services.

The shapes of lines, names of files and layouts are those of the services' public documentation;
all users and values are invented. What a stranger would have to write into `game.yaml` is beside
each.
"""

import csv
import datetime as dt
import gzip
import io
import json
import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pyarrow import parquet

from ds_assets.onboarding.exports import name_columns

START = dt.date(2026, 1, 5)
COUNTRIES = ("KR", "US", "JP", "DE")
PRICES = (0.99, 4.99, 9.99)
Line = dict[str, Any]
Kind = Literal["start", "level", "buy"]
KINDS: tuple[Kind, ...] = ("start", "level", "buy")


@dataclass(frozen=True)
class Event:
    """What a user did."""

    user: int
    time: dt.datetime
    kind: Kind
    number: int
    level: int
    price: float

    @property
    def country(self) -> str:
        return COUNTRIES[self.user % len(COUNTRIES)]

    @property
    def iso(self) -> str:
        return self.time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    @property
    def text(self) -> str:
        return self.time.strftime("%Y-%m-%d %H:%M:%S.%f")

    @property
    def seconds(self) -> int:
        return int(self.time.timestamp())


def play(users: int, days: int, seed: int = 1) -> Iterator[Event]:
    """Events of a game whose users come often, seldom or no longer."""
    chance = random.Random(seed)
    habits = [
        (chance.betavariate(1, 2), chance.randrange(days), chance.random()) for _ in range(users)
    ]
    number = 0
    for day in range(days):
        for user, (habit, joined, payer) in enumerate(habits):
            alive = chance.random() < 0.985 ** (day - joined)
            if day < joined or chance.random() > habit or not alive:
                continue
            time = _time(day, chance)
            level = 1 + (day - joined) // 3
            kinds: list[Kind] = ["start", "level"]
            if chance.random() < 0.5:
                kinds.append("level")
            if payer < 0.2 and chance.random() < 0.3:
                kinds.append("buy")
            for step, kind in enumerate(kinds):
                number += 1
                price = chance.choice(PRICES)
                yield Event(user, time + dt.timedelta(seconds=step), kind, number, level, price)


def _time(day: int, chance: random.Random) -> dt.datetime:
    midnight = dt.datetime.combine(START + dt.timedelta(day), dt.time(), dt.UTC)
    return midnight + dt.timedelta(
        seconds=chance.randrange(86_000), microseconds=chance.randrange(10**6)
    )


@dataclass(frozen=True)
class Export:
    """An export.

    Attributes:
        line: Makes a line of an event.
        path: Path of the file of an event.
        write: Writes lines to a file.
        keys: What the game file must say, by key; these are the fields that are compared.
        has_days: Whether the files are split by day.
    """

    line: Callable[[Event], Line]
    path: Callable[[Event], str]
    write: Callable[[Sequence[Line], Path], None]
    keys: Mapping[str, Any]
    has_days: bool = field(default=True)


def write_export(
    export: Export, users: int, days: int, folder: Path, kinds: Collection[Kind] = KINDS
) -> None:
    """Write an export of a game, or of some kinds of its events, into a folder."""
    by_path: dict[str, list[Line]] = defaultdict(list)
    for event in (it for it in play(users, days) if it.kind in kinds):
        by_path[export.path(event)].append(export.line(event))
    for name, lines in by_path.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        export.write(lines, path)


def write_json(lines: Sequence[Line], path: Path) -> None:
    text = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


def _write_array(lines: Sequence[Line], path: Path) -> None:
    path.write_text(json.dumps(lines, indent=1))


def write_parquet(lines: Sequence[Line], path: Path) -> None:
    parquet.write_table(pa.Table.from_pylist([*lines]), path)


def write_csv(lines: Sequence[Line], path: Path, delimiter: str = ",") -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, [*lines[0]], lineterminator="\n", delimiter=delimiter)
    writer.writeheader()
    writer.writerows(lines)
    path.write_bytes(
        gzip.compress(text.getvalue().encode(), mtime=0)
        if path.suffix == ".gz"
        else text.getvalue().encode()
    )


def _write_semicolons(lines: Sequence[Line], path: Path) -> None:
    write_csv(lines, path, ";")


def _write_tabs(lines: Sequence[Line], path: Path) -> None:
    path.write_text("".join("\t".join(map(str, line.values())) + "\n" for line in lines))


def by_day(pattern: str) -> Callable[[Event], str]:
    return lambda event: event.time.strftime(pattern)


def _amount(event: Event) -> float | None:
    return event.price if event.kind == "buy" else None


NAMES = {"start": "session_start", "level": "level_up", "buy": "in_app_purchase"}


def _firebase(event: Event) -> Line:
    params: Line = {"ga_session_id": event.number} | (
        {"level": event.level} if event.kind == "level" else {}
    )
    return {
        "event_date": f"{event.time:%Y%m%d}",
        "event_timestamp": int(event.time.timestamp()) * 1_000_000 + event.time.microsecond,
        "event_name": NAMES[event.kind],
        "event_value_in_usd": _amount(event),
        "user_id": f"u{event.user}" if event.user % 3 else None,
        "user_pseudo_id": f"p.{event.user}",
        "user_first_touch_timestamp": 1_700_000_000_000_000 + event.user,
        "geo": {"country": event.country},
        "device": {"operating_system": "iOS" if event.user % 2 else "Android"},
        "event_params": [
            {
                "key": key,
                "value": {
                    "string_value": None,
                    "int_value": value,
                    "float_value": None,
                    "double_value": None,
                },
            }
            for key, value in params.items()
        ],
    }


FIREBASE = {
    "logs.time_format": "epoch_microseconds",
    "fields.user_id": ["user_id", "user_pseudo_id"],
    "fields.event_time": "event_timestamp",
    "fields.event_type": "event_name",
    "fields.amount": "event_value_in_usd",
    "events.purchases": ["in_app_purchase"],
    "events.sessions": ["session_start"],
    "attributes.level": {"field": "event_params[level]", "type": "number"},
    "attributes.country": {"field": "geo.country"},
    "attributes.os": {"field": "device.operating_system"},
}


def _amplitude(event: Event) -> Line:
    names = {"start": "[Amplitude] Start Session", "level": "Level Up", "buy": "Buy Item"}
    return {
        "uuid": f"a-{event.number:08}",
        "user_id": f"u{event.user}" if event.user % 3 else None,
        "device_id": f"d{event.user}",
        "amplitude_id": 10_000 + event.user,
        "event_time": event.text,
        "client_event_time": event.text,
        "server_upload_time": (event.time + dt.timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S.%f"),
        "event_type": names[event.kind],
        "country": event.country,
        "event_properties": {"level": event.level}
        | ({"quantity": 2, "price": event.price} if event.kind == "buy" else {}),
    }


def _mixpanel(event: Event) -> Line:
    names = {"start": "$session_start", "level": "Level Up", "buy": "Purchase"}
    return {
        "event": names[event.kind],
        "properties": {
            "time": event.seconds,
            "distinct_id": f"u{event.user}",
            "$insert_id": f"i{event.number}",
            "mp_country_code": event.country,
            "Player Level": event.level,
            **({"amount": event.price} if event.kind == "buy" else {}),
        },
    }


def _segment(event: Event) -> Line:
    names = {"start": "Application Opened", "level": "Level Up", "buy": "Order Completed"}
    track = {
        "type": "track",
        "event": names[event.kind],
        "messageId": f"m-{event.number}",
        "userId": f"u{event.user}" if event.user % 3 else None,
        "anonymousId": f"an-{event.user}",
        "originalTimestamp": event.iso,
        "sentAt": event.iso,
        "receivedAt": event.iso,
        "timestamp": event.iso,
        "context": {"locale": "ko-KR" if event.user % 2 else "en-US"},
        "properties": {"level": event.level}
        | ({"revenue": event.price} if event.kind == "buy" else {}),
    }
    if event.number % 10:
        return track
    without = {key: value for key, value in track.items() if key not in {"event", "properties"}}
    return without | {"type": "identify", "traits": {"level": event.level}}


SEGMENT = {
    "logs.leave_out": [{"field": "type", "values": ["identify"]}],
    "fields.user_id": ["userId", "anonymousId"],
    "fields.event_time": ["timestamp", "originalTimestamp"],
    "fields.event_type": ["event", "type"],
    "fields.event_id": "messageId",
    "fields.amount": "properties.revenue",
    "events.purchases": ["Order Completed"],
    "events.sessions": ["Application Opened"],
    "attributes.language": {"field": "context.locale"},
}


def _delta_dna(event: Event) -> Line:
    names = {"start": "gameStarted", "level": "levelUp", "buy": "transaction"}
    spent = {
        "realCurrency": {"realCurrencyAmount": round(event.price * 100), "realCurrencyType": "USD"}
    }
    return {
        "userID": f"u{event.user}",
        "eventTimestamp": event.text[:-3],
        "eventName": names[event.kind],
        "eventUUID": f"d-{event.number}",
        "eventParams": json.dumps(
            {"userLevel": event.level, "userCountry": event.country}
            | ({"productsSpent": spent} if event.kind == "buy" else {})
        ),
    }


def _game_analytics(event: Event) -> Line:
    names = {"start": "user", "level": "progression", "buy": "business"}
    return {
        "data": {
            "category": names[event.kind],
            "user_id": f"u{event.user}",
            "client_ts": event.seconds,
            "session_num": event.number,
            "platform": "ios" if event.user % 2 else "android",
        }
        | (
            {"event_id": "gems:pack", "amount": round(event.price * 100), "currency": "USD"}
            if event.kind == "buy"
            else {}
        )
    }


def _playfab(event: Event) -> Line:
    names = {"start": "player_logged_in", "level": "level_up", "buy": "player_realmoney_purchase"}
    data: Line = {"Level": event.level, "Country": event.country}
    if event.kind == "buy":
        data |= {"OrderTotal": round(event.price * 100), "TransactionCurrency": "USD"}
    return {
        "EntityId": f"u{event.user}",
        "EventId": f"e{event.number}",
        "Timestamp": event.iso,
        "EventName": names[event.kind],
        "EventData": json.dumps(data),
    }


def _adjust(event: Event) -> Line:
    names = {"start": "", "level": "level_up", "buy": "purchase"}
    return {
        "{user_id}": f"u{event.user}" if event.user % 3 else "",
        "{adid}": f"ad{event.user}",
        "{created_at}": event.seconds,
        "{installed_at}": 1_700_000_000 + event.user,
        "{activity_kind}": "session" if event.kind == "start" else "event",
        "{event_name}": names[event.kind],
        "{revenue_usd}": _amount(event) or "",
        "{country}": event.country.lower(),
        "{network_name}": "Organic" if event.user % 2 else "Unity Ads",
    }


def _aws(event: Event) -> Line:
    names = {"start": "login", "level": "level_up", "buy": "iap_transaction"}
    return {
        "event_id": f"e{event.number}",
        "event_type": names[event.kind],
        "event_timestamp": event.seconds,
        "application_id": "app",
        "event_data": json.dumps(
            {"user_id": f"u{event.user}", "level": event.level}
            | ({"transaction_value": event.price} if event.kind == "buy" else {})
        ),
    }


def _snowplow(event: Event) -> Line:
    names = {"start": "application_launch", "level": "level_up", "buy": "purchase"}
    return dict.fromkeys(name_columns(131), "") | {
        "app_id": "game",
        "platform": "mob",
        "collector_tstamp": event.text[:-3],
        "derived_tstamp": event.text[:-3],
        "etl_tstamp": event.text[:-3],
        "event": "unstruct" if event.kind != "buy" else "transaction",
        "event_name": names[event.kind],
        "event_id": f"0000-{event.number}",
        "user_id": f"u{event.user}" if event.user % 3 else "",
        "domain_userid": f"d{event.user}",
        "geo_country": event.country,
        "tr_total": _amount(event) or "",
        "tr_currency": "USD" if event.kind == "buy" else "",
    }


def _shop(event: Event) -> Line:
    time = event.time
    hour = (time.hour + 11) % 12 + 1
    return {
        "Customer ID": f"{event.user:05}",
        "Order Date": f"{time.month}/{time.day}/{time.year} {hour}:{time:%M:%S %p}",
        "Product": f"P{event.level}",
        "Quantity": 3,
        "Unit Price (USD)": f"{event.price}",
    }


def _intendo(event: Event) -> Line:
    return {
        "player_id": f"PLAYERXY{event.user:04}",
        "session_id": f"PLAYERXY{event.user:04}-{event.number}",
        "session_start": event.iso[:-5] + "Z",
    }


def _intendo_player(event: Event) -> Line:
    return {
        "start_day": f"{START}",
        "acquisition": "organic" if event.user % 2 else "google",
        "country": event.country,
    }


def _intendo_revenue(event: Event) -> Line:
    is_ad = event.kind != "buy"
    return {
        **_intendo(event),
        "session_id": f"PLAYERXY{event.user:04}-{event.number // 3}",
        "time": event.iso[:-5] + "Z",
        "item_type": "ad" if is_ad else "iap",
        "item_name": "ad_15sec" if is_ad else "gold3",
        "item_revenue": 0.02 if is_ad else event.price,
        "session_duration": 3.5 + event.level,
        **_intendo_player(event),
    }


def _intendo_sessions(event: Event) -> Line:
    paid = event.price if event.kind == "buy" else 0.0
    return {
        **_intendo(event),
        "session_duration": 3.5 + event.level,
        "n_iap": int(paid > 0),
        "n_ads": event.level % 3,
        "rev_iap": paid,
        "rev_ads": 0.02,
        "rev_all": paid + 0.02,
    }


def _intendo_daily(event: Event) -> Line:
    paid = event.price if event.kind == "buy" else 0.0
    return {
        "player_id": f"PLAYERXY{event.user:04}",
        "login_date": f"{event.time.date()}",
        "sessions_day": 1 + event.level % 2,
        "playtime_day": 10.5,
        "n_iap_day": int(paid > 0),
        "rev_iap_day": paid,
        "rev_ads_day": 0.02,
        "rev_all_day": paid + 0.02,
        "start_day": f"{START}",
        "sessions_total": event.number,
        "playtime_total": event.number * 2.5,
        "level_reached": event.level,
        "in_ftue": event.level == 1,
        "is_customer": paid > 0,
        "rev_iap_total": paid * 2,
        "acquisition": "organic" if event.user % 2 else "google",
        "country": event.country,
    }


def _intendo_summary(event: Event) -> Line:
    return {
        "player_id": f"PLAYERXY{event.number:06}",
        "first_login": event.iso[:-5] + "Z",
        "start_day": f"{event.time.date()}",
        "country": event.country,
        "acquisition": "organic" if event.user % 2 else "google",
        "device_name": f"Phone {event.user % 5}",
    }


def _one_file(name: str) -> Callable[[Event], str]:
    return lambda _: name


INTENDO = {"fields.user_id": "player_id", "logs.format": "csv"}
INTENDO_PLAYER = {
    "attributes.country": {"field": "country"},
    "attributes.channel": {"field": "acquisition"},
}
EXPORTS: Mapping[str, Export] = {
    "firebase_json": Export(
        _firebase,
        by_day("events_%Y%m%d.json.gz"),
        write_json,
        FIREBASE | {"logs.path": "events_%Y%m%d.json.gz", "logs.format": "jsonl"},
    ),
    "firebase_parquet": Export(
        _firebase,
        by_day("events_%Y%m%d/000000000000.parquet"),
        write_parquet,
        FIREBASE | {"logs.path": "events_%Y%m%d", "logs.format": "parquet"},
    ),
    "amplitude": Export(
        _amplitude,
        lambda event: f"187520_{event.time.date()}_{event.time.hour}#{event.time.hour % 3}.json.gz",
        write_json,
        {
            "logs.path": "187520_%Y-%m-%d_*.json.gz",
            "logs.times_without_zone": "UTC",
            "fields.user_id": ["user_id", "device_id"],
            "fields.event_time": "event_time",
            "fields.event_type": "event_type",
            "fields.event_id": "uuid",
            "fields.amount": {"product": ["event_properties.quantity", "event_properties.price"]},
            "events.purchases": ["Buy Item"],
            "events.sessions": ["[Amplitude] Start Session"],
            "attributes.level": {"field": "event_properties.level", "type": "number"},
            "attributes.country": {"field": "country"},
        },
    ),
    "mixpanel": Export(
        _mixpanel,
        by_day("%Y/%m/%d/full_day/export.json.gz"),
        write_json,
        {
            "logs.path": "%Y/%m/%d",
            "logs.time_format": "epoch_seconds",
            "fields.user_id": "properties.distinct_id",
            "fields.event_time": "properties.time",
            "fields.event_type": "event",
            "fields.event_id": "properties.$insert_id",
            "fields.amount": "properties.amount",
            "events.purchases": ["Purchase"],
            "events.sessions": ["$session_start"],
            "attributes.level": {"field": "properties.Player Level", "type": "number"},
            "attributes.country": {"field": "properties.mp_country_code"},
        },
    ),
    "segment": Export(
        _segment,
        by_day("segment-logs/%Y-%m-%d/1.gz"),
        write_json,
        {**SEGMENT, "logs.path": "segment-logs/%Y-%m-%d"},
    ),
    "rudderstack": Export(
        lambda event: {**_segment(event), "channel": "mobile", "rudderId": "r"},
        by_day("rudder-logs/2abc/%m-%d-%Y/1.json.gz"),
        write_json,
        {**SEGMENT, "logs.path": "rudder-logs/2abc/%m-%d-%Y"},
    ),
    "delta_dna": Export(
        _delta_dna,
        by_day("%Y/%m/%d/events.json"),
        write_json,
        {
            "logs.path": "%Y/%m/%d",
            "fields.user_id": "userID",
            "fields.event_time": "eventTimestamp",
            "fields.event_type": "eventName",
            "fields.event_id": "eventUUID",
            "fields.amount": "json(eventParams).productsSpent.realCurrency.realCurrencyAmount",
            "fields.currency": "json(eventParams).productsSpent.realCurrency.realCurrencyType",
            "currencies": {"USD": 0.01},
            "events.purchases": ["transaction"],
            "events.sessions": ["gameStarted"],
            "attributes.level": {"field": "json(eventParams).userLevel", "type": "number"},
            "attributes.country": {"field": "json(eventParams).userCountry"},
        },
    ),
    "game_analytics": Export(
        _game_analytics,
        by_day("%Y/%m/%d/%H/events.json.gz"),
        write_json,
        {
            "logs.path": "%Y/%m/%d",
            "logs.time_format": "epoch_seconds",
            "fields.user_id": "data.user_id",
            "fields.event_time": "data.client_ts",
            "fields.event_type": "data.category",
            "fields.amount": "data.amount",
            "fields.currency": "data.currency",
            "currencies": {"USD": 0.01},
            "events.purchases": ["business"],
            "events.sessions": ["user"],
            "attributes.platform": {"field": "data.platform"},
        },
    ),
    "playfab": Export(
        _playfab,
        by_day("year=%Y/month=%m/day=%d/part-0.parquet"),
        write_parquet,
        {
            "logs.path": "year=%Y/month=%m/day=%d",
            "logs.format": "parquet",
            "fields.user_id": "EntityId",
            "fields.event_time": "Timestamp",
            "fields.event_type": "EventName",
            "fields.event_id": "EventId",
            "fields.amount": "json(EventData).OrderTotal",
            "fields.currency": "json(EventData).TransactionCurrency",
            "currencies": {"USD": 0.01},
            "events.purchases": ["player_realmoney_purchase"],
            "events.sessions": ["player_logged_in"],
            "attributes.level": {"field": "json(EventData).Level", "type": "number"},
        },
    ),
    "adjust": Export(
        _adjust,
        by_day("app_%Y-%m-%dT%H0000_ab12cd_1.csv.gz"),
        write_csv,
        {
            "logs.path": "app_%Y-%m-%dT*_ab*cd_*.csv.gz",
            "logs.format": "csv",
            "logs.time_format": "epoch_seconds",
            "fields.user_id": ["{user_id}", "{adid}"],
            "fields.event_time": "{created_at}",
            "fields.event_type": {"joined": ["{activity_kind}", "{event_name}"]},
            "fields.amount": "{revenue_usd}",
            "events.purchases": ["event:purchase"],
            "events.sessions": ["session"],
            "attributes.country": {"field": "{country}"},
            "attributes.channel": {"field": "{network_name}"},
        },
    ),
    "aws_game_analytics": Export(
        _aws,
        lambda event: (
            f"raw/year={event.time.year}/month={event.time.month}/day={event.time.day}/a.parquet"
        ),
        write_parquet,
        {
            "logs.path": "raw/year=%Y/month=%-m/day=%-d",
            "logs.format": "parquet",
            "logs.time_format": "epoch_seconds",
            "fields.user_id": "json(event_data).user_id",
            "fields.event_time": "event_timestamp",
            "fields.event_type": "event_type",
            "fields.event_id": "event_id",
            "fields.amount": "json(event_data).transaction_value",
            "events.purchases": ["iap_transaction"],
            "events.sessions": ["login"],
            "attributes.level": {"field": "json(event_data).level", "type": "number"},
        },
    ),
    "snowplow": Export(
        _snowplow,
        by_day("enriched/run=%Y-%m-%d-%H-00-00/part-0.tsv"),
        _write_tabs,
        {
            "logs.path": "enriched/run=%Y-%m-%d-*-*-*",
            "logs.format": "csv",
            "logs.times_without_zone": "UTC",
            "fields.user_id": ["user_id", "domain_userid"],
            "fields.event_time": ["derived_tstamp", "collector_tstamp"],
            "fields.event_type": "event_name",
            "fields.event_id": "event_id",
            "fields.amount": "tr_total",
            "fields.currency": "tr_currency",
            "events.purchases": ["purchase"],
            "events.sessions": ["application_launch"],
            "attributes.country": {"field": "geo_country"},
        },
    ),
    "purchases_of_a_shop": Export(
        _shop,
        by_day("orders-%d.%m.%Y.csv"),
        _write_semicolons,
        {
            "logs.path": "orders-%d.%m.%Y.csv",
            "logs.format": "csv",
            "logs.time_format": "%m/%d/%Y %I:%M:%S %p",
            "fields.user_id": "Customer ID",
            "fields.event_time": "Order Date",
            "fields.event_type": {"constant": "purchase"},
            "fields.amount": {"product": ["Quantity", '"Unit Price (USD)"']},
            "events.purchases": ["purchase"],
        },
    ),
    "json_arrays": Export(
        _mixpanel,
        by_day("dt=%Y-%m-%d/events.json"),
        _write_array,
        {
            "logs.path": "dt=%Y-%m-%d",
            "logs.format": "json",
            "fields.user_id": "properties.distinct_id",
        },
    ),
    "intendo_revenue": Export(
        _intendo_revenue,
        _one_file("sj_all_revenue.csv"),
        write_csv,
        INTENDO
        | INTENDO_PLAYER
        | {
            "fields.event_time": "time",
            "fields.event_type": "item_type",
            "fields.amount": "item_revenue",
            "events.purchases": ["iap"],
            "properties.session_duration": "session_duration",
        },
        has_days=False,
    ),
    "intendo_sessions": Export(
        _intendo_sessions,
        _one_file("sj_all_sessions.csv"),
        write_csv,
        INTENDO
        | {
            "fields.event_time": "session_start",
            "fields.event_type": {"constant": "session"},
            "fields.event_id": "session_id",
            "fields.amount": "rev_iap",
            "events.purchases": ["session"],
            "events.sessions": ["session"],
        },
        has_days=False,
    ),
    "intendo_users_daily": Export(
        _intendo_daily,
        _one_file("sj_users_daily.csv"),
        write_csv,
        INTENDO
        | INTENDO_PLAYER
        | {
            "fields.event_time": "login_date",
            "fields.event_type": {"constant": "session"},
            "fields.amount": "rev_iap_day",
            "events.purchases": ["session"],
            "events.sessions": ["session"],
            "attributes.level": {"field": "level_reached", "type": "number"},
            "properties.playtime_day": "playtime_day",
        },
        has_days=False,
    ),
    "intendo_user_summary": Export(
        _intendo_summary,
        _one_file("sj_user_summary.csv"),
        write_csv,
        INTENDO
        | INTENDO_PLAYER
        | {
            "fields.event_time": "first_login",
            "fields.event_type": {"constant": "session"},
            "events.sessions": ["session"],
            "attributes.device": {"field": "device_name"},
        },
        has_days=False,
    ),
}
