"""The lake in a container of Azure Blob storage.

Belongs here: how objects get in and out of a container, whole and verified. Does not belong here:
who may use the account; that is the environment's (`blob_service`).
"""

import datetime as dt
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tenacity import (
    RetryError,
    Retrying,
    retry,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    stop_after_delay,
    wait_fixed,
)

from ds_assets.errors import InputError
from ds_assets.infra.lake.base import (
    ABANDONED_AFTER,
    STAGING,
    Key,
    LakeObject,
    LakeUnavailable,
    Receive,
    day_of,
)
from ds_assets.infra.transfer import BLOCK, map_ahead

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient, ContainerClient

_AT_ONCE = 4
_RANGE = 4 << 20
"""Bytes of an answer; the service gives checksums of no more."""
_COPY_SECONDS = 600
_COPY_ASKED_EVERY = 0.5
_CONNECT_SECONDS = 4
_ANSWER_SECONDS = 7
_FIRST_SERVER_ERROR = 500  # of HTTP: what is below is the request's fault


class _ReplacedError(Exception):
    """An object was replaced while it was fetched."""


def blob_service(account_url: str, credential: Any) -> "BlobServiceClient":
    """A client of an account, whose calls end within a bounded time, also when nobody answers."""
    from azure.storage.blob import BlobServiceClient, LinearRetry  # noqa: PLC0415  (slow)

    return BlobServiceClient(
        account_url,
        credential,
        connection_timeout=_CONNECT_SECONDS,
        read_timeout=_ANSWER_SECONDS,
        retry_policy=LinearRetry(backoff=1, random_jitter_range=1, retry_total=1),
        max_single_get_size=_RANGE,
        max_chunk_get_size=_RANGE,
    )


def credential_of_environment() -> Any:
    """What lets this process in: a key, a signed token, or else the cloud's own identity.

    The names are those of Azure's own tools: AZURE_STORAGE_KEY and AZURE_STORAGE_SAS_TOKEN; without
    both it is `DefaultAzureCredential`: a service principal, a managed identity, `az login`.
    """
    if secret := os.environ.get("AZURE_STORAGE_KEY") or os.environ.get("AZURE_STORAGE_SAS_TOKEN"):
        return secret
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415  (slow)

    return DefaultAzureCredential()


