"""The prediction cache: the newest prediction of each user in Redis, for the hot path.

Scope: keys, and writing and reading values. The format of a value is in `format.py`, connecting to
a server in `connection.py`, and starting one in `embedded_server.py`.

The cache may lose its content at any time: answers then become slower, never wrong.
"""

import asyncio
import base64
import datetime as dt
import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar, cast

import pyarrow as pa
from isal.isal_zlib import crc32
from redis.cluster import RedisCluster
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisClusterException, RedisError

from ds_assets.core.contracts import rows_of_day
from ds_assets.core.group_defaults import GroupDefaults
from ds_assets.core.prediction_json import EncodedPrediction
from ds_assets.core.tables import PREDICTIONS
from ds_assets.core.user_targets import FIELD, TARGETS
from ds_assets.infra.cache.connection import (
    CacheUnavailable,
    Client,
    LoopClient,
    close_loop_client,
    open_loop_socket,
    read_address,
)
from ds_assets.infra.cache.embedded_server import EmbeddedServer
from ds_assets.infra.cache.format import (
    FORMAT,
    day_decoded,
    day_encoded,
    decoded,
    encoded,
)
from ds_assets.infra.cache.redis_cluster import Command, ask_cluster

Answer = TypeVar("Answer")

_MAX_USERS_PER_CALL = 1_000
_MAX_USERS_PER_CLUSTER_CALL = 10_000
_SHARDS = 256
"""Number of slots of a cluster that a game uses: commands for many users need a common slot."""


@dataclass(frozen=True)
class CachePut:
    """The result of writing predictions to the cache.

    Attributes:
        written: Number of users whose value was written.
        kept_newer: Number of users whose value was kept because it is of a newer day.
    """

    written: int
    kept_newer: int


