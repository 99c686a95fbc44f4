"""Real servers for the tests, one of each kind for a process of tests, started when first needed.

`DS_ASSETS_TEST_MYSQL_URL`, `…_POSTGRESQL_URL`, `…_REDIS_URL`, `…_BLOB_URL` and `…_S3_URL` name
servers to use in their place; credentials of the last two are where Azure's and AWS's own tools
look for them.
"""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from ds_assets.infra.log_source.s3 import s3_client
from ds_assets.local_servers.blob import BlobServer
from ds_assets.local_servers.mysql import MySQLServer
from ds_assets.local_servers.postgresql import PostgreSQLServer
from ds_assets.local_servers.redis import RedisServer
from ds_assets.local_servers.s3 import S3Server

BUCKET = "game-logs"

# An example is not wrong because the machine is busy. `make test` takes `whole`, whose examples are
# the same in every run: what it says of a commit must not depend on chance. `make test-fast` takes
# `quick` and `make fuzz` takes `many`, which look for new examples.
settings.register_profile("whole", deadline=None, derandomize=True)
settings.register_profile("quick", deadline=None, max_examples=20)
settings.register_profile("many", deadline=None, max_examples=1_000)
settings.load_profile("whole")

# A process of tests imports all libraries. Python's default, a collection for every 700 new
# objects, spends a tenth of the processor time on going through them again and again. What is
# imported during pytest's collection stays until the end, so that is never searched for garbage.
gc.set_threshold(20_000)
gc.disable()

# Some tests fork processes from one that has imported pyarrow, which would start a thread for an
# allocator that nothing uses. What a thread holds while another one forks is held for ever.
os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"

HARD_LINKED = ("lake", "source")
"""Folders of an installation whose files a copy shares with the original."""

_SHARED = "DS_ASSETS_TEST_SHARED"


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the process that starts the others
        os.environ[_SHARED] = tempfile.mkdtemp(prefix="ds_assets_tests_")


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(_SHARED), ignore_errors=True)


def shared_folder() -> Path:
    """A folder for what all processes of a test run share; it goes when the run ends."""
    return Path(os.environ[_SHARED])


def finished_home() -> Path:
    """Home of the finished month that `assets/factories.py` makes."""
    return shared_folder() / "finished"


def finished_marker() -> Path:
    """File that is written once the finished month is made."""
    return shared_folder() / "finished is made"


@pytest.fixture(scope="session", autouse=True)
def _finished_month_is_left_as_it_was_made() -> Iterator[None]:
    yield
    if not finished_marker().exists():
        return
    made_at = finished_marker().stat().st_mtime
    files = [file for folder in HARD_LINKED for file in (finished_home() / folder).rglob("*")]
    changed = [file for file in files if file.is_file() and file.stat().st_mtime > made_at]
    assert not changed, "a test wrote into files that copies of the finished month share"


@pytest.fixture(scope="session")
def mysql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SQLAlchemy URL of an empty database, with a user who may do everything."""
    if url := os.environ.get("DS_ASSETS_TEST_MYSQL_URL"):
        yield url
        return
    with MySQLServer(tmp_path_factory.mktemp("mysql")) as server:
        yield server.url


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SQLAlchemy URL of an empty database, with a user who may do everything."""
    if url := os.environ.get("DS_ASSETS_TEST_POSTGRESQL_URL"):
        yield url
        return
    with PostgreSQLServer(tmp_path_factory.mktemp("postgresql")) as server:
        yield server.url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a Redis server."""
    if url := os.environ.get("DS_ASSETS_TEST_REDIS_URL"):
        yield url
        return
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(scope="session")
def blob_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an account of Azure Blob; its key is where Azure's own tools look for it."""
    if url := os.environ.get("DS_ASSETS_TEST_BLOB_URL"):
        yield url
        return
    with (
        pytest.MonkeyPatch.context() as environment,
        BlobServer(tmp_path_factory.mktemp("blob")) as server,
    ):
        environment.setenv("AZURE_STORAGE_KEY", server.key)
        yield server.url


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """A client of an S3 server with one bucket, to which AWS's environment leads all clients."""
    with pytest.MonkeyPatch.context() as environment, ExitStack() as stack:
        if url := os.environ.get("DS_ASSETS_TEST_S3_URL"):
            environment.setenv("AWS_ENDPOINT_URL_S3", url)
        else:
            for name, value in stack.enter_context(S3Server()).environment.items():
                environment.setenv(name, value)
        client = stack.enter_context(closing(s3_client()))
        client.create_bucket(Bucket=BUCKET)
        yield client
