"""The lake in a container of Azure Blob storage.

Scope: transferring objects atomically and verified. Credentials come from the environment.
"""

import datetime as dt
import math
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
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
from ds_assets.infra.transfer import (
    BLOCK,
    CONNECT_TIMEOUT_S,
    MAX_ATTEMPTS,
    READ_TIMEOUT_S,
    is_temporary,
    map_ahead,
)

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient, ContainerClient

_NO_ANSWER = 599
_MAX_TRANSFERS = 4
_RANGE = 4 << 20
"""Bytes of a response; the service returns no checksum for larger ranges."""
_COPY_TIMEOUT_S = 600
_COPY_POLL_S = 0.5
_FETCH_ATTEMPTS = 3
_CLEANING_INTERVAL_S = 3_600.0
"""Seconds between two looks for unused local copies, which take longer the more there are."""


class _ReplacedError(Exception):
    """An object was replaced while it was being downloaded."""


def blob_service(account_url: str, credential: Any) -> "BlobServiceClient":
    """Open a client of a storage account whose requests end within a bounded time.

    The SDK is used directly because `dagster_azure.blob.AzureBlobStorageResource` passes neither
    timeouts nor retries to its client, which then waits 83 s for a server that does not answer.
    Its credentials would also be stored with a run's configuration; see
    `credential_of_environment`.
    """
    from azure.storage.blob import BlobServiceClient, LinearRetry  # noqa: PLC0415  (slow)

    return BlobServiceClient(
        account_url,
        credential,
        connection_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retry_policy=LinearRetry(backoff=1, random_jitter_range=1, retry_total=MAX_ATTEMPTS - 1),
        max_single_get_size=_RANGE,
        max_chunk_get_size=_RANGE,
    )


def credential_of_environment() -> Any:
    """Return the credential that Azure's own tools would use.

    It is the account key in AZURE_STORAGE_KEY or the token in AZURE_STORAGE_SAS_TOKEN. Without
    both, `DefaultAzureCredential` finds a service principal, a managed identity or an `az login`.
    """
    if secret := os.environ.get("AZURE_STORAGE_KEY") or os.environ.get("AZURE_STORAGE_SAS_TOKEN"):
        return secret
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415  (slow)

    return DefaultAzureCredential()


