"""API keys: a file that holds their hashes, and the check of a request.

Belongs here: who may ask, and how often. A key has 256 random bits, so a fast hash keeps it safe.
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
from ds_assets.serving.http.problems import NO_KEY, TOO_OFTEN, Refusal
from ds_assets.serving.http.rate_limit import Pace

LOOK_SECONDS = 1.0
"""After so long the file is looked at again."""
_SCHEME = "bearer "
_NO_KEY_HEADER = ("www-authenticate", "Bearer")
_log = logging.getLogger(__name__)


class ApiKey(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is kept of a key.

    Attributes:
        name: Who uses it.
        sha256: Its hash.
        created: Day on which it was made.
    """

    name: str
    sha256: str
    created: dt.date


class KeyFile:
    """The keys of an installation. Where the file is missing there has never been one.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[ApiKey]:
        """The keys; none where the file is missing.

        Raises:
            InputError: the file is not one of keys, or cannot be read.
        """
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=list[ApiKey])
        except FileNotFoundError:
            return []
        except (msgspec.MsgspecError, OSError) as error:
            raise InputError(f"the API keys in {self.path} cannot be read: {error}") from None

    def add(self, name: str) -> str:
        """Make a key. Only its hash is kept: this is the one time that it is seen.

        Raises:
            InputError: there is a key of that name, or the file cannot be read or written.
        """
        keys = self.read()
        if not name or name in {key.name for key in keys}:
            raise InputError(f"there is an API key {name!r}; revoke it, or take another name")
        secret = f"dsa_{secrets.token_urlsafe(32)}"
        today = dt.datetime.now(dt.UTC).date()
        self._write([*keys, ApiKey(name, _hashed(secret.encode()), today)])
        return secret

    def revoke(self, name: str) -> None:
        """Make a key worthless, within a second also where the API is running.

        Raises:
            InputError: there is no key of that name, or the file cannot be read or written.
        """
        keys = self.read()
        left = [key for key in keys if key.name != name]
        if len(left) == len(keys):
            known = ", ".join(key.name for key in keys) or "none"
            raise InputError(f"there is no API key {name!r}; there are: {known}")
        self._write(left)

    def _write(self, keys: list[ApiKey]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self.path.parent, delete=False) as file:
                file.write(msgspec.json.format(msgspec.json.encode(keys)))
            Path(file.name).replace(self.path)  # whole or not at all, for who reads meanwhile
        except OSError as error:
            raise InputError(f"the API keys in {self.path} cannot be written: {error}") from None


class Gate:
    """Lets requests pass that have a valid key and do not come too often.

    Keys are needed once there is a file of them, also after the last one is revoked. Before that
    everybody on this machine may ask, and nobody else.

    Args:
        file: The keys. It is looked at again after a second.
        rate: Uses of one key a second.
    """

    def __init__(self, file: KeyFile, rate: int) -> None:
        self._file = file
        self._rate = rate
        self._keys: list[ApiKey] = []
        self._needed = False
        self._stamp: tuple[int, ...] | None = None
        self._look_at = 0.0
        self._paces: dict[str, Pace] = {}
        self._known: dict[str, Pace] = {}
        """Pace of each header that was found valid: a dictionary compares what a secret of this
        process has hashed, so that its time says nothing of a key."""

    def pass_without(self, client: str, now: float) -> None:
        """Let a request without a key pass, or not.

        Args:
            client: Address and port that it comes from.
            now: Seconds of a clock that never goes back.

        Raises:
            Refusal: it may not pass.
        """
        self._look(now)
        if self._needed or not is_loopback(_host(client)):
            raise _refusal("send the header Authorization: Bearer KEY")

    def pass_with(self, authorization: str, now: float) -> None:
        """Let a request with a key pass, or not.

        Args:
            authorization: The header.
            now: Seconds of a clock that never goes back.

        Raises:
            Refusal: it may not pass, or not yet.
        """
        self._look(now)
        pace = self._known.get(authorization) or self._checked(authorization)
        if seconds := pace.wait(now):
            raise Refusal(
                TOO_OFTEN,
                f"a key may be used {self._rate:,} times a second; ask again later, or for many "
                "users at once with POST /v1/predictions",
                ("retry-after", str(int(seconds + 1))),
            )

    def _checked(self, authorization: str) -> Pace:
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise _refusal("the header Authorization must be: Bearer KEY")
        found, hashed = None, _hashed(authorization[len(_SCHEME) :].strip().encode())
        for key in self._keys:  # all of them, so that the time tells nothing
            if hmac.compare_digest(key.sha256, hashed):
                found = key.name
        if found is None:
            raise _refusal("this key is not known, or was revoked; ask who runs the service")
        pace = self._paces.setdefault(found, Pace(self._rate))
        self._known[authorization] = pace
        return pace

    def _look(self, now: float) -> None:
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        try:
            stamp = _stamp(self._file.path)
            self._needed = self._needed or stamp is not None
            if stamp != self._stamp:
                self._keys, self._stamp, self._known = self._file.read(), stamp, {}
        except (InputError, OSError) as error:
            self._needed = True
            _log.error("%s. Keys stay as they were", error)


@lru_cache
def is_loopback(host: str) -> bool:
    """Whether an IP address is one at which this machine reaches itself, and nobody else does."""
    try:
        return ip_address(host.removeprefix("::ffff:")).is_loopback
    except ValueError:
        return False


def _host(client: str) -> str:
    return client.rpartition(":")[0].strip("[]")


def _refusal(what_to_do: str) -> Refusal:
    return Refusal(NO_KEY, what_to_do, _NO_KEY_HEADER)


def _hashed(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
