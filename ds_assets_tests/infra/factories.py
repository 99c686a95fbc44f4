"""Makes predictions, and caches that share a server and no user."""

import asyncio
import datetime as dt
import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from ds_assets.core import user_offers, user_targets
from ds_assets.core.group_defaults import compute_group_defaults
from ds_assets.core.prediction_json import OPTIONAL, EncodedPrediction
from ds_assets.core.schema import Table
from ds_assets.core.tables import PLAYER_PROMOTIONS, PREDICTIONS
from ds_assets.infra.cache.connection import LoopClient
from ds_assets.infra.cache.format import FIRST_DELIVERY, CachedDays, Deliveries
from ds_assets.infra.cache.prediction_cache import CachePut, PredictionCache

DAYS = [dt.date(2026, 3, day) for day in range(1, 6)]
_VALUES = {
    "text": "some",
    "json": '[{"code":"tenure"}]',
    "integer": 3,
    "real": 0.25,
    "date": DAYS[0],
}
NO_DELIVERIES: Deliveries = {}
_GAMES = itertools.count()


def row(user_id: str, as_of: dt.date = DAYS[0], **values: Any) -> dict[str, Any]:
    """A row of predictions, whatever columns they have."""
    return row_of(PREDICTIONS, user_id=user_id, as_of=as_of, **values)


def row_of(contract: Table, **values: Any) -> dict[str, Any]:
    """A row of a contract, whatever columns it has."""
    defaults = {column.name: _VALUES[column.type] for column in contract.columns}
    return {**defaults, **values}


def target(name: str, **values: Any) -> dict[str, Any]:
    """What is predicted of a user for a target of a game's own."""
    return {"target": name, "probability": 0.25, "reasons": _VALUES["json"], "missing": None,
            "model": "some", "expected_spend": None, "expected_spend_low": None,
            "expected_spend_high": None} | values  # fmt: skip


def table_with_targets(*rows: dict[str, Any]) -> pa.Table:
    """Rows of predictions that also have the column `targets`."""
    schema = PREDICTIONS.arrow_schema.append(user_targets.FIELD)
    return pa.Table.from_pylist(list(rows), schema=schema)


def assignment(user_id: str, as_of: dt.date = DAYS[0], **values: Any) -> dict[str, Any]:
    """A row of the promotions in effect, of a treated user."""
    return {
        "as_of": as_of, "user_id": user_id, "promotion": "bundle", "arm": "treated",
        "offer": "bundle", "assignment_id": f"{user_id}-1", "assigned_on": DAYS[0],
        "until": DAYS[4],
    } | values  # fmt: skip


def control(user_id: str, as_of: dt.date = DAYS[0], **values: Any) -> dict[str, Any]:
    """A row of the promotions in effect: a user that is kept without one."""
    return assignment(user_id, as_of, **{"arm": "control", "offer": None, **values})


def assignments(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=PLAYER_PROMOTIONS.arrow_schema)


def offer(name: str = "bundle", user_id: str = "a", until: dt.date = DAYS[4]) -> dict[str, Any]:
    """What a client learns of the offer of `assignment`."""
    return {"offer": name, "assignment_id": f"{user_id}-1", "until": until}


def table_with_offers(*rows: dict[str, Any]) -> pa.Table:
    """Rows of predictions that also have the column `promotions`."""
    schema = PREDICTIONS.arrow_schema.append(user_offers.FIELD)
    return pa.Table.from_pylist(list(rows), schema=schema)


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=PREDICTIONS.arrow_schema)


def decode_prediction(members: bytes) -> dict[str, Any]:
    """What the JSON members of a prediction say; a column of JSON is the text that it was.

    Of a user with offers, `promotions` are among them.
    """
    text, place = members.decode(), 0
    fields: dict[str, Any] = {}
    for column in PREDICTIONS.columns[1:]:
        name = f'{"," if place else ""}"{column.name}":'
        if column.name in OPTIONAL and not text.startswith(name, place):
            fields[column.name] = None
            continue
        assert text.startswith(name, place), text[place:]
        begin = place + len(name)
        value, place = json.JSONDecoder().raw_decode(text, begin)
        if value is not None and column.type == "date":
            value = dt.date.fromisoformat(value)
        fields[column.name] = text[begin:place] if value and column.type == "json" else value
    offers = text[place:].removeprefix(',"promotions":')
    if offers != "}":
        fields["promotions"] = json.loads(offers[:-1])
    return fields