class BlobLake:
    """A lake in a container. See `Lake` for the methods.

    Args:
        address: `https://ACCOUNT.blob.core.windows.net/CONTAINER`.
        service: Opens a client of the account, given its address.
        cache: Folder for local copies of objects, one for each version of an object.
    """

    def __init__(
        self, address: str, service: Callable[[str], "BlobServiceClient"], cache: Path
    ) -> None:
        self._address = address.rstrip("/")
        self._service = service
        self._account, _, self._name = self._address.rpartition("/")
        self._cache = cache / urlsplit(address).netloc.replace(":", "_") / self._name
        self._cleaned_at = -math.inf

    def __str__(self) -> str:
        return self._address

    def objects(self, prefix: str) -> list[LakeObject]:
        """See `Lake`."""
        with self._clear_errors():
            objects = [
                LakeObject(blob.name, blob.size, blob.etag.strip('"'), blob.last_modified)
                for blob in self._container.list_blobs(name_starts_with=f"{prefix}/")
            ]
        return sorted(objects, key=lambda item: item.name)

    def entries(self, folder: str) -> list[str]:
        """See `Lake`."""
        with self._clear_errors():
            items = list(self._container.walk_blobs(name_starts_with=f"{folder}/", delimiter="/"))
        return sorted(item.name.removesuffix("/").rpartition("/")[2] for item in items)

    def days(self, folder: str) -> list[dt.date]:
        """See `Lake`."""
        return sorted(filter(None, map(day_of, self.entries(folder))))

    def exists(self, name: str) -> bool:
        """See `Lake`."""
        with self._clear_errors():
            return bool(self._container.get_blob_client(name).exists())

    def local(self, name: str) -> Path:
        """See `Lake`. A downloaded copy is reused until the object changes."""
        return self._fetch(name)

    def local_files(self, names: Iterable[str]) -> list[Path]:
        """See `Lake`."""
        with ThreadPoolExecutor(_MAX_TRANSFERS) as executor:
            return list(map_ahead(self._fetch, names, executor, _MAX_TRANSFERS))

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
            with ThreadPoolExecutor(_MAX_TRANSFERS) as executor:
                for key, name in names.items():
                    self._commit(self._stage(name, _blocks(files[key]), executor))

    @contextmanager
    def receiving(self) -> Iterator[Receive]:
        """See `Lake`.

        Blocks are staged with a checksum that the service verifies. They are invisible until they
        are committed at the end.
        """
        staged: list[_Staged] = []
        with ThreadPoolExecutor(_MAX_TRANSFERS) as executor:

            def receive(name: str, blocks: Iterable[bytes]) -> None:
                staged.append(self._stage(name, blocks, executor))

            yield receive
            list(map_ahead(self._commit, staged, executor, _MAX_TRANSFERS))

    @contextmanager
    def adopting(self) -> Iterator[tuple[str, dict[str, str]]]:
        """See `Lake`. The service copies adopted objects within the account."""
        self._remove_abandoned()
        folder = f"{STAGING}/{uuid.uuid4().hex}"
        adopted: dict[str, str] = {}
        try:
            yield folder, adopted
            for name, staged in adopted.items():
                self._copy(staged, name)
        finally:
            self.delete_folder(folder)

    def _remove_abandoned(self) -> None:
        oldest = dt.datetime.now(dt.UTC) - ABANDONED_AFTER
        staged = reversed(self.objects(STAGING))
        self.delete([item.name for item in staged if item.modified < oldest])

    def _copy(self, source: str, name: str) -> None:
        blob = self._container.get_blob_client(name)
        waiting = Retrying(
            retry=retry_if_result(lambda status: status == "pending"),
            wait=wait_fixed(_COPY_POLL_S),
            stop=stop_after_delay(_COPY_TIMEOUT_S),
        )
        with self._clear_errors(source):
            blob.start_copy_from_url(self._container.get_blob_client(source).url)
            try:
                status = waiting(lambda: blob.get_blob_properties().copy.status)
            except RetryError:
                status = f"not done after {_COPY_TIMEOUT_S:,} seconds"
        if status != "success":
            raise LakeUnavailable(f"{self}/{source} cannot be copied to {name}: {status}")

    def delete(self, names: Iterable[str]) -> None:
        """See `Lake`."""
        for name in names:
            with suppress(FileNotFoundError), self._clear_errors(name):
                self._container.delete_blob(name)

    def delete_folder(self, folder: str) -> None:
        """See `Lake`."""
        # With a hierarchical namespace, folders are objects and must be empty to be deleted.
        self.delete([*(item.name for item in reversed(self.objects(folder))), folder])

    @cached_property
    def _container(self) -> "ContainerClient":
        try:
            return self._service(self._account).get_container_client(self._name)
        except ValueError as error:  # such as an account that the address does not name
            raise InputError(
                f"{self} (DS_ASSETS_LAKE_URL) cannot be used with the credential given: "
                f"{str(error).rstrip('.')}; with AZURE_STORAGE_KEY it must be "
                "https://ACCOUNT.blob.core.windows.net/CONTAINER"
            ) from None

    def _stage(self, name: str, blocks: Iterable[bytes], executor: ThreadPoolExecutor) -> "_Staged":
        blob = self._container.get_blob_client(name)

        def stage(block: bytes) -> str:
            block_id = uuid.uuid4().hex  # ids of one blob must have the same length
            with self._clear_errors(name):
                blob.stage_block(block_id, block, validate_content=True)
            return block_id

        return _Staged(name, list(map_ahead(stage, blocks, executor, 1)))

    def _commit(self, staged: "_Staged") -> None:
        from azure.storage.blob import BlobBlock  # noqa: PLC0415  (as above)

        blob = self._container.get_blob_client(staged.name)
        with self._clear_errors(staged.name):
            blob.commit_block_list([BlobBlock(block_id) for block_id in staged.blocks])

    @retry(  # the object may be replaced between the two requests
        retry=retry_if_exception_type(_ReplacedError),
        stop=stop_after_attempt(_FETCH_ATTEMPTS),
        reraise=True,
    )
    def _fetch(self, name: str) -> Path:
        from azure.core import MatchConditions  # noqa: PLC0415  (as above)

        blob = self._container.get_blob_client(name)
        with self._clear_errors(name):
            tag = blob.get_blob_properties().etag
        folder, _, file = name.rpartition("/")
        copy = self._cache / folder / tag.strip('"') / file
        if copy.exists():
            copy.touch()  # see _remove_unused
            return copy
        self._remove_unused()
        copy.parent.mkdir(parents=True, exist_ok=True)
        partial = copy.with_name(f"{file}.{uuid.uuid4().hex}")
        with self._clear_errors(name), partial.open("wb") as out:
            current = MatchConditions.IfNotModified
            content = blob.download_blob(etag=tag, match_condition=current, validate_content=True)
            out.writelines(content.chunks())
        partial.replace(copy)
        return copy

    def _remove_unused(self) -> None:
        if time.monotonic() - self._cleaned_at < _CLEANING_INTERVAL_S:
            return
        self._cleaned_at = time.monotonic()
        oldest = time.time() - ABANDONED_AFTER.total_seconds()
        for path in self._cache.rglob("*"):
            with suppress(FileNotFoundError):  # another process removed it first
                if path.is_file() and path.stat().st_mtime < oldest:
                    path.unlink()

    @contextmanager
    def _clear_errors(self, name: str = "") -> Iterator[None]:
        """Turn errors of the service into sentences, without any credential."""
        from azure.core import exceptions as azure  # noqa: PLC0415  (as above)

        setting = " (DS_ASSETS_LAKE_URL)"
        lake, where = f"{self}{setting}", f"{self}/{name}".rstrip("/") + setting
        try:
            yield
        except azure.ResourceNotFoundError as error:
            if _code(error) == "ContainerNotFound":
                raise InputError(f"{lake}: there is no such container; create it") from None
            raise FileNotFoundError(f"there is no {where}") from None
        except azure.ResourceModifiedError:
            raise _ReplacedError(f"{where} is replaced again and again") from None
        except azure.AzureError as error:
            is_denied = isinstance(error, azure.ClientAuthenticationError)
            if is_denied or _status(error) == HTTPStatus.FORBIDDEN:
                raise InputError(
                    f"{lake} is refused, {_reason(error)}; see AZURE_STORAGE_KEY, "
                    "AZURE_STORAGE_SAS_TOKEN or the machine's identity"
                ) from None
            if is_temporary(_status(error)):
                raise LakeUnavailable(f"{where} cannot be used: {_reason(error)}") from None
            raise InputError(f"{where} is refused, {_reason(error)}") from None


@dataclass(frozen=True)
class _Staged:
    """An object that was uploaded but not committed: its name and the ids of its blocks."""

    name: str
    blocks: list[str]


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as content:
        yield from iter(lambda: content.read(BLOCK), b"")


def _status(error: Exception) -> int:
    """Return the status of the service's answer; 599 if it did not answer."""
    return int(getattr(error, "status_code", None) or _NO_ANSWER)


def _code(error: Exception) -> str:
    """Return the service's error code; empty if it did not answer."""
    code = getattr(error, "error_code", None) or getattr(error, "reason", None) or ""
    return str(getattr(code, "value", code))  # its known codes are an enumeration


def _reason(error: Exception) -> str:
    # Not the error's own text, which may contain the URL with its SAS token.
    kind = type(error).__name__
    if kind == "AzureSigningError":
        return "the account key is not Base64"
    if code := _code(error):
        return code
    if "Timeout" in kind:
        return "no answer in time"
    if kind == "ServiceRequestError":
        return "no connection"
    return "the connection broke" if kind == "ServiceResponseError" else kind
