"""The prediction cache: the newest prediction of each user in Redis, for the hot path.

Belongs here: keys, the format of a value, and how values get in and out. Does not belong here: how
a server is reached (`cache_connection.py`) or started (`embedded_server.py`), where predictions
come from, Dagster, and what to answer when the cache has nothing.

The cache may lose everything at any time: that makes answers slower, never wrong.
"""

import datetime as dt
import hashlib
import math
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisError

from ds_assets.core.checksum import predictions_of
from ds_assets.core.tables import PREDICTIONS, ColumnType
from ds_assets.resources.cache_connection import CacheUnavailable, open_client
from ds_assets.resources.embedded_server import EmbeddedServer

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Answer = TypeVar("Answer")

_USERS_A_BATCH = 1_000


@dataclass(frozen=True)
class CachePut:
    """What became of predictions that were put into the cache.

    Attributes:
        written: Users whose value was written.
        kept_newer: Users who kept what they had, because it is of a newer day.
    """

    written: int
    kept_newer: int


class PredictionCache:
    """Predictions by user, each kept until it expires or one of a newer or the same day comes.

    It may be shared by threads; nothing is connected, or started, before it is needed.

    Args:
        location: Redis URL, or the folder of an embedded server. All processes that name one
            folder share one server: it is started by the first that needs it, again if it was
            killed, and stopped by the last that leaves. It keeps its values in that folder and
            listens on a Unix socket only.
        game: Name of the game; games that share a server do not see each other's users.
        days_to_live: Days after which a value expires, up to a tenth earlier, so that what was
            put at once does not expire at once.

    Raises:
        InputError: the URL is not one.
    """

    def __init__(self, location: str | Path, game: str, days_to_live: int) -> None:
        self._server = EmbeddedServer(location) if isinstance(location, Path) else None
        self._client = self._server.client if self._server else open_client(str(location))
        self._where = (
            f"in {location} (a server named by DS_ASSETS_CACHE_URL can stand in)"
            if isinstance(location, Path)
            else f"at {_without_credentials(location)} (DS_ASSETS_CACHE_URL)"
        )
        self._put_batch = self._client.register_script(_PUT_UNLESS_NEWER)
        self._prefix = f"ds:{_digest(game, _FORMAT)[:8]}:"
        self._seconds_to_live = days_to_live * 86_400

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection, and leave the embedded server. A later use opens them again."""
        if self._server:
            self._server.leave()
        self._client.close()

    def ping(self) -> None:
        """Do nothing but see that the cache answers.

        Raises:
            CacheUnavailable: it does not.
        """
        self._ask(self._client.ping)

    def put(self, as_of: dt.date, predictions: "pa.Table | pd.DataFrame") -> CachePut:
        """Put one day's predictions in, in batches; each user's value is replaced as a whole.

        Args:
            as_of: The day.
            predictions: A row a user, the columns of `PREDICTIONS`, every `as_of` this day.

        Raises:
            ValueError: the rows break the column contract, or are of another day.
            CacheUnavailable: the cache cannot be used; a part may have been put.
        """
        table = predictions_of(as_of, predictions)
        return self._put(batch.to_pydict() for batch in table.to_batches(_USERS_A_BATCH))

    def put_records(self, records: Sequence[Mapping[str, Any]]) -> CachePut:
        """Put single predictions in, of one or several days.

        Args:
            records: Values by the names of `PREDICTIONS`' columns.

        Raises:
            CacheUnavailable: the cache cannot be used; a part may have been put.
        """
        return self._put(
            {name: [record[name] for record in batch] for name in PREDICTIONS.names}
            for batch in _batches(records)
        )

    def get_many(self, user_ids: Sequence[str]) -> list[dict[str, Any] | None]:
        """Values of these users by the names of `PREDICTIONS`' columns, in their order.

        None stands for a user who has none, and for a value that has expired, is damaged, or was
        written in another format. One request asks for all.

        Raises:
            CacheUnavailable: the cache cannot be used.
        """
        if not user_ids:
            return []
        keys = [self._key(user_id) for user_id in user_ids]
        values: list[Any] = self._ask(partial(self._client.mget, keys))
        return [
            _decoded(user_id, key, value)
            for user_id, key, value in zip(user_ids, keys, values, strict=True)
        ]

    def _key(self, user_id: str) -> bytes:
        return f"{self._prefix}{user_id}".encode()

    def _put(self, batches: Iterable[dict[str, list[Any]]]) -> CachePut:
        written = kept = 0
        for columns in batches:
            keys = [self._key(user_id) for user_id in columns["user_id"]]
            arguments: list[bytes | int] = []
            for key, value in zip(keys, _encoded(keys, columns), strict=True):
                arguments += (value, self._time_to_live(key))
            newer = self._ask(partial(self._put_batch, keys, arguments))
            written += len(keys) - newer
            kept += newer
        return CachePut(written, kept)

    def _time_to_live(self, key: bytes) -> int:
        return self._seconds_to_live - zlib.crc32(key) % (self._seconds_to_live // 10)

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        try:
            return self._ask_embedded(question, self._server) if self._server else question()
        except (RedisError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise CacheUnavailable(f"the cache {self._where} cannot be used: {reason}") from error

    def _ask_embedded(self, question: Callable[[], Answer], server: EmbeddedServer) -> Answer:
        server.join()
        try:
            return question()
        except NoConnection:  # somebody has killed it
            server.start()
            return question()


# What a value looks like: mark of the format, checksum, as-of day, numbers, lengths of the texts;
# then the texts. A value is bound to its key, and so to the format, the game and the user.
_MISSING_INTEGER = -(2**63)
_MISSING_TEXT = 2**16 - 1
_HEAD = struct.Struct(">2sI")


def _names(*types: ColumnType) -> list[str]:
    columns = (column for column in PREDICTIONS.columns if column.name not in PREDICTIONS.key)
    return [column.name for column in columns if column.type in types]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


_INTEGERS, _REALS, _TEXTS = _names("integer"), _names("real"), _names("text")
_BODY = struct.Struct(f">I{len(_INTEGERS)}q{len(_REALS)}d{len(_TEXTS)}H")
_FORMAT = _digest(
    _HEAD.format, _BODY.format, *(f"{column.name} {column.type}" for column in PREDICTIONS.columns)
)
_MARK = bytes.fromhex(_FORMAT[:4])

# One call for a batch: a user's value is compared and replaced with nobody in between. The day
# stands in bytes 7 to 10; compared as numbers, because Lua compares text by the locale.
_PUT_UNLESS_NEWER = """
local function day(value, mark)
  if type(value) ~= 'string' or #value < 10 or string.sub(value, 1, 2) ~= mark then return 0 end
  local a, b, c, d = string.byte(value, 7, 10)
  return ((a * 256 + b) * 256 + c) * 256 + d
