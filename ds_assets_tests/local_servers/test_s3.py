import boto3
import pytest

from ds_assets.local_servers.s3 import S3Server

pytestmark = pytest.mark.server


def test_server_starts_without_the_objects_of_an_earlier_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    buckets = []
    for name in ("first", "second"):
        with S3Server() as server:
            for variable, value in server.environment.items():
                monkeypatch.setenv(variable, value)
            client = boto3.client("s3")
            client.create_bucket(Bucket=name)
            buckets.append([it["Name"] for it in client.list_buckets()["Buckets"]])
    assert buckets == [["first"], ["second"]]
