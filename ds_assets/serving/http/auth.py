"""API keys: a file with their hashes, and the authentication of requests.

A key has 256 random bits, so that a fast hash is enough to protect it.
"""

import datetime as dt
import hashlib
import hmac
import logging
import secrets
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from tempfile import NamedTemporaryFile

import msgspec

from ds_assets.errors import InputError
from ds_assets.serving.http.problems import NO_KEY, RATE_LIMITED, ProblemError
from ds_assets.serving.http.rate_limit import RateLimiter

RELOAD_INTERVAL_S = 1.0
"""Seconds after which the file is checked for changes."""
_SCHEME = "bearer "
_NO_KEY_HEADER = ("www-authenticate", "Bearer")
_log = logging.getLogger(__name__)


class ApiKey(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is stored of a key.

    Attributes:
        name: Name of the client that uses it.
        sha256: Hash of the key.
        created: Day on which it was made.
    """

    name: str
    sha256: str
    created: dt.date


class KeyFile:
    """The keys of an installation; without the file, no key was ever added.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[ApiKey]:
        """Read the keys; none if the file does not exist.

        Raises:
            InputError: the file cannot be read, or holds something else.
        """
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=list[ApiKey])
        except FileNotFoundError:
            return []
        except (msgspec.MsgspecError, OSError) as error:
            raise InputError(
                f"the API keys in {self.path} (DS_ASSETS_API_KEYS) cannot be read: {error}; "
                "restore the file, or delete it and add each key again"
            ) from None

    def add(self, name: str) -> str:
        """Add a key. Only its hash is stored, so the key cannot be shown again.

        Returns:
            The key.

        Raises:
            InputError: a key of that name exists, or the file cannot be read or written.
        """
        keys = self.read()
        if not name or name in {key.name for key in keys}:
            raise InputError(f"an API key {name!r} exists; revoke it, or choose another name")
        secret = f"dsa_{secrets.token_urlsafe(32)}"
        today = dt.datetime.now(dt.UTC).date()
        self._write([*keys, ApiKey(name, _hash(secret.encode()), today)])
        return secret

    def revoke(self, name: str) -> None:
        """Revoke a key; a running server notices within a second.

        Raises:
            InputError: no key has that name, or the file cannot be read or written.
        """
        keys = self.read()
        remaining = [key for key in keys if key.name != name]
        if len(remaining) == len(keys):
            names = ", ".join(key.name for key in keys) or "none"
            raise InputError(f"no API key is named {name!r}; existing keys: {names}")
        self._write(remaining)

    def _write(self, keys: list[ApiKey]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self.path.parent, delete=False) as file:
                file.write(msgspec.json.format(msgspec.json.encode(keys)))
            Path(file.name).replace(self.path)  # atomic for concurrent readers
        except OSError as error:
            raise InputError(
                f"the API keys in {self.path} (DS_ASSETS_API_KEYS) cannot be written: "
                f"{error.strerror}"
            ) from None


class Authenticator:
    """Checks the API key of each request, and the rate at which it is used.

    Keys are required once the file exists, even after the last one is revoked. Before that, clients
    on this machine need none, and others are refused.

    Args:
        file: The keys; changes are noticed within a second.
        rate: Maximum requests per second and key.
    """

    def __init__(self, file: KeyFile, rate: int) -> None:
        self._file = file
        self._rate = rate
        self._keys: list[ApiKey] = []
        self._is_key_required = False
        self._file_version: tuple[int, ...] | None = None
        self._reload_at = 0.0
        self._limiters: dict[str, RateLimiter] = {}
        self._valid_headers: dict[str, RateLimiter] = {}
        """Rate limiter of each header that was found valid. The lookup compares hashes seeded with
        a secret of this process, so its timing says nothing about keys."""

    def admit_local(self, client: str, now: float) -> None:
        """Admit a request without a key, if it comes from this machine and no key is required.

        Args:
            client: Address and port of the client.
            now: Seconds of a clock that never goes back.

        Raises:
            ProblemError: it is not admitted.
        """
        self._reload_keys(now)
        if self._is_key_required or not is_loopback(_host(client)):
            raise _unauthorized("Send the header Authorization: Bearer KEY.")

    def authenticate(self, authorization: str, now: float) -> None:
        """Admit a request with a valid key, unless it exceeds the rate limit.

        Args:
            authorization: The header.
            now: Seconds of a clock that never goes back.

        Raises:
            ProblemError: the key is not valid, or is used too often.
        """
        self._reload_keys(now)
        limiter = self._valid_headers.get(authorization) or self._verify(authorization)
        if seconds := limiter.try_acquire(now):
            raise ProblemError(
                RATE_LIMITED,
                f"The limit is {self._rate:,} requests per second and key; retry later, or ask for "
                "many users at once with POST /v1/predictions.",
                ("retry-after", str(int(seconds + 1))),
            )

    def _verify(self, authorization: str) -> RateLimiter:
        """Find the key that a header holds, and return its rate limiter."""
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise _unauthorized("The header Authorization must have the form: Bearer KEY.")
        name, sha256 = None, _hash(authorization[len(_SCHEME) :].strip().encode())
        for key in self._keys:  # all of them, so that the timing says nothing about keys
            if hmac.compare_digest(key.sha256, sha256):
                name = key.name
        if name is None and not self._is_key_required:
            raise _unauthorized(
                "The service has no API key yet: on its own machine send no header Authorization."
            )
        if name is None:
            raise _unauthorized("The API key is unknown or revoked; contact the service operator.")
        limiter = self._limiters.setdefault(name, RateLimiter(self._rate))
        self._valid_headers[authorization] = limiter
        return limiter

    def _reload_keys(self, now: float) -> None:
        """Read the keys if the file has changed, at most once a second."""
        if now < self._reload_at:
            return
        self._reload_at = now + RELOAD_INTERVAL_S
        try:
            version = _version(self._file.path)
            self._is_key_required = self._is_key_required or version is not None
            if version != self._file_version:
                self._keys, self._file_version = self._file.read(), version
                self._valid_headers = {}
        except (InputError, OSError) as error:
            self._is_key_required = True
            _log.error("could not reload API keys, keeping the current ones: %s", error)


@lru_cache
def is_loopback(host: str) -> bool:
    """Whether an IP address is a loopback address, at which only this machine reaches itself."""
    try:
        return ip_address(host.removeprefix("::ffff:")).is_loopback
    except ValueError:
        return False


def _host(client: str) -> str:
    return client.rpartition(":")[0].strip("[]")


def _unauthorized(detail: str) -> ProblemError:
    return ProblemError(NO_KEY, detail, _NO_KEY_HEADER)


def _hash(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()


def _version(path: Path) -> tuple[int, ...] | None:
    """Numbers that change with the content of a file; none if it does not exist."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
