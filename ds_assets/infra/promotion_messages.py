"""Sending the changes of offers to a receiver: each day once and in order, across runs.

Scope: which message is next. What it says is in `core.promotions.messages`, how one message gets
there in `webhook`.

The position is stored in the lake after each message that the receiver has acknowledged. A run that
is killed in between sends at most one message again, with the same id.
"""

import datetime as dt
from collections.abc import Iterator

import pyarrow as pa
from pydantic import ConfigDict

from ds_assets.core.promotions.changes import find_changes_of_all
from ds_assets.core.promotions.messages import CHANGES_PER_MESSAGE, build_message, count_messages
from ds_assets.core.stored_documents import StoredDocument, read_document
from ds_assets.core.tables import PROMOTION_CHANGES, PROMOTION_OFFERS
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import first_kept_days
from ds_assets.infra.lake.tables import read_rows, stored_days
from ds_assets.infra.webhook import Webhook

FOLDER = "promotion_messages"


class Position(StoredDocument):
    """How far a receiver has acknowledged messages.

    Attributes:
        day: The last day of which messages were sent.
        is_first: Whether it is the first one, on which a receiver hears of all offers in effect.
        changes_per_message: Changes in each of its messages.
        acknowledged: Messages of that day that were acknowledged.
        messages: All messages of that day.
    """

    model_config = ConfigDict(frozen=True)

    day: dt.date
    is_first: bool
    changes_per_message: int
    acknowledged: int
    messages: int


def send_changes(lake: Lake, webhook: Webhook, game: Game) -> dict[dt.date, int]:
    """Send what was not acknowledged yet of all stored days, in their order.

    A receiver hears first of all offers that are in effect on the newest day, and then of changes.

    Returns:
        The number of messages that were acknowledged, for each day that had any.

    Raises:
        WebhookRefused: The receiver refuses a message.
        WebhookUnavailable: The receiver cannot accept one now.
    """
    sent: dict[dt.date, int] = {}
    for position in _positions(lake, webhook):
        rows = _changes(position, lake)
        for number in range(position.acknowledged + 1, position.messages + 1):
            size, day = position.changes_per_message, position.day
            webhook.send(build_message(rows, number, size, day, game))
            _store(position.model_copy(update={"acknowledged": number}), lake, webhook)
            sent[day] = sent.get(day, 0) + 1
    return sent


def _positions(lake: Lake, webhook: Webhook) -> Iterator[Position]:
    """The day that messages were sent of last, and all later ones; the newest if there is none."""
    stored = [*stored_days(PROMOTION_CHANGES.name, lake)]
    last = _read(lake, webhook)
    if last is not None and last.acknowledged < last.messages:
        yield last
    for day in stored[-1:] if last is None else [day for day in stored if day > last.day]:
        begun = Position(
            day=day,
            is_first=last is None,
            changes_per_message=CHANGES_PER_MESSAGE,
            acknowledged=0,
            messages=0,
        )
        messages = count_messages(_changes(begun, lake), CHANGES_PER_MESSAGE)
        position = begun.model_copy(update={"messages": messages})
        _store(position, lake, webhook)  # before the first message: the next run begins here
        yield position


def _changes(position: Position, lake: Lake) -> pa.Table:
    changes = read_rows(PROMOTION_CHANGES, position.day, lake)
    if not position.is_first:
        return changes
    return find_changes_of_all(changes, read_rows(PROMOTION_OFFERS, position.day, lake))


def _file(webhook: Webhook) -> str:
    return f"{FOLDER}/{webhook.receiver}.json"


def _read(lake: Lake, webhook: Webhook) -> Position | None:
    """The position of a receiver; none if it is new, or if the retention has removed its day."""
    file = _file(webhook)
    if not lake.exists(file):
        return None
    position = read_document(Position, lake.read(file), file)
    is_kept = position.day >= first_kept_days(lake).get("tables", position.day)
    return position if is_kept else None


def _store(position: Position, lake: Lake, webhook: Webhook) -> None:
    lake.write(_file(webhook), position.model_dump_json().encode())
