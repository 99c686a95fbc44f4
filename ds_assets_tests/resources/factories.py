"""Makes predictions, and caches that share a server and no user."""

import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import pyarrow as pa

from ds_assets.core.tables import PREDICTIONS, Table
from ds_assets.resources.cache import PredictionCache

DAYS = [dt.date(2026, 3, day) for day in range(1, 6)]
_VALUES = {"text": "some", "integer": 3, "real": 0.25, "date": DAYS[0]}
_GAMES = itertools.count()


def row(user_id: str, as_of: dt.date = DAYS[0], **values: Any) -> dict[str, Any]:
    """A row of predictions, whatever columns they have."""
    return row_of(PREDICTIONS, user_id=user_id, as_of=as_of, **values)


def row_of(contract: Table, **values: Any) -> dict[str, Any]:
    """A row of a contract, whatever columns it has."""
    defaults = {column.name: _VALUES[column.type] for column in contract.columns}
    return {**defaults, **values}


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=PREDICTIONS.arrow_schema)


def fresh(location: str | Path) -> PredictionCache:
    return PredictionCache(location, f"game {next(_GAMES)}", days_to_live=7)


def server_process(cache: PredictionCache) -> int:
    client: Any = cache._client
    return int(client.info("server")["process_id"])
