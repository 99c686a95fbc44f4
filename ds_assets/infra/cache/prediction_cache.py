"""The prediction cache: the newest prediction of each user in Redis, for the hot path.

Belongs here: keys, and how values get in and out. Does not belong here: what a value looks like
(`cache_format.py`), how a server is reached (`cache_connection.py`) or started
(`embedded_server.py`), where predictions come from, Dagster, and what to answer when the cache has
nothing.

The cache may lose everything at any time: that makes answers slower, never wrong.
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
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

import pyarrow as pa
from isal.isal_zlib import crc32
from redis.cluster import RedisCluster
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisClusterException, RedisError

from ds_assets.core.contracts import rows_of_day
from ds_assets.core.group_defaults import GroupDefaults
from ds_assets.core.prediction_json import EncodedPrediction
from ds_assets.core.tables import PREDICTIONS
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

if TYPE_CHECKING:
    import pandas as pd

Answer = TypeVar("Answer")

_USERS_A_CALL = 1_000
_USERS_A_CALL_OF_A_CLUSTER = 10_000
_SHARDS = 256
"""Users of a game lie in so many slots of a cluster: one call takes all of a slot."""


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
        # Short: an id of 36 characters then stays below a step of Redis's allocator.
        short = base64.urlsafe_b64encode(digest)[:4]
        self._prefix = b"ds:%s:" % short
        self._day_key = b"ds:{%s}" % short  # no user's key begins so
        self._seed = crc32(digest)
        self._seconds_to_live = days_to_live * 86_400

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection, and leave the embedded server. A later use opens them again."""
        if self._server:
            self._server.leave()
        with self._connecting:
            if self._connected is not None:
                self._connected.close()
            self._connected = None

    async def close_loop(self) -> None:
        """Close the connections that an event loop used."""
        client, self._on_loop = self._on_loop, None
        if client is not None:
            await close_loop_client(client)

    def ping(self) -> None:
        """Do nothing but see that the cache answers.

        Raises:
            CacheUnavailable: it does not.
        """
        self._ask(lambda client: client.ping())

    def put(self, as_of: dt.date, predictions: "pa.Table | pd.DataFrame") -> CachePut:
        """Put one day's predictions in, in batches; each user's value is replaced as a whole.

        Args:
            as_of: The day.
            predictions: A row a user, the columns of `PREDICTIONS`, every `as_of` this day.

        Raises:
            ValueError: the rows break the column contract, or are of another day.
            CacheUnavailable: the cache cannot be used; a part may have been put.
        """
        return self._put([rows_of_day(PREDICTIONS, as_of, predictions)])

    def put_batches(self, as_of: dt.date, batches: Iterable[pa.RecordBatch]) -> CachePut:
        """Put one day's predictions in as they are read, so that a day need not fit into memory.

        Each batch is checked as `put` checks a day; that a user comes twice is seen within a batch
        only, and the later row is kept.

        Args:
            as_of: The day.
            batches: Rows as for `put`.

        Raises:
            ValueError: as for `put`; a part may have been put.
            CacheUnavailable: as for `put`.
        """
        return self._put(rows_of_day(PREDICTIONS, as_of, pa.table(batch)) for batch in batches)

    def put_day(self, as_of: dt.date, defaults: pa.RecordBatch) -> None:
        """Say that a day's predictions are all there, and what to say of users without any.

        What is said of a newer day stays.

        Args:
            as_of: The day.
            defaults: What `compute_group_defaults` returned.

        Raises:
            CacheUnavailable: the cache cannot be used.
        """
        value = day_encoded(self._check(self._day_key), as_of, defaults)
        entries = _Entries([self._day_key], [b"%d" % self._seconds_to_live], [value])
        self._send(entries)

    def put_records(self, records: Sequence[Mapping[str, Any]]) -> CachePut:
        """Put single predictions in, of one or several days.

        Args:
            records: Values by the names of `PREDICTIONS`' columns.

        Raises:
            CacheUnavailable: the cache cannot be used; a part may have been put.
        """
        rows = pa.Table.from_pylist(list(records), schema=PREDICTIONS.arrow_schema)
        newer = sum(map(self._send, self._calls([rows])))  # few come here: no thread for them
        return CachePut(len(records) - newer, newer)

    def get_many(self, user_ids: Sequence[str]) -> list[EncodedPrediction | None]:
        """Predictions of these users, in their order.

        None stands for a user who has none, and for a value that has expired, is damaged, or was
        written in another format. One request asks for all.

        Raises:
            CacheUnavailable: the cache cannot be used.
        """
        if not user_ids:
            return []
        keys = self._keys(user_ids)
        return self._read(keys, self._ask(lambda client: _values(client, keys)))

    async def fetch(
        self, user_ids: Sequence[str]
    ) -> tuple[GroupDefaults | None, list[EncodedPrediction | None]]:
        """The newest day that is there, and as `get_many`, on an event loop, in one request.

        One event loop may ask at a time; `close_loop` ends its turn.

        Raises:
            CacheUnavailable: the cache cannot be used.
        """
        keys = self._keys(user_ids)
        asked = [self._day_key, *keys]
        values: Sequence[bytes | None]
        if self._connect_loop is None:
            values = await asyncio.to_thread(self._ask, lambda client: _values(client, asked))
        else:
            values = await self._fetch(asked, self._connect_loop)
        day, *found = values
        return day_decoded(self._check(self._day_key), day), self._read(keys, found)

    async def _fetch(
        self, keys: list[bytes], connect: Callable[[], LoopClient]
    ) -> Sequence[bytes | None]:
        try:
            if self._on_loop is None and self._server:
                await asyncio.to_thread(self._server.join)
            self._on_loop = self._on_loop or connect()
            return await _values_on_loop(self._on_loop, keys, self._server)
        except (RedisError, OSError) as error:
            raise self._unavailable(error) from error

    def _keys(self, user_ids: Sequence[str]) -> list[bytes]:
        return [self._key(user_id.encode()) for user_id in user_ids]

    def _read(
        self, keys: Sequence[bytes], values: Sequence[bytes | None]
    ) -> list[EncodedPrediction | None]:
        return [decoded(self._check(key), value) for key, value in zip(keys, values, strict=True)]

    def _key(self, user_id: bytes) -> bytes:
        if not self._is_cluster:
            return self._prefix + user_id
        return b"%s{%d}%s" % (self._prefix, crc32(user_id) % _SHARDS, user_id)

    def _put(self, tables: Iterable[pa.Table]) -> CachePut:
        """Put rows in; while the server works on one call, the next is made here."""
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
        size = _USERS_A_CALL_OF_A_CLUSTER if self._is_cluster else _USERS_A_CALL
        for rows in (batch for table in tables for batch in table.to_batches(size)):
            keys = [self._key(user_id) for user_id in _texts(rows["user_id"])]
            checks = list(map(self._check, keys))
            yield _Entries(keys, list(map(self._time_to_live, checks)), encoded(checks, rows))

    def _check(self, key: bytes) -> int:
        """Checksum with which that of a value begins."""
        return crc32(key, self._seed)

    def _time_to_live(self, check: int) -> bytes:
        return b"%d" % (self._seconds_to_live - check % (self._seconds_to_live // 10))

    @property
    def _client(self) -> Client:
        if (client := self._connected) is not None:
            return client
        client = self._connect()  # may take its time, so nobody waits for another's
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
        except NoConnection:  # somebody has killed it
            server.start()
            return question(self._client)


# One call for many users: a value is compared and replaced with nobody in between. The day stands
# in bytes 7 to 10; compared as numbers, because Lua compares text by the locale.
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
    """Of some users, in one order."""

    keys: list[bytes]
    seconds: list[bytes]
    packed: list[bytes]


def _put_unless_newer(client: Client, entries: _Entries) -> int:
    """Put values in, in the place of none or older ones. Returns how many were kept."""
    if isinstance(client, RedisCluster):
        shards = _by_shard(entries.keys).values()
        return sum(ask_cluster(client, [_put_shard(entries, places) for places in shards]))
    kept: Any = client.register_script(_PUT_UNLESS_NEWER)(
        entries.keys, entries.seconds + entries.packed
    )
    return int(kept)


def _put_shard(entries: _Entries, places: list[int]) -> Command:
    """The script for users of one shard: all keys of a script must share a slot."""
    arguments = [entry[place] for entry in entries for place in places]
    return arguments[0], ("EVAL", _PUT_UNLESS_NEWER, len(places), *arguments)


def _values(client: Client, keys: list[bytes]) -> list[Any]:
    if not isinstance(client, RedisCluster):
        found: Any = client.mget(keys)
        return list(found)
    shards = _by_shard(keys).values()
    commands = [(keys[places[0]], ("MGET", *(keys[it] for it in places))) for places in shards]
    values: list[Any] = [None] * len(keys)
    for places, answers in zip(shards, ask_cluster(client, commands), strict=True):
        for place, answer in zip(places, answers, strict=True):
            values[place] = answer
    return values


async def _values_on_loop(
    client: LoopClient, keys: list[bytes], server: EmbeddedServer | None
) -> list[Any]:
    try:
        found: Any = await client.mget(keys)
    except NoConnection:
        if server is None:
            raise
        await asyncio.to_thread(server.start)  # somebody has killed it
        found = await client.mget(keys)
    return list(found)


def _by_shard(keys: list[bytes]) -> dict[bytes, list[int]]:
    shards: dict[bytes, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        shards[key[: key.index(b"}")]].append(place)
    return shards


def _texts(column: pa.Array) -> list[bytes]:
    texts: list[bytes] = column.cast(pa.binary()).to_pylist()
    return texts
