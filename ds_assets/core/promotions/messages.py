"""Changes of offers as messages for a receiver of the studio.

Scope: their content and their ids, which follow from the stored changes alone: a message that is
sent again is the same to the byte. The form is that of Standard Webhooks.
"""

import datetime as dt
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pyarrow as pa

from ds_assets.game import Game

CHANGES_PER_MESSAGE = 100
"""About 20 kB, as Standard Webhooks recommends."""
TYPE = "promotion.changes"
TEST_TYPE = "promotion.test"
"""Of a message without changes, to which a receiver replies and does nothing else."""
_ID_DIGITS = 32


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes:
        id: The same for the same message, so that a receiver can ignore one that it has.
        body: JSON.
    """

    id: str
    body: str


def count_messages(changes: pa.Table, changes_per_message: int) -> int:
    """Count the messages of a day's changes."""
    rows: int = changes.num_rows
    return math.ceil(rows / changes_per_message)


def build_message(
    changes: pa.Table, number: int, changes_per_message: int, day: dt.date, game: Game
) -> Message:
    """Build one of a day's messages. What is missing in a change is not named.

    Args:
        changes: Rows of `PROMOTION_CHANGES` of the day.
        number: Number of the message, from 1.
        changes_per_message: Changes in each message but the last.
        day: The day.
        game: The game.
    """
    rows = changes.slice((number - 1) * changes_per_message, changes_per_message)
    end = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), ZoneInfo(game.time_zone))
    data = {
        "game": game.name,
        "as_of": str(day),
        "message": number,
        "messages": count_messages(changes, changes_per_message),
        "changes": [_named(row) for row in rows.drop_columns(["as_of"]).to_pylist()],
    }
    return _encode(TYPE, end, data)


def build_test_message(at: dt.datetime, game: Game) -> Message:
    """Build a message that says nothing but that messages will come.

    Args:
        at: When it is sent, so that no two have the same id.
        game: The game.
    """
    return _encode(TEST_TYPE, at, {"game": game.name, "changes": []})


def _encode(kind: str, at: dt.datetime, data: Mapping[str, object]) -> Message:
    content = {"type": kind, "timestamp": at.isoformat(), "data": data}
    body = json.dumps(content, ensure_ascii=False, default=str, separators=(",", ":"))
    return Message(f"msg_{hashlib.sha256(body.encode()).hexdigest()[:_ID_DIGITS]}", body)


def _named(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if value is not None}
