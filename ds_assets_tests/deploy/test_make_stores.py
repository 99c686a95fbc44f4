import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from azure.storage.blob import BlobServiceClient

from ds_assets.local_servers.blob import BlobServer
from ds_assets.local_servers.s3 import S3Server
from ds_assets_tests.deploy.files import DEPLOY

pytestmark = pytest.mark.server


def test_bucket_and_container_are_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with S3Server() as s3, BlobServer(tmp_path / "blob") as blob:
        monkeypatch.setenv("DS_ASSETS_SOURCE_URL", "s3://logs")
        monkeypatch.setenv("DS_ASSETS_LAKE_URL", f"{blob.url}/lake")
        monkeypatch.setenv("AZURE_STORAGE_KEY", blob.key)
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        for _ in range(2):
            command = [sys.executable, str(DEPLOY / "make_stores.py")]
            subprocess.run(command, check=True)  # noqa: S603  (of this project)
        buckets = boto3.client("s3").list_buckets()["Buckets"]
        key = {"account_name": "private", "account_key": blob.key}
        with BlobServiceClient(blob.url, credential=key) as client:
            containers = [it.name for it in client.list_containers()]
    assert ([it["Name"] for it in buckets], containers) == (["logs"], ["lake"])
