"""The lake that an installation names.

Belongs here: the choice between the kinds of lakes.
"""

from pathlib import Path

from ds_assets.infra.lake.azure_blob import BlobLake, blob_service, credential_of_environment
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.folder import FolderLake


def open_lake(url: str, folder: Path, cache: Path) -> Lake:
    """The lake at an address of Azure Blob; without one, that in a folder.

    Args:
        url: `https://ACCOUNT.blob.core.windows.net/CONTAINER`, or empty.
        folder: Folder of the lake, where there is no address.
        cache: Folder for local copies of what lies at the address.
    """
    if not url:
        return FolderLake(folder)
    return BlobLake(url, lambda account: blob_service(account, credential_of_environment()), cache)
