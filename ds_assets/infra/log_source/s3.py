"""Logs in an S3 bucket.

Scope: listing and streaming a day's objects with bounded waits.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random

from ds_assets.errors import InputError
from ds_assets.infra.log_source.base import SourceObject, SourceUnavailable, is_log, source_changed
from ds_assets.infra.transfer import BLOCK

_ATTEMPTS = 2
_PAUSE_SECONDS = 1
_FIRST_SERVER_ERROR = 500  # of HTTP: what is below is the request's fault


class S3LogSource:
    """Logs in a bucket of S3, or of a store that speaks as S3 does.

    Args:
        client: boto3's client of S3.
        address: `s3://BUCKET/PREFIX`; day folders lie below it.
        day_path: Pattern of a day's folder, as `strftime` takes it.
    """

    def __init__(self, client: Any, address: str, day_path: str) -> None:
        self._client = client
        self._bucket, _, prefix = address.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
        self._day_path = day_path

    def __str__(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def folder(self, day: dt.date) -> str:
        """See `LogSource`."""
        return f"{self}{day.strftime(self._day_path)}"

    def objects(self, day: dt.date) -> list[SourceObject]:
        """See `LogSource`."""
        prefix = f"{self._prefix}{day.strftime(self._day_path)}/"
        with self._clear_errors():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            listed = [one for page in pages for one in page.get("Contents", ())]
        found = (
            SourceObject(one["Key"].removeprefix(prefix), one["Key"], one["Size"], one["ETag"])
            for one in listed
        )
        logs = (one for one in found if is_log(one.name))
        return sorted(logs, key=lambda item: item.name)

    def blocks(self, item: SourceObject) -> Iterator[bytes]:
        """See `LogSource`.

        A connection that breaks is resumed where it broke. boto3 compares the checksum that S3
        keeps of an object as it passes, where it passes in one go.
        """
        content = _Resumed(item.size, lambda start: self._content(item, start))
        with closing(content), self._clear_errors(item.key):
            yield from iter(content.read, b"")

    def _content(self, item: SourceObject, start: int) -> Any:
        rest = {"Range": f"bytes={start}-"} if start else {"ChecksumMode": "ENABLED"}
        where = {"Bucket": self._bucket, "Key": item.key, "IfMatch": item.tag}
        return self._client.get_object(**where, **rest)["Body"]

    @contextmanager
    def _clear_errors(self, key: str = "") -> Iterator[None]:
        """What S3 refuses, or fails in, in words."""
        from botocore import exceptions as aws  # noqa: PLC0415  (slow)

        where = f"s3://{self._bucket}/{key or self._prefix}"
        try:
            yield
        except aws.NoCredentialsError as error:
            raise InputError(f"{where} (DS_ASSETS_SOURCE_URL): {error}") from None
        except aws.ClientError as error:
            said, answer = error.response["Error"], error.response["ResponseMetadata"]
            if said["Code"] in {"PreconditionFailed", "NoSuchKey"}:
                raise source_changed(where) from None
            words = f"{said['Code']}: {said.get('Message', '')}"
            if answer["HTTPStatusCode"] < _FIRST_SERVER_ERROR:
                raise InputError(f"{where} (DS_ASSETS_SOURCE_URL) is refused, {words}") from None
            raise self._unavailable(where, words) from None
        except aws.BotoCoreError as error:
            raise self._unavailable(where, str(error)) from None

    def _unavailable(self, where: str, words: str) -> SourceUnavailable:
        address = self._client.meta.endpoint_url
        return SourceUnavailable(
            f"{where} (DS_ASSETS_SOURCE_URL) cannot be used at {address}: {words}"
        )


class _Resumed:
    """An object's content; a connection that breaks is made again from where it broke."""

    def __init__(self, size: int, content: Callable[[int], Any]) -> None:
        self._size = size
        self._content = content
        self._body: Any = None
        self._done = 0

    def close(self) -> None:
        """Leave the connection."""
        if self._body is not None:
            self._body.close()
        self._body = None

    def read(self) -> bytes:
        """The next block; an empty one is the end."""
        for attempt in Retrying(
            retry=retry_if_exception(_is_broken),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random(0, _PAUSE_SECONDS),
            reraise=True,
        ):
            with attempt:
                return self._read()
        raise AssertionError("the last attempt returns or raises")

    def _read(self) -> bytes:
        if self._body is None:
            if 0 < self._size == self._done:
                return b""  # it broke after the last byte
            self._body = self._content(self._done)
        try:
            block: bytes = self._body.read(BLOCK)
        except Exception:
            self.close()
            raise
        self._done += len(block)
        return block


def _is_broken(error: BaseException) -> bool:
    from botocore import exceptions as aws  # noqa: PLC0415  (slow)

    broken = (aws.ReadTimeoutError, aws.ResponseStreamingError, aws.IncompleteReadError)
    return isinstance(error, broken)


_CONNECT_SECONDS = 4
_ANSWER_SECONDS = 7


def s3_client() -> Any:
    """A client of S3, whose calls end within a bounded time, also when nobody answers.

    Address, region and credentials come from AWS's own environment.
    """
    # Slow to import, and not always used.
    from boto3.session import Session  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415
    from dagster_aws.s3 import S3Resource  # noqa: PLC0415

    class BoundedS3(S3Resource):
        """Dagster's resource of S3, which has no settings for the time that a call may take."""

        def get_client(self) -> Any:
            config = Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_ANSWER_SECONDS,
                retries={"mode": "standard", "total_max_attempts": self.max_attempts},
            )
            return Session().client("s3", config=config)

    return BoundedS3(max_attempts=2).get_client()
