"""The binary format of values in the cache.

Scope: a row of `PREDICTIONS` with its `targets` and `promotions`, and what every request reads of
the days, as bytes, and back. Keys and servers are in `prediction_cache.py`.

A value is a head of fixed size and compressed JSON. The head holds a mark of the format, a checksum
that starts from that of the key, so that a value is bound to its user, and the facts from which an
answer's status follows without parsing the JSON. Among them is the delivery that wrote the value: a
value of a delivery that was replaced or withdrawn is a miss.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from types import MappingProxyType

import msgspec
import pyarrow as pa
from isal.isal_zlib import crc32

from ds_assets.core.group_defaults import GroupDefaults
from ds_assets.core.prediction_json import COLUMNS, EncodedPrediction, encode_rows
from ds_assets.infra.cache.compression import DICTIONARY_ID, decompress, open_compressor

_VERSION = "6"
_CHECKED = struct.Struct(">2sI")
"""Mark and checksum; the checksum covers all bytes that follow."""
_FACTS = struct.Struct(">IIIB")
"""Days `as_of` and `last_seen` as `date.toordinal()`, 0 for none; the delivery; flags."""
_HAS_ANY, _IS_EARLY, _HAS_OFFERS = 1, 2, 4
"""Flags: whether it has a probability, whether that is an early one, and whether it has offers."""
_FLAGS = [
    tuple(bool(flags & it) for it in (_HAS_ANY, _IS_EARLY, _HAS_OFFERS)) for flags in range(8)
]
"""The same three for each value of the byte: every answer reads it."""
_HEAD = struct.Struct(">2sIIIIB")
_BODY, _JSON = _CHECKED.size, _HEAD.size
_COLUMNS = (f"{column.name} {column.type}" for column in COLUMNS)
FORMAT = "\n".join([_VERSION, _HEAD.format, DICTIONARY_ID, *_COLUMNS])
"""Part of every key and of the mark: a value of another format is a miss."""
_MARK = hashlib.sha256(FORMAT.encode()).digest()[:2]


WITHDRAWN, UNKNOWN = 0, 1
"""Stand for the delivery of a day that was withdrawn, and of a value of which it is not known."""
FIRST_DELIVERY = 2
"""Deliveries have this number or a higher one, of 32 bits."""
Deliveries = Mapping[int, int]
"""The delivery of each day that counts, by `date.toordinal()`."""
_ANY: Deliveries = MappingProxyType({})


class CachedDays(msgspec.Struct, frozen=True):
    """What the cache knows of days, which every request reads.

    Attributes:
        newest: The group defaults of the newest complete day; without a day if there is none.
        deliveries: The delivery of each complete day, or `WITHDRAWN`. Values of a day that is not
            complete yet count whatever their delivery is.
    """

    newest: GroupDefaults = GroupDefaults()
    deliveries: dict[int, int] = {}

    def with_day(self, day: GroupDefaults, delivery: int, oldest: int) -> "CachedDays":
        """Add a complete day, or replace it, and forget days before the oldest."""
        newest = day if day.as_of >= self.newest.as_of else self.newest
        added = self.deliveries | {day.as_of: delivery}
        return CachedDays(newest, {day: it for day, it in added.items() if day >= oldest})

    def without(self, withdrawn: Iterable[int]) -> "CachedDays":
        """Withdraw days. If the newest is one of them, another one is, and has no defaults yet."""
        deliveries = self.deliveries | dict.fromkeys(withdrawn, WITHDRAWN)
        if deliveries.get(self.newest.as_of) != WITHDRAWN:
            return CachedDays(self.newest, deliveries)
        complete = (day for day, delivery in deliveries.items() if delivery != WITHDRAWN)
        return CachedDays(GroupDefaults(max(complete, default=0)), deliveries)


class _StoredDays(msgspec.Struct):
    """JSON of the value of days."""

    models: dict[str, str]
    defaults: dict[str, msgspec.Raw]
    deliveries: dict[int, int]


def days_encoded(check: int, days: CachedDays) -> bytes:
    """Encode what is known of days; the check is the checksum of the key."""
    newest = days.newest
    raw = {group: msgspec.Raw(b"{" + text) for group, text in newest.members.items()}
    content = msgspec.json.encode(_StoredDays(newest.models, raw, days.deliveries))
    prediction = EncodedPrediction(newest.as_of, 0, False, False, content)
    return _pack(open_compressor(), check, prediction, UNKNOWN)


@lru_cache(maxsize=4)  # every request reads it, and it changes once a day
def days_decoded(check: int, value: bytes | None) -> CachedDays:
    """Decode what is known of days: nothing if it is missing, damaged or not of this key."""
    encoded = decoded(check, value)
    if encoded is None:
        return CachedDays()
    stored = msgspec.json.decode(encoded.members, type=_StoredDays)
    members = {group: bytes(text)[1:] for group, text in stored.defaults.items()}
    return CachedDays(GroupDefaults(encoded.as_of, stored.models, members), stored.deliveries)


def encoded(checks: list[int], rows: pa.RecordBatch, deliveries: Deliveries) -> list[bytes]:
    """Encode rows of `PREDICTIONS`, which may have the columns `targets` and `promotions`.

    Args:
        checks: Checksum of each row's key.
        rows: The rows.
        deliveries: The delivery of each day of the rows that is known.
    """
    predictions = encode_rows(rows)
    numbers = [deliveries.get(prediction.as_of, UNKNOWN) for prediction in predictions]
    return list(map(partial(_pack, open_compressor()), checks, predictions, numbers))


def decoded(
    check: int, value: bytes | None, deliveries: Deliveries = _ANY
) -> EncodedPrediction | None:
    """Decode a value; None if it is missing, damaged, of another format or not of this key.

    It is also None if it is of a delivery that no longer counts.

    Args:
        check: Checksum of the user's key.
        value: What the cache has for that key.
        deliveries: The deliveries that count.
    """
    if value is None or len(value) <= _JSON:
        return None
    mark, checksum, as_of, last_seen, delivery, flags = _HEAD.unpack_from(value)
    if mark != _MARK or checksum != crc32(value[_BODY:], check):
        return None
    if deliveries.get(as_of, delivery) != delivery:
        return None
    has_any, is_early, has_offers = _FLAGS[flags]
    members = decompress(value[_JSON:])
    return EncodedPrediction(as_of, last_seen, has_any, is_early, members, has_offers)


def _pack(
    compress: Callable[[bytes], bytes], check: int, prediction: EncodedPrediction, delivery: int
) -> bytes:
    flags = (
        _HAS_ANY * prediction.has_probability
        + _IS_EARLY * prediction.is_early
        + _HAS_OFFERS * prediction.has_offers
    )
    facts = _FACTS.pack(prediction.as_of, prediction.last_seen, delivery, flags)
    content = compress(prediction.members)
    checksum = crc32(content, crc32(facts, check))
    return b"%b%b%b" % (_CHECKED.pack(_MARK, checksum), facts, content)