end
local kept = 0
for i, key in ipairs(KEYS) do
  local new = ARGV[2 * i - 1]
  local mark = string.sub(new, 1, 2)
  if day(redis.pcall('GETRANGE', key, 0, 9), mark) > day(new, mark) then
    kept = kept + 1
  else
    redis.call('SET', key, new, 'EX', ARGV[2 * i])
  end
end
return kept
"""


def _encoded(keys: list[bytes], columns: dict[str, list[Any]]) -> Iterator[bytes]:
    texts = [_encoded_texts(columns[name]) for name in _TEXTS]
    numbers = zip(
        [day.toordinal() for day in columns["as_of"]],
        *(_filled(columns[name], _MISSING_INTEGER) for name in _INTEGERS),
        *(_filled(columns[name], math.nan) for name in _REALS),
        *([_MISSING_TEXT if text is None else len(text) for text in column] for column in texts),
        strict=True,
    )
    for key, row, *row_texts in zip(keys, numbers, *texts, strict=True):
        body = _BODY.pack(*row) + b"".join(text for text in row_texts if text)
        yield _HEAD.pack(_MARK, zlib.crc32(body, zlib.crc32(key))) + body


def _filled(column: list[Any], filler: float) -> list[Any]:
    return [filler if value is None else value for value in column]


def _encoded_texts(column: list[str | None]) -> list[bytes | None]:
    known = {text: None if text is None else text.encode() for text in set(column)}
    longest = max((len(text) for text in known.values() if text), default=0)
    if longest >= _MISSING_TEXT:
        raise ValueError(f"a text has {longest} bytes; the cache takes {_MISSING_TEXT - 1}")
    return [known[text] for text in column]


def _decoded(user_id: str, key: bytes, value: bytes | None) -> dict[str, Any] | None:
    if value is None or len(value) < _HEAD.size + _BODY.size:
        return None
    mark, check = _HEAD.unpack_from(value)
    body = value[_HEAD.size :]
    if mark != _MARK or check != zlib.crc32(body, zlib.crc32(key)):
        return None
    day, *fields = _BODY.unpack_from(body)
    integers = fields[: len(_INTEGERS)]
    reals = fields[len(_INTEGERS) : -len(_TEXTS)]
    record = {"user_id": user_id, "as_of": dt.date.fromordinal(day)}
    record |= zip(_INTEGERS, (None if x == _MISSING_INTEGER else x for x in integers), strict=True)
    record |= zip(_REALS, (None if math.isnan(x) else x for x in reals), strict=True)
    record |= zip(_TEXTS, _decoded_texts(body, fields[-len(_TEXTS) :]), strict=True)
    return record


def _decoded_texts(body: bytes, lengths: list[int]) -> Iterator[str | None]:
    start = _BODY.size
    for length in lengths:
        if length == _MISSING_TEXT:
            yield None
        else:
            yield body[start : start + length].decode()
            start += length


def _batches(records: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    for start in range(0, len(records), _USERS_A_BATCH):
        yield records[start : start + _USERS_A_BATCH]


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