class PredictionCache:
    """Predictions by user, each kept until it expires or is replaced by one of its day or a newer.

    It is thread-safe. Connecting, and starting an embedded server, is deferred to the first use.

    Args:
        location: Redis URL, or the folder of an embedded server. All processes with the same folder
            share one server. The first one that needs it starts it, it is restarted if it was
            killed, and the last one that leaves stops it. It stores its values in the folder and
            listens on a Unix socket only.
        game: Name of the game. Games that share a server have separate keys.
        days_to_live: Days after which a value expires. Up to a tenth is subtracted, depending on
            the user, so that values written together do not expire together.

    Raises:
        InputError: the URL is not valid.
    """

    def __init__(self, location: str | Path, game: str, days_to_live: int) -> None:
        self._server: EmbeddedServer | None = None
        self._connect: Callable[[], Client]
        self._connect_loop: Callable[[], LoopClient] | None
        if isinstance(location, Path):
            self._server = server = EmbeddedServer(location)
            self._connect, self._is_cluster = (lambda: server.client), False
            self._connect_loop = lambda: open_loop_socket(server.socket)
            self._where = f"in {location} (a server named by DS_ASSETS_CACHE_URL can stand in)"
        else:
            address = read_address(location)
            self._connect, self._is_cluster = address.connect, address.is_cluster
            self._connect_loop = address.connect_loop
            self._where = f"at {address.name} (DS_ASSETS_CACHE_URL)"
        self._connected: Client | None = None
        self._on_loop: LoopClient | None = None
        self._connecting = threading.Lock()
        digest = hashlib.sha256(f"{game}\n{FORMAT}".encode()).digest()
        # Short: the key of a 36-character id then fits a smaller size class of Redis's allocator.
        short = base64.urlsafe_b64encode(digest)[:4]
        self._prefix = b"ds:%s:" % short
        self._day_key = b"ds:{%s}" % short  # no user's key has this prefix
        self._seed = crc32(digest)
        self._seconds_to_live = days_to_live * 86_400

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections and leave the embedded server. A later use reopens them."""
        if self._server:
            self._server.leave()
        with self._connecting:
            if self._connected is not None:
                self._connected.close()
            self._connected = None

    async def close_loop(self) -> None:
        """Close the connections of the event loop."""
        client, self._on_loop = self._on_loop, None
        if client is not None:
            await close_loop_client(client)

    def ping(self) -> None:
        """Check that the cache responds.

        Raises:
            CacheUnavailable: it does not.
        """
        self._ask(lambda client: client.ping())

    @property
    def time_to_live(self) -> dt.timedelta:
        """Time after which all values written at once have expired."""
        return dt.timedelta(seconds=self._seconds_to_live)

    def current_day(self) -> dt.date | None:
        """Find the newest complete day; none in a cache that lost it, or where it has expired.

        Raises:
            CacheUnavailable: the cache cannot be used.
        """
        value = self._ask(lambda client: client.get(self._day_key))
        day = day_decoded(self._check(self._day_key), cast("bytes | None", value))
        return None if day is None else dt.date.fromordinal(day.as_of)

    def put_batches(self, as_of: dt.date, batches: Iterable[pa.RecordBatch]) -> CachePut:
        """Write one day's predictions while they are read, so that a day need not fit into memory.

        Each user's value is replaced as a whole. Duplicate users are only detected within a batch;
        otherwise the later row is kept.

        Args:
            as_of: The day.
            batches: One row per user with the columns of `PREDICTIONS`, all of this day, and where
                the game has targets of its own with the column `targets`.

        Raises:
            ValueError: the rows violate the contract, or are of another day. Earlier batches may
                have been written.
            CacheUnavailable: the cache cannot be used. Some users may have been written.
        """
        return self._put(_rows_of_day(as_of, pa.table(batch)) for batch in batches)

    def put_day(self, as_of: dt.date, defaults: pa.RecordBatch) -> None:
        """Record that a day's predictions are complete, with the defaults for unknown users.

        The record of a newer day is kept.

        Args:
            as_of: The day.
            defaults: The result of `compute_group_defaults`.

        Raises:
            CacheUnavailable: the cache cannot be used.
        """
        value = day_encoded(self._check(self._day_key), as_of, defaults)
        entries = _Entries([self._day_key], [b"%d" % self._seconds_to_live], [value])
        self._send(entries)

    def put_records(self, records: Sequence[Mapping[str, Any]]) -> CachePut:
        """Write single predictions, of one or several days.

        Args:
            records: Values by column name of `PREDICTIONS`, and `targets` where there are any.

        Raises:
            CacheUnavailable: the cache cannot be used. Some users may have been written.
        """
        schema = PREDICTIONS.arrow_schema.append(FIELD)
        rows = pa.Table.from_pylist(list(records), schema=schema)
        newer = sum(map(self._send, self._calls([rows])))  # few records: not worth a thread
        return CachePut(len(records) - newer, newer)

    async def fetch(
        self, user_ids: Sequence[str]
    ) -> tuple[GroupDefaults | None, list[EncodedPrediction | None]]:
        """Read the newest complete day and the predictions of users, in one request.

        Only one event loop may use the cache at a time, until it calls `close_loop`.

        Args:
            user_ids: The users.

        Returns:
            The group defaults of the newest complete day, if any, and each user's prediction. It is
            None for a user without one, and for a value that has expired, is damaged or has another
            format.

        Raises:
            CacheUnavailable: the cache cannot be used.
        """
        keys = [self._key(user_id.encode()) for user_id in user_ids]
        day, *values = await self._fetch([self._day_key, *keys])
        predictions = [
            decoded(self._check(key), value) for key, value in zip(keys, values, strict=True)
        ]
        return day_decoded(self._check(self._day_key), day), predictions

    async def _fetch(self, keys: list[bytes]) -> Sequence[bytes | None]:
        if self._connect_loop is None:
            return await asyncio.to_thread(self._ask, partial(_cluster_values, keys=keys))
        try:
            if self._on_loop is None and self._server:
                await asyncio.to_thread(self._server.join)
            self._on_loop = self._on_loop or self._connect_loop()
            return await _values_on_loop(self._on_loop, keys, self._server)
        except (RedisError, OSError) as error:
            raise self._unavailable(error) from error

    def _key(self, user_id: bytes) -> bytes:
        if not self._is_cluster:
            return self._prefix + user_id
        return b"%s{%d}%s" % (self._prefix, crc32(user_id) % _SHARDS, user_id)

    def _put(self, tables: Iterable[pa.Table]) -> CachePut:
        """Write rows. While the server executes one call, the next one is prepared."""
        users = newer = 0
        with ThreadPoolExecutor(1) as sender:
            sent: Future[int] | None = None
            for entries in self._calls(tables):
                newer += sent.result() if sent else 0
                sent = sender.submit(self._send, entries)
                users += len(entries.keys)
            newer += sent.result() if sent else 0
        return CachePut(users - newer, newer)

    def _send(self, entries: "_Entries") -> int:
        return self._ask(partial(_put_unless_newer, entries=entries))

    def _calls(self, tables: Iterable[pa.Table]) -> Iterator["_Entries"]:
        size = _MAX_USERS_PER_CLUSTER_CALL if self._is_cluster else _MAX_USERS_PER_CALL
        for rows in (batch for table in tables for batch in table.to_batches(size)):
            keys = [self._key(user_id) for user_id in _texts(rows["user_id"])]
            checks = list(map(self._check, keys))
            yield _Entries(keys, list(map(self._time_to_live, checks)), encoded(checks, rows))

    def _check(self, key: bytes) -> int:
        """Return the checksum of a key, from which the checksum of its value starts."""
        return crc32(key, self._seed)

    def _time_to_live(self, check: int) -> bytes:
        return b"%d" % (self._seconds_to_live - check % (self._seconds_to_live // 10))

    @property
    def _client(self) -> Client:
        if (client := self._connected) is not None:
            return client
        client = self._connect()  # may be slow: other threads must not wait for it
        with self._connecting:
            if self._connected is None:
                self._connected = client
            elif self._connected is not client:
                client.close()
            return self._connected

    def _ask(self, question: Callable[[Client], Answer]) -> Answer:
        try:
            if self._server:
                return self._ask_embedded(question, self._server)
            return question(self._client)
        except (RedisError, RedisClusterException, OSError) as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> CacheUnavailable:
        reason = str(error) or type(error).__name__
        return CacheUnavailable(f"the cache {self._where} cannot be used: {reason}")

    def _ask_embedded(self, question: Callable[[Client], Answer], server: EmbeddedServer) -> Answer:
        server.join()
        try:
            return question(self._client)
        except NoConnection:  # it was killed
            server.start()
            return question(self._client)


# One atomic call for many users compares and replaces their values. The day is in bytes 7 to 10. It
# is compared as a number because Lua compares text by locale.
_PUT_UNLESS_NEWER = """
local function day(value)
  local a, b, c, d = string.byte(value, 7, 10)
  return ((a * 256 + b) * 256 + c) * 256 + d
