"""The binary format of values in the cache.

Scope: a row of `PREDICTIONS` with its `targets`, and the newest day's group defaults as bytes, and
back. Keys and servers are in `prediction_cache.py`.

A value is a head of fixed size and JSON. The head holds a mark of the format, a checksum that
starts from that of the key, so that a value is bound to its user, and the facts from which an
answer's status follows without parsing the JSON.
"""

import datetime as dt
import hashlib
import struct
from functools import lru_cache

import msgspec
import pyarrow as pa
from isal.isal_zlib import crc32

from ds_assets.core.group_defaults import GroupDefaults, encode_group_defaults
from ds_assets.core.prediction_json import COLUMNS, EncodedPrediction, encode_rows

_VERSION = "2"
_CHECKED = struct.Struct(">2sI")
"""Mark and checksum; the checksum covers all bytes that follow."""
_FACTS = struct.Struct(">II?")
"""Days `as_of` and `last_seen` as `date.toordinal()`, 0 for none; whether it has a probability."""
_HEAD = struct.Struct(">2sIII?")
_BODY, _JSON = _CHECKED.size, _HEAD.size
FORMAT = "\n".join(
    [_VERSION, _HEAD.format, *(f"{column.name} {column.type}" for column in COLUMNS)]
)
"""Part of every key and of the mark: a value of another format is a miss."""
_MARK = hashlib.sha256(FORMAT.encode()).digest()[:2]


class _StoredDefaults(msgspec.Struct):
    """JSON of the newest day's value."""

    models: dict[str, str]
    defaults: dict[str, msgspec.Raw]


def day_encoded(check: int, as_of: dt.date, defaults: pa.RecordBatch) -> bytes:
    """Encode the value of the newest day.

    Args:
        check: Checksum of its key.
        as_of: The day.
        defaults: Its group defaults, as `compute_group_defaults` returns them.
    """
    encoded_day = encode_group_defaults(as_of, defaults)
    raw = {group: msgspec.Raw(b"{" + text) for group, text in encoded_day.members.items()}
    content = msgspec.json.encode(_StoredDefaults(encoded_day.models, raw))
    return _pack(check, EncodedPrediction(encoded_day.as_of, 0, False, content))


@lru_cache(maxsize=4)  # every request reads it, and it changes once a day
def day_decoded(check: int, value: bytes | None) -> GroupDefaults | None:
    """Decode the value of the newest day; None if it is missing, damaged or not of this key."""
    encoded = decoded(check, value)
    if encoded is None:
        return None
    stored = msgspec.json.decode(encoded.members, type=_StoredDefaults)
    members = {group: bytes(text)[1:] for group, text in stored.defaults.items()}
    return GroupDefaults(encoded.as_of, stored.models, members)


def encoded(checks: list[int], rows: pa.RecordBatch) -> list[bytes]:
    """Encode rows of `PREDICTIONS`, which may have the column `targets`.

    Args:
        checks: Checksum of each row's key.
        rows: The rows.
    """
    return list(map(_pack, checks, encode_rows(rows)))


def decoded(check: int, value: bytes | None) -> EncodedPrediction | None:
    """Decode a value; None if it is missing, damaged, of another format or not of this key.

    Args:
        check: Checksum of the user's key.
        value: What the cache has for that key.
    """
    if value is None or len(value) <= _JSON:
        return None
    mark, checksum, as_of, last_seen, has_probability = _HEAD.unpack_from(value)
    if mark != _MARK or checksum != crc32(value[_BODY:], check):
        return None
    return EncodedPrediction(as_of, last_seen, has_probability, value[_JSON:])


def _pack(check: int, prediction: EncodedPrediction) -> bytes:
    facts = _FACTS.pack(prediction.as_of, prediction.last_seen, prediction.has_probability)
    checksum = crc32(prediction.members, crc32(facts, check))
    return b"%b%b%b" % (_CHECKED.pack(_MARK, checksum), facts, prediction.members)