def put(
    cache: PredictionCache, as_of: dt.date, predictions: pa.Table, delivery: int = FIRST_DELIVERY
) -> CachePut:
    """Write a day's predictions to a cache."""
    return cache.put_batches(as_of, predictions.to_batches(), delivery)


def put_day(
    cache: PredictionCache,
    as_of: dt.date,
    *rows: dict[str, Any],
    delivery: int = FIRST_DELIVERY,
) -> None:
    """Write a whole day to a cache, with its group defaults, as the asset does."""
    put(cache, as_of, table(*rows), delivery)
    cache.put_day(as_of, compute_group_defaults([table(*rows)]), delivery)


@st.composite
def cut(draw: st.DrawFn, rows: pa.Table) -> list[pa.Table]:
    """Rows cut into pieces anywhere, some of them empty."""
    ends = draw(st.lists(st.integers(0, rows.num_rows), max_size=4))
    places = [0, *sorted(ends), rows.num_rows]
    return [rows.slice(start, end - start) for start, end in itertools.pairwise(places)]


def numbered_rows(count: int) -> list[dict[str, Any]]:
    """Rows of users "u0", "u1", … of the first day, each with a cluster of the user's number."""
    return [row(f"u{number}", cluster=number) for number in range(count)]


@contextmanager
def embedded_server(folder: Path) -> Iterator[Path]:
    """Keep one embedded server running in a folder, for all caches that are opened there."""
    with PredictionCache(folder, "nobody's", 1) as keeper:
        keeper.ping()
        yield folder


def get_rows(cache: PredictionCache, user_ids: Sequence[str]) -> list[dict[str, Any] | None]:
    """What a cache has for these users, as the rows that were put in; see `fetch_patiently`."""
    return fetch_patiently(cache, user_ids)[1]


def fetch_patiently(
    cache: PredictionCache, user_ids: Sequence[str]
) -> tuple[CachedDays, list[dict[str, Any] | None]]:
    """Read the days and users' rows from a cache.

    It waits for as long as it takes, as a busy machine is no fault; see `fetch` for one that does
    not.
    """
    connect = cache._connect_loop
    if connect is not None:
        cache._connect_loop = lambda: without_timeouts(connect())
    try:
        return fetch(cache, user_ids)
    finally:
        cache._connect_loop = connect


def without_timeouts(client: LoopClient) -> LoopClient:
    settings = client.connection_pool.connection_kwargs
    settings.update(socket_timeout=None, socket_connect_timeout=None)
    return client


def fetch(
    cache: PredictionCache, user_ids: Sequence[str]
) -> tuple[CachedDays, list[dict[str, Any] | None]]:
    """What a server of predictions reads from a cache: the days, and users' rows."""
    days, values = fetch_values(cache, user_ids)
    pairs = zip(user_ids, values, strict=True)
    return days, [None if value is None else row_in(user_id, value) for user_id, value in pairs]


def fetch_values(
    cache: PredictionCache, user_ids: Sequence[str]
) -> tuple[CachedDays, list[EncodedPrediction | None]]:
    """What a server of predictions reads from a cache: the days, and users' values."""

    async def ask() -> tuple[CachedDays, list[EncodedPrediction | None]]:
        try:
            return await cache.fetch(user_ids)
        finally:
            await cache.close_loop()

    return asyncio.run(ask())


def row_in(user_id: str, value: EncodedPrediction) -> dict[str, Any]:
    """A value of the cache as the row that was put in."""
    fields = {"user_id": user_id, **decode_prediction(value.members)}
    assert fields["as_of"].toordinal() == value.as_of
    return fields


def fresh(location: str | Path) -> PredictionCache:
    return PredictionCache(location, f"game {next(_GAMES)}", days_to_live=7)


def server_process(cache: PredictionCache) -> int:
    client: Any = cache._client
    return int(client.info("server")["process_id"])
