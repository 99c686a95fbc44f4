"""Make the bucket of the logs and the container of the lake in the stand-ins of compose.yaml.

In a cloud they are made once, with the rights that are theirs. The addresses and keys are the
settings of the installation; stores that exist stay as they are.
"""

import os
from contextlib import suppress
from urllib.parse import urlsplit

import boto3
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import ContainerClient
from tenacity import retry, stop_after_delay, wait_fixed

SECONDS = 60
"""Time for the stand-ins to start."""


@retry(stop=stop_after_delay(SECONDS), wait=wait_fixed(1), reraise=True)
def make_bucket(address: str) -> None:
    """Make the bucket of an address, `s3://BUCKET/PREFIX`."""
    client = boto3.client("s3")
    with suppress(client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket=urlsplit(address).netloc)


@retry(stop=stop_after_delay(SECONDS), wait=wait_fixed(1), reraise=True)
def make_container(address: str, key: str) -> None:
    """Make the container of an address, `http://HOST:PORT/ACCOUNT/CONTAINER`."""
    account = urlsplit(address).path.split("/")[1]
    credential = {"account_name": account, "account_key": key}
    with (
        ContainerClient.from_container_url(address, credential=credential) as client,
        suppress(ResourceExistsError),
    ):
        client.create_container()


if __name__ == "__main__":
    make_bucket(os.environ["DS_ASSETS_SOURCE_URL"])
    make_container(os.environ["DS_ASSETS_LAKE_URL"], os.environ["AZURE_STORAGE_KEY"])
