"""The demo's private servers: S3, Azure Blob, MySQL and Redis, instead of folders and files.

Scope: starting them, and setting the environment so that this process and its children use them.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ds_assets.errors import InputError
from ds_assets.infra.lake.azure_blob import blob_service, credential_of_environment
from ds_assets.infra.log_source.s3 import s3_client
from ds_assets.local_servers.blob import BlobServer
from ds_assets.local_servers.install import install_missing
from ds_assets.local_servers.mysql import MySQLServer
from ds_assets.local_servers.redis import RedisServer

BUCKET = "game-logs"
CONTAINER = "lake"


@contextmanager
def private_servers(folder: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Run servers in a folder while the context lasts; the environment points to them.

    Args:
        folder: Empty folder for their data.
        report: Called with a message for what is installed and started.

    Raises:
        InputError: a program is missing and cannot be installed, or does not start.
    """
    install_missing(report)
    with ExitStack() as stack:
        s3 = stack.enter_context(_s3())
        blob = stack.enter_context(BlobServer(folder / "blob"))
        mysql = stack.enter_context(MySQLServer(folder / "mysql"))
        redis = stack.enter_context(RedisServer(folder / "redis"))
        os.environ |= s3 | {
            "AZURE_STORAGE_KEY": blob.key,
            "DS_ASSETS_SOURCE_URL": f"s3://{BUCKET}",
            "DS_ASSETS_LAKE_URL": f"{blob.url}/{CONTAINER}",
            "DS_ASSETS_RESULTS_URL": mysql.url,
            "DS_ASSETS_CACHE_URL": redis.url,
        }
        _make_bucket_and_container(blob.url)
        report("S3, Azure Blob, MySQL and Redis are private servers on 127.0.0.1")
        yield


def upload(source: Path, folders: Iterable[str], progress: Callable[[int], None]) -> None:
    """Upload the files of folders to the bucket.

    Args:
        source: Folder of the log source.
        folders: Folders of days in it.
        progress: Called after each folder with the number of folders so far.
    """
    client = s3_client()
    for number, folder in enumerate(folders, start=1):
        for path in sorted((source / folder).iterdir()):
            client.upload_file(str(path), BUCKET, path.relative_to(source).as_posix())
        progress(number)
    client.close()


@contextmanager
def _s3() -> Iterator[dict[str, str]]:
    try:
        from ds_assets.local_servers.s3 import S3Server  # noqa: PLC0415  (of an optional extra)

        server = S3Server()
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed; pip install 'ds_assets[services]'"
        ) from None
    with server:
        yield server.environment


def _make_bucket_and_container(account: str) -> None:
    client = s3_client()
    client.create_bucket(Bucket=BUCKET)
    client.close()
    with blob_service(account, credential_of_environment()) as service:
        service.create_container(CONTAINER)
