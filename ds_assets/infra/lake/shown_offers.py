"""Reports of clients that an offer was shown, in the lake by the day on which they arrived.

Each report is stored before it is acknowledged, in an object that is never changed. A report may
come twice, after a reply that was lost: whoever reads them counts an assignment once.

Scope: storing and reading them. What they mean for a promotion is in `core.promotions.shown`.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import msgspec
from msgspec import Meta

from ds_assets.core.user_ids import normalize_user_id
from ds_assets.infra.lake.base import Lake, day_folder
from ds_assets.infra.results.schema import KEY_LENGTH
from ds_assets.infra.transfer import map_ahead

SHOWN_OFFERS = "shown_offers"
MAX_ASSIGNMENT_ID_LENGTH = 64
_READS_AT_ONCE = 8
"""Objects that are read at the same time: each is a second of reports, and a wait for the lake."""

_encode_lines = msgspec.json.Encoder().encode_lines


class ShownOffer(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An offer that was shown to a user."""

    user_id: Annotated[
        str,
        Meta(min_length=1, max_length=KEY_LENGTH, description="The user id as in the game's logs."),
    ]
    assignment_id: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_ASSIGNMENT_ID_LENGTH,
            description="As in the field `promotions` of the answer that had the offer.",
        ),
    ]
    shown_at: Annotated[
        dt.datetime, Meta(tz=True, description="When it was shown, with an offset from UTC.")
    ]


def store_shown_offers(offers: Sequence[ShownOffer], day: dt.date, lake: Lake) -> None:
    """Store reports that arrived on a day. They are safe when this returns.

    Raises:
        LakeUnavailable: they are not stored.
    """
    name = f"{day_folder(SHOWN_OFFERS, day)}/{uuid.uuid4().hex}.jsonl"
    lake.write(name, _encode_lines(offers))


def read_shown_offers(day: dt.date, lake: Lake) -> list[ShownOffer]:
    """Read the reports that arrived on a day, with user ids as tables have them."""
    names = [item.name for item in lake.objects(day_folder(SHOWN_OFFERS, day))]
    decode = msgspec.json.Decoder(ShownOffer).decode_lines
    # Local copies of so many small objects would cost more than they are worth.
    with ThreadPoolExecutor(_READS_AT_ONCE) as executor:
        return [
            msgspec.structs.replace(offer, user_id=normalize_user_id(offer.user_id))
            for content in map_ahead(lake.read, names, executor, _READS_AT_ONCE)
            for offer in decode(content)
        ]