end
local call, users, kept = redis.call, #KEYS, 0
local mark = string.sub(ARGV[users + 1], 1, 2)
local olds = call('MGET', unpack(KEYS))
for i, key in ipairs(KEYS) do
  local old, new = olds[i], ARGV[users + i]
  if old and #old >= 10 and string.sub(old, 1, 2) == mark and day(old) > day(new) then
    kept = kept + 1
  else
    call('SETEX', key, ARGV[i], new)
  end
end
return kept
"""


class _Entries(NamedTuple):
    """Keys with their times to live and values, in the same order."""

    keys: list[bytes]
    seconds: list[bytes]
    packed: list[bytes]


def _rows_of_day(as_of: dt.date, rows: pa.Table) -> pa.Table:
    """Validate rows; see `rows_of_day`. The column `targets` is no part of the contract."""
    if TARGETS not in rows.column_names:
        return rows_of_day(PREDICTIONS, as_of, rows)
    valid = rows_of_day(PREDICTIONS, as_of, rows.drop_columns([TARGETS]))
    return valid.append_column(TARGETS, rows[TARGETS])


def _put_unless_newer(client: Client, entries: _Entries) -> int:
    """Write values unless newer ones exist. Returns the number of newer ones that were kept."""
    if isinstance(client, RedisCluster):
        shards = _by_shard(entries.keys).values()
        return sum(ask_cluster(client, [_put_shard(entries, places) for places in shards]))
    kept: Any = client.register_script(_PUT_UNLESS_NEWER)(
        entries.keys, entries.seconds + entries.packed
    )
    return int(kept)


def _put_shard(entries: _Entries, places: list[int]) -> Command:
    """Build the call of the script for one shard: all keys of a script must share a slot."""
    arguments = [entry[place] for entry in entries for place in places]
    return arguments[0], ("EVAL", _PUT_UNLESS_NEWER, len(places), *arguments)


def _cluster_values(client: Client, keys: list[bytes]) -> list[Any]:
    shards = _by_shard(keys).values()
    commands = [(keys[places[0]], ("MGET", *(keys[it] for it in places))) for places in shards]
    values: list[Any] = [None] * len(keys)
    replies = ask_cluster(cast("RedisCluster", client), commands)
    for places, shard_values in zip(shards, replies, strict=True):
        for place, value in zip(places, shard_values, strict=True):
            values[place] = value
    return values


async def _values_on_loop(
    client: LoopClient, keys: list[bytes], server: EmbeddedServer | None
) -> list[Any]:
    try:
        values: Any = await client.mget(keys)
    except NoConnection:
        if server is None:
            raise
        await asyncio.to_thread(server.start)  # it was killed
        values = await client.mget(keys)
    return list(values)


def _by_shard(keys: list[bytes]) -> dict[bytes, list[int]]:
    shards: dict[bytes, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        shards[key[: key.index(b"}")]].append(place)
    return shards


def _texts(column: pa.Array) -> list[bytes]:
    texts: list[bytes] = column.cast(pa.binary()).to_pylist()
    return texts
