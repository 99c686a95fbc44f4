"""Further logs as game studios write them, and what their game files must say.

An engine's nested JSON with abbreviated names, Portuguese CSV, and a dump of Kafka Connect. All
games, users and values are invented.
"""

from collections.abc import Mapping
from functools import partial

from ds_assets_tests.exports import Event, Export, Line, by_day, write_csv, write_json


def _abbreviated(event: Event) -> Line:
    """Nested JSON with abbreviated names in camel case."""
    names = {"start": "sesStrt", "level": "stgClr", "buy": "iapCmpl"}
    line: Line = {
        "v": 3,
        "bndl": "com.example.run",
        "evtNm": names[event.kind],
        "evtTs": event.seconds * 1_000 + 123,
        "srvTs": event.seconds * 1_000 + 90_123,
        "plyr": {
            "plyrId": f"{7_000_000 + event.user * 13}",
            "ctry": event.country,
            "lvl": event.level,
            "plat": "Android" if event.user % 3 else "iOS",
        },
        "seq": event.number % 5,
    }
    if event.kind == "level":
        line["prm"] = {"stgNo": event.level * 2, "durSec": 40 + event.level}
    if event.kind == "buy":
        line["prm"] = {"sku": "pack_2", "prc": event.price, "cur": "EUR"}
    return line


def _abbreviated_path(event: Event) -> str:
    midnight = event.seconds - event.seconds % 86_400
    return f"prod/evt_{midnight * 1_000 + 417}.json.gz"


def _portuguese(event: Event) -> Line:
    """Portuguese names, semicolons, and prices in hundredths."""
    names = {"start": "sessao_iniciada", "level": "fase_concluida", "buy": "compra_aprovada"}
    return {
        "id_evento": 500_000 + event.number,
        "id_jogador": f"BR{event.user:06}",
        "data_hora": f"{event.time:%d/%m/%Y %H:%M:%S}",
        "evento": names[event.kind],
        "nivel": event.level,
        "pais": event.country,
        "plataforma": "android" if event.user % 2 else "ios",
        "valor_centavos": round(event.price * 100) if event.kind == "buy" else "",
    }


def _kafka(event: Event) -> Line:
    """Records of a topic: an event within an envelope, whose time is that of the broker."""
    names = {"start": "session.started", "level": "level.finished", "buy": "purchase.completed"}
    payload: Line = {"level": event.level}
    if event.kind == "buy":
        micros = round(event.price * 1e6)
        payload = {"price_amount_micros": micros, "price_currency_code": "USD", "sku": "a.b"}
    return {
        "topic": "game-events",
        "partition": event.user % 3,
        "offset": event.number,
        "timestamp": event.seconds * 1_000 + 5_000,
        "key": f"acc-{event.user}",
        "value": {
            "meta": {"event_id": f"{event.number:032x}", "emitted_at": event.iso, "schema": 2},
            "kind": names[event.kind],
            "account": {"id": f"acc-{event.user}", "country": event.country},
            "payload": payload,
        },
    }


MORE_STUDIOS: Mapping[str, Export] = {
    "abbreviated": Export(
        _abbreviated,
        _abbreviated_path,
        write_json,
        {
            "logs.path": "prod/evt_%s.json.gz",
            "logs.format": "jsonl",
            "logs.time_format": "epoch_milliseconds",
            "fields.user_id": "plyr.plyrId",
            "fields.event_time": "evtTs",
            "fields.event_type": "evtNm",
            "fields.event_id": None,
            "fields.amount": "prm.prc",
            "fields.currency": "prm.cur",
            "currencies": {"EUR": 1},
            "events.purchases": ["iapCmpl"],
            "events.sessions": ["sesStrt"],
            "attributes.country": {"field": "plyr.ctry"},
            "attributes.platform": {"field": "plyr.plat"},
            "attributes.level": {"field": "plyr.lvl", "type": "number"},
        },
    ),
    "portuguese": Export(
        _portuguese,
        by_day("exportacao/eventos_%d-%m-%Y.csv"),
        partial(write_csv, delimiter=";"),
        {
            "logs.path": "exportacao/eventos_%d-%m-%Y.csv",
            "logs.format": "csv",
            "logs.csv": {"delimiter": ";"},
            "logs.time_format": "%d/%m/%Y %H:%M:%S",
            "fields.user_id": "id_jogador",
            "fields.event_time": "data_hora",
            "fields.event_type": "evento",
            "fields.event_id": "id_evento",
            "fields.amount": {"field": "valor_centavos", "divided_by": 100},
            "events.purchases": ["compra_aprovada"],
            "events.sessions": ["sessao_iniciada"],
            "attributes.country": {"field": "pais"},
            "attributes.platform": {"field": "plataforma"},
            "attributes.level": {"field": "nivel", "type": "number"},
        },
    ),
    "kafka_connect": Export(
        _kafka,
        by_day("topics/game-events/year=%Y/month=%m/day=%d/hour=%H/game-events+0+0000012.json"),
        write_json,
        {
            "logs.path": "topics/game-events/year=%Y/month=%m/day=%d",
            "logs.format": "jsonl",
            "logs.time_format": None,
            "fields.user_id": "value.account.id",
            "fields.event_time": "value.meta.emitted_at",
            "fields.event_type": "value.kind",
            "fields.event_id": "value.meta.event_id",
            "fields.amount": {"field": "value.payload.price_amount_micros", "divided_by": 1000000},
            "fields.currency": "value.payload.price_currency_code",
            "currencies": {"USD": 1},
            "events.purchases": ["purchase.completed"],
            "events.sessions": ["session.started"],
            "attributes.country": {"field": "value.account.country"},
            "attributes.level": {"field": "value.payload.level", "type": "number"},
        },
    ),
}
