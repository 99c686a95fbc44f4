"""The log source: where the game leaves its log files, a folder for each day.

Belongs here: finding the objects of a day and reading them, in a folder or in S3. The source is
never written.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ds_assets.errors import InputError
from ds_assets.resources.lake import file_tag

_FIRST_SERVER_ERROR = 500  # of HTTP: what is below is the request's fault


@dataclass(frozen=True)
class SourceObject:
    """An object of one day.

    Attributes:
        name: Name below the day's folder.
        key: Name in the source.
        size: Bytes.
        tag: Changes when the content does.
    """

    name: str
    key: str
    size: int
    tag: str


class SourceChangedError(Exception):
    """An object was replaced, extended or removed while it was read."""


class LogSource(Protocol):
    """What every log source can do."""

    def folder(self, day: dt.date) -> str:
        """Where a day's objects lie, for people."""
        ...

    def objects(self, day: dt.date) -> list[SourceObject]:
        """Objects of a day, by name; those whose name begins with . or _ are no logs."""
        ...

    def open(self, item: SourceObject) -> AbstractContextManager[BinaryIO]:
        """An object's content, to be read as a stream within the context.

        Raises:
            SourceChangedError: what was read is not, or not only, what the item describes.
        """
        ...


class FolderLogSource:
    """Logs in a folder of this machine."""

    def __init__(self, root: Path, day_path: str) -> None:
        self._root = root
        self._day_path = day_path

    def __str__(self) -> str:
        return str(self._root)

    def folder(self, day: dt.date) -> str:
        """See `LogSource`."""
        return f"{self._root / day.strftime(self._day_path)}"

    def objects(self, day: dt.date) -> list[SourceObject]:
        """See `LogSource`."""
        folder = self._root / day.strftime(self._day_path)
        files = (path for path in folder.rglob("*") if path.is_file())
        return sorted(
            (_described(path, folder) for path in files if _is_log(path.name)),
            key=lambda item: item.name,
        )

    @contextmanager
    def open(self, item: SourceObject) -> Iterator[BinaryIO]:
        """See `LogSource`."""
        path = self._root / item.key
        with _changed_if_missing(path):
            content = path.open("rb")
        with content:
            yield content
        with _changed_if_missing(path):
            tag = file_tag(path.stat())
        if tag != item.tag:
            raise _changed(str(path))


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
        # A name that ends with a slash is what consoles make for an empty folder.
        logs = (one for one in found if _is_log(one.name.rpartition("/")[2]))
        return sorted(logs, key=lambda item: item.name)

    @contextmanager
    def open(self, item: SourceObject) -> Iterator[BinaryIO]:
        """See `LogSource`. Length and checksum are compared by boto3 as the content passes."""
        with self._clear_errors(item.key):
            answer = self._client.get_object(
                Bucket=self._bucket, Key=item.key, IfMatch=item.tag, ChecksumMode="ENABLED"
            )
        with closing(answer["Body"]) as content:
            yield content

    @contextmanager
    def _clear_errors(self, key: str = "") -> Iterator[None]:
        """What S3 refuses, in words. What a new attempt may mend is passed on as it is."""
        from botocore.exceptions import ClientError, NoCredentialsError  # noqa: PLC0415  (slow)

        where = f"s3://{self._bucket}/{key or self._prefix}"
        try:
            yield
        except NoCredentialsError as error:
            raise InputError(f"{where} (DS_ASSETS_SOURCE_URL): {error}") from None
        except ClientError as error:
            said, answer = error.response["Error"], error.response["ResponseMetadata"]
            if said["Code"] in {"PreconditionFailed", "NoSuchKey"}:
                raise _changed(where) from None
            if answer["HTTPStatusCode"] < _FIRST_SERVER_ERROR:
                words = f"{said['Code']}: {said.get('Message', '')}"
                raise InputError(f"{where} (DS_ASSETS_SOURCE_URL) is refused, {words}") from None
            raise


def _is_log(name: str) -> bool:
    return bool(name) and name[0] not in "._"


@contextmanager
def _changed_if_missing(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise _changed(str(path)) from None


def _changed(name: str) -> SourceChangedError:
    return SourceChangedError(f"{name} changed while it was copied; is it being written?")


def _described(path: Path, folder: Path) -> SourceObject:
    stat = path.stat()
    name = path.relative_to(folder).as_posix()
    return SourceObject(name, str(path), stat.st_size, file_tag(stat))
