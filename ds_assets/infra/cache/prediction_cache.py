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

from ds_assets.core import user_offers, user_targets
from ds_assets.core.contracts import rows_of_day
from ds_assets.core.group_defaults import encode_group_defaults
from ds_assets.core.prediction_json import EncodedPrediction
from ds_assets.core.tables import PREDICTIONS
from ds_assets.infra.cache.connection import (
    CacheRefused,
    CacheUnavailable,
    Client,
    LoopClient,
    close_loop_client,
    find_correction,
    open_loop_socket,
    read_address,
)
from ds_assets.infra.cache.embedded_server import EmbeddedServer
from ds_assets.infra.cache.format import (
    FORMAT,
    CachedDays,
    Deliveries,
    days_decoded,
    days_encoded,
    decoded,
    encoded,
)
from ds_assets.infra.cache.redis_cluster import Command, ask_cluster
from ds_assets.infra.installation_ids import name_is_taken

Answer = TypeVar("Answer")

_MAX_USERS_PER_CALL = 1_000
_MAX_USERS_PER_CLUSTER_CALL = 10_000
_CLAIM_SECONDS = 400 * 86_400
"""Time after which the name of an installation is free that fills the cache no longer."""
_LISTS = (user_targets.FIELD, user_offers.FIELD)
"""Columns that predictions may have beside those of the contract."""
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
        installation: Name of the installation. Those that share a server have separate keys.
        days_to_live: Days after which a value expires. Up to a tenth is subtracted, depending on
            the user, so that values written together do not expire together.

    Raises:
        InputError: the URL is not valid.
    """

    def __init__(self, location: str | Path, installation: str, days_to_live: int) -> None:
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
        self._installation = installation
        digest = hashlib.sha256(f"{installation}\n{FORMAT}".encode()).digest()
        # Short: the key of a 36-character id then fits a smaller size class of Redis's allocator.
        short = base64.urlsafe_b64encode(digest)[:4]
        self._prefix = b"ds:%s:" % short
        # No user's key has the prefix of these.
        self._days_key = b"ds:{%s}" % short
        self._owner_key = b"ds:{%s}" % hashlib.sha256(installation.encode()).hexdigest().encode()
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

    def try_write(self) -> None:
        """Write a value that expires after a second: accounts that write need not delete.

        Raises:
            CacheRefused: the account may not write.
            CacheUnavailable: the cache cannot be used.
        """
        key = b"%s:write_test" % self._days_key

        def write(client: Any) -> None:
            client.execute_command("SETEX", key, 1, b"written")  # its `set` is not granted

        self._ask(write)

    def claim(self, lake: str, *, is_taking_over: bool = False) -> None:
        """Claim the installation's name for a lake, before the cache is filled from it.

        Args:
            lake: Id of the lake.
            is_taking_over: Whether to claim it also if another lake has it.

        Raises:
            InputError: another lake has it.
            CacheUnavailable: the cache cannot be used.
        """
        owner = self._read(self._owner_key)
        if not is_taking_over:
            self._refuse_other_owner(owner, lake)
        self._replace(self._owner_key, owner, lake.encode(), _CLAIM_SECONDS)

    def refuse_foreign(self, lake: str) -> None:
        """Refuse a cache whose entries of the installation's name are another lake's.

        Args:
            lake: Id of the lake.

        Raises:
            InputError: another lake has the name.
            CacheUnavailable: the cache cannot be used.
        """
        self._refuse_other_owner(self._read(self._owner_key), lake)

    @property
    def time_to_live(self) -> dt.timedelta:
        """Time after which all values written at once have expired."""
        return dt.timedelta(seconds=self._seconds_to_live)

    def current_day(self) -> dt.date | None:
        """Find the newest complete day; none in a cache that lost it, or where it has expired.

        Raises:
            CacheUnavailable: the cache cannot be used.
        """
        newest = self._days(self._read(self._days_key)).newest.as_of
        return dt.date.fromordinal(newest) if newest else None

    def put_batches(
        self, as_of: dt.date, batches: Iterable[pa.RecordBatch], delivery: int
    ) -> CachePut:
        """Write one day's predictions while they are read, so that a day need not fit into memory.

        Each user's value is replaced as a whole. Duplicate users are only detected within a batch;
        otherwise the later row is kept.

        Args:
            as_of: The day.
            batches: One row per user with the columns of `PREDICTIONS`, all of this day, and where
                the game has targets of its own or promotions with the columns `targets` and
                `promotions`.
            delivery: Number of the delivery, the same for the same predictions.

        Raises:
            ValueError: the rows violate the contract, or are of another day. Earlier batches may
                have been written.
            CacheUnavailable: the cache cannot be used. Some users may have been written.
        """
        current = self._days(self._read(self._days_key)).deliveries
        tables = (_rows_of_day(as_of, pa.table(batch)) for batch in batches)
        return self._put(tables, current, {as_of.toordinal(): delivery})

    def put_day(self, as_of: dt.date, defaults: pa.RecordBatch, delivery: int) -> None:
        """Record that a day's predictions are complete, with the defaults for unknown users.

        From then on, what other deliveries of the day wrote no longer counts. The defaults of a
        newer day are kept.

        Args:
            as_of: The day.
            defaults: The result of `compute_group_defaults`.
            delivery: Number of the delivery, as for `put_batches`.

        Raises:
            CacheUnavailable: the cache cannot be used.
        """
        day = encode_group_defaults(as_of, defaults)
        oldest = day.as_of - 2 * self.time_to_live.days  # values of older days have expired
        self._change_days(lambda days: days.with_day(day, delivery, oldest))

    def withdraw(self, days: Iterable[dt.date]) -> None:
        """Withdraw days, all or nothing: none of their predictions counts from then on.

        Raises:
            CacheUnavailable: the cache cannot be used.
        """
        withdrawn = [day.toordinal() for day in days]
        self._change_days(lambda stored: stored.without(withdrawn))

    def put_records(self, records: Sequence[Mapping[str, Any]], deliveries: Deliveries) -> CachePut:
        """Write single predictions, of one or several days.

        Args:
            records: Values by column name of `PREDICTIONS`, and `targets` and `promotions` where
                there are any.
            deliveries: The deliveries that counted before the predictions were read.

        Raises:
            CacheUnavailable: the cache cannot be used. Some users may have been written.
        """
        schema = pa.schema([*PREDICTIONS.arrow_schema, *_LISTS])
        rows = pa.Table.from_pylist(list(records), schema=schema)
        calls = self._calls([rows], deliveries)
        newer = sum(self._send(call, deliveries) for call in calls)  # few: not worth a thread
        return CachePut(len(records) - newer, newer)

    async def fetch(
        self, user_ids: Sequence[str]
    ) -> tuple[CachedDays, list[EncodedPrediction | None]]:
        """Read what the cache knows of days, and the predictions of users, in one request.

        Only one event loop may use the cache at a time, until it calls `close_loop`.

        Args:
            user_ids: The users.

        Returns:
            What is known of days, and each user's prediction. It is None for a user without one,
            and for a value that has expired, is damaged, has another format, or is of a delivery
            that no longer counts.

        Raises:
            CacheUnavailable: the cache cannot be used.
        """
        keys = [self._key(user_id.encode()) for user_id in user_ids]
        stored_days, *values = await self._fetch([self._days_key, *keys])
        days = self._days(stored_days)
        predictions = [
            decoded(self._check(key), value, days.deliveries)
            for key, value in zip(keys, values, strict=True)
        ]
        return days, predictions

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

    def _days(self, value: bytes | None) -> CachedDays:
        return days_decoded(self._check(self._days_key), value)

    def _change_days(self, change: Callable[[CachedDays], CachedDays]) -> None:
        """Change what is stored of days; several processes may do so at the same time."""
        is_changed = False
        while not is_changed:
            value = self._read(self._days_key)
            changed = days_encoded(self._check(self._days_key), change(self._days(value)))
            is_changed = self._replace(self._days_key, value, changed, self._seconds_to_live)

    def _refuse_other_owner(self, owner: bytes | None, lake: str) -> None:
        if owner not in {None, lake.encode()}:
            raise name_is_taken(f"the cache {self._where}", self._installation)

    def _read(self, key: bytes) -> bytes | None:
        values: Any = self._ask(lambda client: client.mget([key]))
        value: bytes | None = values[0]
        return value

    def _replace(self, key: bytes, before: bytes | None, value: bytes, seconds: int) -> bool:
        """Write a value unless it has changed. Returns whether it was written."""
        arguments: Any = (1, key, before or b"", b"%d" % seconds, value)
        return bool(self._ask(lambda client: client.eval(_PUT_UNLESS_CHANGED, *arguments)))

    def _put(
        self, tables: Iterable[pa.Table], current: Deliveries, deliveries: Deliveries
    ) -> CachePut:
        """Write rows. While the server executes one call, the next one is prepared."""
        users = newer = 0
        with ThreadPoolExecutor(1) as sender:
            sent: Future[int] | None = None
            for entries in self._calls(tables, deliveries):
                newer += sent.result() if sent else 0
                sent = sender.submit(self._send, entries, current)
                users += len(entries.keys)
            newer += sent.result() if sent else 0
        return CachePut(users - newer, newer)

    def _send(self, entries: "_Entries", current: Deliveries) -> int:
        return self._ask(partial(_put_unless_newer, entries=entries, current=current))

    def _calls(self, tables: Iterable[pa.Table], deliveries: Deliveries) -> Iterator["_Entries"]:
        size = _MAX_USERS_PER_CLUSTER_CALL if self._is_cluster else _MAX_USERS_PER_CALL
        for rows in (batch for table in tables for batch in table.to_batches(size)):
            keys = [self._key(user_id) for user_id in _texts(rows["user_id"])]
            checks = list(map(self._check, keys))
            seconds = list(map(self._time_to_live, checks))
            yield _Entries(keys, seconds, encoded(checks, rows, deliveries))

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
        text = f"the cache {self._where} cannot be used: {reason.rstrip('.')}"
        if correction := find_correction(error):
            return CacheRefused(f"{text}; {correction}")
        return CacheUnavailable(text)

    def _ask_embedded(self, question: Callable[[Client], Answer], server: EmbeddedServer) -> Answer:
        server.join()
        try:
            return question(self._client)
        except NoConnection:  # it was killed
            server.start()
            return question(self._client)


# One atomic call for many users compares and replaces their values. The day is in bytes 7 to 10,
# the delivery in bytes 15 to 18. They are compared as numbers because Lua compares text by locale.
# After the values come pairs of a day and its delivery that counts: a newer value of another
# delivery is replaced.
_PUT_UNLESS_NEWER = """
local function number(value, first)
  local a, b, c, d = string.byte(value, first, first + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end
local call, users, kept, deliveries = redis.call, #KEYS, 0, {}
for i = 2 * users + 1, #ARGV, 2 do
  deliveries[tonumber(ARGV[i])] = tonumber(ARGV[i + 1])
end
local function is_newer(old, new)
  local day, delivery = number(old, 7), number(old, 15)
  return day > number(new, 7) and (deliveries[day] or delivery) == delivery
end
local mark = string.sub(ARGV[users + 1], 1, 2)
local olds = call('MGET', unpack(KEYS))
for i, key in ipairs(KEYS) do
  local old, new = olds[i], ARGV[users + i]
  if old and #old >= 18 and string.sub(old, 1, 2) == mark and is_newer(old, new) then
    kept = kept + 1
  else
    call('SETEX', key, ARGV[i], new)
  end
end
return kept
"""
_PUT_UNLESS_CHANGED = """
if (redis.call('MGET', KEYS[1])[1] or '') ~= ARGV[1] then
  return 0
end
redis.call('SETEX', KEYS[1], ARGV[2], ARGV[3])
return 1
"""


class _Entries(NamedTuple):
    """Keys with their times to live and values, in the same order."""

    keys: list[bytes]
    seconds: list[bytes]
    packed: list[bytes]


def _rows_of_day(as_of: dt.date, rows: pa.Table) -> pa.Table:
    """Validate rows; see `rows_of_day`. The columns of lists are not part of the contract."""
    lists = [field.name for field in _LISTS if field.name in rows.column_names]
    valid = rows_of_day(PREDICTIONS, as_of, rows.drop_columns(lists))
    for name in lists:
        valid = valid.append_column(name, rows[name])
    return valid


def _put_unless_newer(client: Client, entries: _Entries, current: Deliveries) -> int:
    """Write values unless newer ones exist. Returns the number of newer ones that were kept."""
    counting = [b"%d" % number for delivery in current.items() for number in delivery]
    if isinstance(client, RedisCluster):
        shards = _by_shard(entries.keys).values()
        calls = [_put_shard(entries, places, counting) for places in shards]
        return sum(ask_cluster(client, calls))
    kept: Any = client.register_script(_PUT_UNLESS_NEWER)(
        entries.keys, entries.seconds + entries.packed + counting
    )
    return int(kept)


def _put_shard(entries: _Entries, places: list[int], counting: list[bytes]) -> Command:
    """Build the call of the script for one shard: all keys of a script must share a slot."""
    arguments = [entry[place] for entry in entries for place in places]
    return arguments[0], ("EVAL", _PUT_UNLESS_NEWER, len(places), *arguments, *counting)


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
