"""Copy with rclone: `python -m benchmarks.controls.rclone_copy BUCKET PREFIX CONTAINER`.

CONTAINER is a URL. As it does by default, rclone compares the checksums of both sides after each
object. Its start is part of the time: some 0.1 s.
"""

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Mapping

from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from benchmarks.child import Start, tell
from ds_assets.local_servers.install import path_of


def run(bucket: str, prefix: str, container: str) -> None:
    name = container.rpartition("/")[2]
    subprocess.run(
        [path_of("rclone"), "copy", f"source:{bucket}/{prefix}", f"lake:{name}/{prefix}"],
        env=_remotes(container, os.environ),
        check=True,
    )


def _remotes(container: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Configuration of rclone in variables, and nothing else of the environment.

    An account by its key would have to be at `https://ACCOUNT.HOST`: a signed address can be any.
    """
    account, name = container.rsplit("/", 2)[1:]
    signature = generate_container_sas(
        account,
        name,
        account_key=environment["AZURE_STORAGE_KEY"],
        permission=ContainerSasPermissions(read=True, write=True, create=True, list=True),
        expiry=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1),
    )
    return {
        "PATH": environment.get("PATH", os.defpath),
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_CONFIG_SOURCE_TYPE": "s3",
        "RCLONE_CONFIG_SOURCE_PROVIDER": "Other",
        "RCLONE_CONFIG_SOURCE_ENDPOINT": environment["AWS_ENDPOINT_URL_S3"],
        "RCLONE_CONFIG_SOURCE_ACCESS_KEY_ID": environment["AWS_ACCESS_KEY_ID"],
        "RCLONE_CONFIG_SOURCE_SECRET_ACCESS_KEY": environment["AWS_SECRET_ACCESS_KEY"],
        "RCLONE_CONFIG_SOURCE_REGION": environment["AWS_REGION"],
        "RCLONE_CONFIG_LAKE_TYPE": "azureblob",
        "RCLONE_CONFIG_LAKE_SAS_URL": f"{container}?{signature}",
    }


def main() -> None:
    bucket, prefix, container = sys.argv[1:4]
    start = Start.now()
    run(bucket, prefix, container)
    tell(start)


if __name__ == "__main__":
    main()
