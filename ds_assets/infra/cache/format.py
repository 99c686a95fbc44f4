"""What a value in the cache looks like.

Belongs here: a row of `PREDICTIONS` as bytes, and back. Does not belong here: keys, and any server.

A value is the mark of the format, a checksum, the as-of day, and the prediction as JSON. Its
checksum begins with that of its key, so that a value is bound to its user.
"""

import datetime as dt
import hashlib
import json
import struct
from dataclasses import dataclass
from functools import lru_cache

import msgspec
import pyarrow as pa
from isal.isal_zlib import crc32

from ds_assets.core.prediction_json import COLUMNS, members

_HEAD = struct.Struct(">2sI")
_DAY = struct.Struct(">I")
_HEAD_AND_DAY = struct.Struct(">2sII")
_BODY, _JSON = _HEAD.size, _HEAD.size + _DAY.size
_DAYS_BEFORE_1970 = dt.date(1970, 1, 1).toordinal()
FORMAT = "\n".join([_HEAD.format, _DAY.format, *(f"{one.name} {one.type}" for one in COLUMNS)])
"""Values of another format are not read: it is part of every key."""
_MARK = hashlib.sha256(FORMAT.encode()).digest()[:2]


class CachedPrediction(msgspec.Struct, frozen=True, gc=False):
    """A value of the cache.

    Attributes:
        as_of: Its day, as days since 0001-01-01, the first of which is 1.
        members: The prediction, see `prediction_json`.
    """

    as_of: int
    members: bytes


@dataclass(frozen=True, slots=True)
class DayRecord:
    """What the cache says of its newest day.

    Attributes:
        as_of: The day, as days since 0001-01-01, the first of which is 1.
        defaults: What to say of users of whom nothing is known, by group; an empty text is
            everybody.
    """

    as_of: int
    defaults: dict[str, bytes]


def day_encoded(check: int, as_of: dt.date, defaults: pa.RecordBatch) -> bytes:
    """Value of a day.

    Args:
        check: Checksum of its key.
        as_of: The day.
        defaults: What `defaults_of` returned.
    """
    told = {group: one.decode() for group, one in defaults_told(defaults).items()}
    body = _DAY.pack(as_of.toordinal()) + json.dumps(told).encode()
    return _HEAD.pack(_MARK, crc32(body, check)) + body


def defaults_told(defaults: pa.RecordBatch) -> dict[str, bytes]:
    """Defaults as they are told, by group; an empty text is everybody."""
    groups = [group or "" for group in defaults["user_group"].to_pylist()]
    return dict(zip(groups, members(defaults), strict=True))


@lru_cache(maxsize=4)  # each request reads it, and it changes once a day
def day_decoded(check: int, value: bytes | None) -> DayRecord | None:
    """What the value of a day says; None where it is missing, damaged, or not of this key."""
    found = decoded(check, value)
    if found is None:
        return None
    told = json.loads(found.members)
    return DayRecord(found.as_of, {group: one.encode() for group, one in told.items()})


def encoded(checks: list[int], rows: pa.RecordBatch) -> list[bytes]:
    """Values of rows of `PREDICTIONS`.

    Args:
        checks: Checksum of each row's key, with which that of its value begins.
        rows: The rows.
    """
    days = (rows["as_of"].cast(pa.int32()).to_numpy() + _DAYS_BEFORE_1970).tolist()
    bodies = (_DAY.pack(day) + told for day, told in zip(days, members(rows), strict=True))
    return [
        _HEAD.pack(_MARK, crc32(body, check)) + body
        for check, body in zip(checks, bodies, strict=True)
    ]


def decoded(check: int, value: bytes | None) -> CachedPrediction | None:
    """What a value says; None where it is missing, damaged, or not of this key.

    Args:
        check: Checksum of the user's key.
        value: What the cache has for that key.
    """
    if value is None or len(value) <= _JSON:
        return None
    mark, found, day = _HEAD_AND_DAY.unpack_from(value)
    if mark != _MARK or found != crc32(value[_BODY:], check):
        return None
    return CachedPrediction(day, value[_JSON:])
