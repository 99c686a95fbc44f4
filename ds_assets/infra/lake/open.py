"""Choosing the kind of lake that an installation's settings name."""

from pathlib import Path

from ds_assets.infra.lake.azure_blob import BlobLake, blob_service, credential_of_environment
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.folder import FolderLake


def open_lake(url: str, folder: Path, cache: Path) -> Lake:
    """Open the lake in an Azure Blob container, or in a folder if no container is named.

    Args:
        url: `https://ACCOUNT.blob.core.windows.net/CONTAINER`, or empty.
        folder: Folder of the lake if `url` is empty.
        cache: Folder for local copies of the container's objects.
    """
    if not url:
        return FolderLake(folder)
    return BlobLake(url, lambda account: blob_service(account, credential_of_environment()), cache)
