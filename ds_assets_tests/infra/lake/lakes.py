"""Lakes of every kind for tests, each empty."""

import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ds_assets.infra.lake.azure_blob import BlobLake, blob_service, credential_of_environment
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.folder import FolderLake

KINDS = ["folder", pytest.param("Blob", marks=pytest.mark.server)]


def make_lake(kind: str, folder: Path, request: pytest.FixtureRequest) -> Lake:
    """A lake in a folder, or in a new container of the Blob server of the tests."""
    if kind == "folder":
        return FolderLake(folder / "lake")
    return make_blob_lake(request.getfixturevalue("blob_url"), folder)


def make_blob_lake(account: str, folder: Path) -> BlobLake:
    """A lake in a new container."""
    address = f"{account}/{uuid.uuid4().hex}"
    with blob_service(account, credential_of_environment()) as service:
        service.create_container(address.rpartition("/")[2])
    return BlobLake(
        address, lambda at: blob_service(at, credential_of_environment()), folder / "lake cache"
    )


def put_many(lake: Lake, names: Iterable[str]) -> None:
    """Put many small objects, as fast as the server takes them."""
    with ThreadPoolExecutor(8) as executor:
        if isinstance(lake, BlobLake):
            list(executor.map(lambda name: lake._container.upload_blob(name, b"x"), names))
        else:
            list(executor.map(lambda name: lake.write(name, b"x"), names))