class BlobLake:
    """A lake in a container; see `Lake` for what its methods do.

    Args:
        address: `https://ACCOUNT.blob.core.windows.net/CONTAINER`.
        service: Makes the client of the account, from its address.
        cache: Folder for the local copies of objects; those of another version are not used.
    """

    def __init__(
        self, address: str, service: Callable[[str], "BlobServiceClient"], cache: Path
    ) -> None:
        self._address = address.rstrip("/")
        self._service = service
        self._account, _, self._name = self._address.rpartition("/")
        self._cache = cache / urlsplit(address).netloc.replace(":", "_") / self._name

    def __str__(self) -> str:
        return self._address

    def objects(self, prefix: str) -> list[LakeObject]:
        """See `Lake`."""
        with self._clear_errors():
            found = [
                LakeObject(blob.name, blob.size, blob.etag.strip('"'), blob.last_modified)
                for blob in self._container.list_blobs(name_starts_with=f"{prefix}/")
            ]
        return sorted(found, key=lambda one: one.name)

    def entries(self, folder: str) -> list[str]:
        """See `Lake`."""
        with self._clear_errors():
            found = list(self._container.walk_blobs(name_starts_with=f"{folder}/", delimiter="/"))
        return sorted(one.name.removesuffix("/").rpartition("/")[2] for one in found)

    def days(self, folder: str) -> list[dt.date]:
        """See `Lake`."""
        return sorted(filter(None, map(day_of, self.entries(folder))))

    def exists(self, name: str) -> bool:
        """See `Lake`."""
        with self._clear_errors():
            return bool(self._container.get_blob_client(name).exists())

    def local(self, name: str) -> Path:
        """See `Lake`. What was fetched once is kept until the object changes."""
        return self._fetch(name)

    def local_files(self, names: Iterable[str]) -> list[Path]:
        """See `Lake`."""
        with ThreadPoolExecutor(_AT_ONCE) as executor:
            return list(map_ahead(self._fetch, names, executor, _AT_ONCE))

    def read(self, name: str) -> bytes:
        """See `Lake`."""
        with self._clear_errors(name):
            return self._container.download_blob(name).readall()

    def write(self, name: str, content: bytes) -> None:
        """See `Lake`."""
        with self.receiving() as receive:
            receive(name, [content[at : at + BLOCK] for at in range(0, len(content), BLOCK)])

    @contextmanager
    def writing(self, names: Mapping[Key, str]) -> Iterator[dict[Key, Path]]:
        """See `Lake`."""
        with tempfile.TemporaryDirectory(prefix="ds_assets_") as folder:
            files = {key: Path(folder) / str(number) for number, key in enumerate(names)}
            yield files
            with ThreadPoolExecutor(_AT_ONCE) as executor:
                for key, name in names.items():
                    self._commit(self._stage(name, _blocks(files[key]), executor))

    @contextmanager
    def receiving(self) -> Iterator[Receive]:
        """See `Lake`.

        Blocks are staged, each with a checksum that the service compares, and nobody sees them;
        what has come whole is committed at the end.
        """
        staged: list[_Staged] = []
        with ThreadPoolExecutor(_AT_ONCE) as executor:

            def receive(name: str, blocks: Iterable[bytes]) -> None:
                staged.append(self._stage(name, blocks, executor))

            yield receive
            list(map_ahead(self._commit, staged, executor, _AT_ONCE))

    @contextmanager
    def adopting(self) -> Iterator[tuple[str, dict[str, str]]]:
        """See `Lake`. The service copies what is adopted, within the account."""
        self._remove_abandoned()
        folder = f"{STAGING}/{uuid.uuid4().hex}"
        adopted: dict[str, str] = {}
        try:
            yield folder, adopted
            for name, staged in adopted.items():
                self._copy(staged, name)
        finally:
            # Where folders are objects too, what lies in them goes first.
            self.delete([one.name for one in reversed(self.objects(folder))])

    def _remove_abandoned(self) -> None:
        oldest = dt.datetime.now(dt.UTC) - ABANDONED_AFTER
        staged = reversed(self.objects(STAGING))
        self.delete([one.name for one in staged if one.modified < oldest])

    def _copy(self, source: str, name: str) -> None:
        blob = self._container.get_blob_client(name)
        waiting = Retrying(
            retry=retry_if_result(lambda status: status == "pending"),
            wait=wait_fixed(_COPY_ASKED_EVERY),
            stop=stop_after_delay(_COPY_SECONDS),
        )
        with self._clear_errors(source):
            blob.start_copy_from_url(self._container.get_blob_client(source).url)
            try:
                status = waiting(lambda: blob.get_blob_properties().copy.status)
            except RetryError:
                status = f"not done after {_COPY_SECONDS:,} seconds"
        if status != "success":
            raise LakeUnavailable(f"{self}/{source} cannot be copied to {name}: {status}")

    def delete(self, names: Iterable[str]) -> None:
        """See `Lake`."""
        for name in names:
            with suppress(FileNotFoundError), self._clear_errors(name):
                self._container.delete_blob(name)

    @cached_property
    def _container(self) -> "ContainerClient":
        return self._service(self._account).get_container_client(self._name)

    def _stage(self, name: str, blocks: Iterable[bytes], executor: ThreadPoolExecutor) -> "_Staged":
        blob = self._container.get_blob_client(name)

        def stage(block: bytes) -> str:
            block_id = uuid.uuid4().hex  # of one length, and nobody else's
            with self._clear_errors(name):
                blob.stage_block(block_id, block, validate_content=True)
            return block_id

        return _Staged(name, list(map_ahead(stage, blocks, executor, 1)))

    def _commit(self, staged: "_Staged") -> None:
        from azure.storage.blob import BlobBlock  # noqa: PLC0415  (as above)

        blob = self._container.get_blob_client(staged.name)
        with self._clear_errors(staged.name):
            blob.commit_block_list([BlobBlock(block_id) for block_id in staged.blocks])

    @retry(  # what is replaced between the two questions
        retry=retry_if_exception_type(_ReplacedError), stop=stop_after_attempt(3), reraise=True
    )
    def _fetch(self, name: str) -> Path:
        from azure.core import MatchConditions  # noqa: PLC0415  (as above)

        blob = self._container.get_blob_client(name)
        with self._clear_errors(name):
            tag = blob.get_blob_properties().etag
        folder, _, file = name.rpartition("/")
        kept = self._cache / folder / tag.strip('"') / file
        if kept.exists():
            kept.touch()  # what has not been used for long is removed
            return kept
        self._remove_unused()
        kept.parent.mkdir(parents=True, exist_ok=True)
        passing = kept.with_name(f"{file}.{uuid.uuid4().hex}")
        with self._clear_errors(name), passing.open("wb") as out:
            current = MatchConditions.IfNotModified
            content = blob.download_blob(etag=tag, match_condition=current, validate_content=True)
            out.writelines(content.chunks())
        passing.replace(kept)
        return kept

    def _remove_unused(self) -> None:
        oldest = time.time() - ABANDONED_AFTER.total_seconds()
        for path in self._cache.rglob("*"):
            with suppress(FileNotFoundError):  # somebody like this was faster
                if path.is_file() and path.stat().st_mtime < oldest:
                    path.unlink()

    @contextmanager
    def _clear_errors(self, name: str = "") -> Iterator[None]:
        """What the service refuses, in words, without what lets this process in."""
        from azure.core import exceptions as azure  # noqa: PLC0415  (as above)

        where = f"{self}/{name}".rstrip("/") + " (DS_ASSETS_LAKE_URL)"
        try:
            yield
        except azure.ResourceNotFoundError as error:
            if _code(error) == "ContainerNotFound":
                raise InputError(f"{where}: there is no such container; create it") from None
            raise FileNotFoundError(f"there is no {where}") from None
        except azure.ResourceModifiedError:
            raise _ReplacedError(f"{where} is replaced again and again") from None
        except azure.ClientAuthenticationError as error:
            raise InputError(
                f"{where} is refused, {_reason(error)}; see AZURE_STORAGE_KEY, "
                "AZURE_STORAGE_SAS_TOKEN or the machine's identity"
            ) from None
        except azure.AzureError as error:
            if _is_refused(error):
                raise InputError(f"{where} is refused, {_reason(error)}") from None
            raise LakeUnavailable(f"{where} cannot be used: {_reason(error)}") from None


@dataclass(frozen=True)
class _Staged:
    """An object that has come whole: its name, and the ids of its blocks."""

    name: str
    blocks: list[str]


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as content:
        yield from iter(lambda: content.read(BLOCK), b"")


def _is_refused(error: Exception) -> bool:
    status = getattr(error, "status_code", None)
    return status is not None and status < _FIRST_SERVER_ERROR


def _code(error: Exception) -> str:
    """The service's own word for what is wrong; none where it did not answer."""
    return str(getattr(error, "error_code", None) or getattr(error, "reason", None) or "")


def _reason(error: Exception) -> str:
    # Not the error's own text: it may hold the address with its token.
    kind = type(error).__name__
    if code := _code(error):
        return code
    if "Timeout" in kind:
        return "no answer in time"
    if kind == "ServiceRequestError":
        return "no connection"
    return "the connection broke" if kind == "ServiceResponseError" else kind
