"""Logs in an S3 bucket.

Scope: listing and streaming the objects of a day, with bounded waits.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random

from ds_assets.errors import InputError
from ds_assets.infra.log_source.base import (
    Entries,
    SourceObject,
    SourceUnavailable,
    source_changed,
)
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.transfer import (
    BLOCK,
    CONNECT_TIMEOUT_S,
    MAX_ATTEMPTS,
    READ_TIMEOUT_S,
    is_temporary,
)
from ds_assets.path_patterns import PathPattern

_MAX_PAUSE_S = 1
_CREDENTIALS = "see AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE or the machine's role"


class S3LogSource:
    """Logs in a bucket of S3, or of an S3-compatible store.

    Args:
        client: boto3 client of S3.
        address: `s3://BUCKET/PREFIX`, below which the logs are.
        pattern: Where the files of a day are below it.
    """

    def __init__(self, client: Any, address: str, pattern: PathPattern) -> None:
        self._client = client
        self._bucket, _, prefix = address.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
        self.pattern = pattern

    def __str__(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def folder(self, day: dt.date) -> str:
        """See `DailyFiles`."""
        return DayFolders(self).folder(day)

    def objects(self, day: dt.date) -> list[SourceObject]:
        """See `DailyFiles`."""
        return DayFolders(self).objects(day)

    def entries(self, parent: str) -> Entries:
        """See `LogSource`."""
        prefix = f"{self._prefix}{parent}/" if parent else self._prefix
        pages = self._pages(Prefix=prefix, Delimiter="/")
        folders = frozenset(
            entry["Prefix"].removeprefix(prefix).rstrip("/")
            for page in pages
            for entry in page.get("CommonPrefixes", ())
        )
        return Entries(folders, {file.name: file for file in _list_objects(pages, prefix)})

    def below(self, folder: str) -> list[SourceObject]:
        """See `LogSource`."""
        prefix = f"{self._prefix}{folder}/"
        return [*_list_objects(self._pages(Prefix=prefix), prefix)]

    def _pages(self, **selection: str) -> list[dict[str, Any]]:
        with self._clear_errors():
            paginator = self._client.get_paginator("list_objects_v2")
            return list(paginator.paginate(Bucket=self._bucket, **selection))

    def blocks(self, item: SourceObject) -> Iterator[bytes]:
        """See `DailyFiles`.

        A broken download is resumed where it broke off. boto3 verifies S3's checksum of the object
        if it is downloaded in one piece.
        """
        content = _ResumableBody(item.size, lambda start: self._content(item, start))
        with closing(content), self._clear_errors(item.key):
            yield from iter(content.read, b"")

    def _content(self, item: SourceObject, start: int) -> Any:
        part = {"Range": f"bytes={start}-"} if start else {"ChecksumMode": "ENABLED"}
        version = {"Bucket": self._bucket, "Key": item.key, "IfMatch": item.tag}
        return self._client.get_object(**version, **part)["Body"]

    @contextmanager
    def _clear_errors(self, key: str = "") -> Iterator[None]:
        """Turn errors of S3 into sentences that name the object and the setting."""
        from botocore import exceptions as aws  # noqa: PLC0415  (slow)

        where = f"s3://{self._bucket}/{key or self._prefix}"
        try:
            yield
        except (aws.NoCredentialsError, aws.PartialCredentialsError) as error:
            raise InputError(f"{where} (DS_ASSETS_SOURCE_URL): {error}; {_CREDENTIALS}") from None
        except aws.ParamValidationError:
            raise InputError(
                f"{where} (DS_ASSETS_SOURCE_URL) does not name a bucket; accepted are letters, "
                "digits, '.', '-' and '_'"
            ) from None
        except aws.ClientError as error:
            details, response = error.response["Error"], error.response["ResponseMetadata"]
            if details["Code"] in {"PreconditionFailed", "NoSuchKey"}:
                raise source_changed(where) from None
            reason = f"{details['Code']}: {details.get('Message', '')}"
            if is_temporary(response["HTTPStatusCode"]):
                raise self._unavailable(where, reason) from None
            advice = "correct it" if details["Code"] == "NoSuchBucket" else _CREDENTIALS
            raise InputError(
                f"{where} (DS_ASSETS_SOURCE_URL) is refused, {reason.rstrip('.')}; {advice}"
            ) from None
        except aws.BotoCoreError as error:
            raise self._unavailable(where, str(error)) from None

    def _unavailable(self, where: str, reason: str) -> SourceUnavailable:
        address = self._client.meta.endpoint_url
        return SourceUnavailable(
            f"{where} (DS_ASSETS_SOURCE_URL) cannot be used at {address}: {reason}"
        )


class _ResumableBody:
    """An object's content, whose download resumes where a connection broke.

    Args:
        size: Size of the object in bytes.
        download: Starts a download at an offset in bytes.
    """

    def __init__(self, size: int, download: Callable[[int], Any]) -> None:
        self._size = size
        self._download = download
        self._body: Any = None
        self._offset = 0

    def close(self) -> None:
        """Close the connection."""
        if self._body is not None:
            self._body.close()
        self._body = None

    def read(self) -> bytes:
        """Return the next block; an empty one at the end."""
        for attempt in Retrying(
            retry=retry_if_exception(_is_broken),
            stop=stop_after_attempt(MAX_ATTEMPTS),
            wait=wait_random(0, _MAX_PAUSE_S),
            reraise=True,
        ):
            with attempt:
                return self._read()
        raise AssertionError("the last attempt returns or raises")

    def _read(self) -> bytes:
        if self._body is None:
            if 0 < self._size == self._offset:
                return b""  # it broke after the last byte
            self._body = self._download(self._offset)
        try:
            block: bytes = self._body.read(BLOCK)
        except Exception:
            self.close()
            raise
        self._offset += len(block)
        return block


def _is_broken(error: BaseException) -> bool:
    from botocore import exceptions as aws  # noqa: PLC0415  (slow)

    broken = (aws.ReadTimeoutError, aws.ResponseStreamingError, aws.IncompleteReadError)
    return isinstance(error, broken)


def _list_objects(pages: list[dict[str, Any]], prefix: str) -> Iterator[SourceObject]:
    """Yield what pages of a listing hold, with names relative to a prefix."""
    for page in pages:
        for entry in page.get("Contents", ()):
            key: str = entry["Key"]
            if not key.endswith("/"):  # an empty folder, as consoles create it
                yield SourceObject(
                    key.removeprefix(prefix),
                    key,
                    entry["Size"],
                    entry["ETag"],
                    entry["LastModified"],
                )


def s3_client() -> Any:
    """Open an S3 client whose requests end within a bounded time.

    Endpoint, region and credentials come from the AWS environment variables and profile.

    boto3 is used directly because `dagster_aws.s3.S3Resource` has no timeouts: its client, which
    takes the same environment, waits for minutes for a server that does not answer.

    Raises:
        InputError: a setting of AWS is not valid.
    """
    # Slow to import, and not every process reads S3.
    from boto3.session import Session  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
    )
    try:
        return Session().client("s3", config=config)
    except (BotoCoreError, ValueError) as error:  # such as half of a key pair, or no endpoint
        raise InputError(
            f"DS_ASSETS_SOURCE_URL needs valid settings of AWS: {error}; see AWS_PROFILE, "
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL_S3"
        ) from None
