"""What every log source must do, in a folder and in S3 alike; and what is each one's own."""

import datetime as dt
import io
import os
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from boto3.s3.transfer import TransferConfig
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from ds_assets.errors import InputError
from ds_assets.infra.log_source.base import LogSource, SourceChangedError, SourceUnavailable
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets.infra.log_source.s3 import S3LogSource, s3_client
from ds_assets.infra.transfer import BLOCK
from ds_assets.path_patterns import PathPattern
from ds_assets_tests.conftest import BUCKET
from ds_assets_tests.infra.object_stores import refusing_store

DAY = dt.date(2026, 3, 7)


class Store(Protocol):
    """A store of logs that a test can write to."""

    def source(self, day_path: str = "dt=%Y-%m-%d") -> LogSource: ...

    def put(self, key: str, content: bytes) -> None: ...

    def remove(self, key: str) -> None: ...


class FolderStore:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.written = 0

    def source(self, day_path: str = "dt=%Y-%m-%d") -> LogSource:
        return FolderLogSource(self.root, PathPattern(day_path))

    def put(self, key: str, content: bytes) -> None:
        self.written += 1
        (self.root / key).parent.mkdir(parents=True, exist_ok=True)
        (self.root / key).write_bytes(content)
        os.utime(self.root / key, (self.written,) * 2)

    def remove(self, key: str) -> None:
        (self.root / key).unlink()


class S3Store:
    def __init__(self, client: Any, prefix: str) -> None:
        self.client = client
        self.prefix = prefix

    def source(self, day_path: str = "dt=%Y-%m-%d") -> LogSource:
        return S3LogSource(self.client, f"s3://{BUCKET}/{self.prefix}", PathPattern(day_path))

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=f"{self.prefix}/{key}", Body=content)

    def remove(self, key: str) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=f"{self.prefix}/{key}")


@pytest.fixture(params=["folder", "S3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return FolderStore(tmp_path)
    return S3Store(request.getfixturevalue("s3"), f"games/{tmp_path.name}")


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [
        ("dt=%Y-%m-%d", "dt=2026-03-07"),
        ("%Y/%m/%d", "2026/03/07"),
        ("logs/%Y%m%d", "logs/20260307"),
    ],
)
def test_a_days_files_are_found_where_the_game_file_says(
    store: Store, pattern: str, folder: str
) -> None:
    store.put(f"{folder}/b.jsonl", b"bb")
    store.put(f"{folder}/13h/a.jsonl", b"a")
    store.put(f"{folder}0/other.jsonl", b"of another day")
    source = store.source(pattern)
    objects = source.objects(DAY)
    assert [(item.name, item.size) for item in objects] == [("13h/a.jsonl", 1), ("b.jsonl", 2)]
    assert source.folder(DAY) == f"{source}".rstrip("/") + f"/{folder}"
    assert b"".join(source.blocks(objects[1])) == b"bb"


@pytest.mark.parametrize(
    ("pattern", "keys", "shown"),
    [
        (
            "year=%Y/month=%-m/day=%-d",
            {"year=2026/month=3/day=7/13/a.jsonl": "13/a.jsonl"},
            "year=2026/month=3/day=7",
        ),
        (
            "logs/%Y-%m-%d-%H",
            {
                "logs/2026-03-07-00/a.jsonl": "2026-03-07-00/a.jsonl",
                "logs/2026-03-07-23/b/a.jsonl": "2026-03-07-23/b/a.jsonl",
            },
            "logs/2026-03-07-*",
        ),
        (
            "events-%Y%m%d*.json.gz",
            {
                "events-20260307.json.gz": "events-20260307.json.gz",
                "events-20260307-01.json.gz": "events-20260307-01.json.gz",
            },
            "events-20260307*.json.gz",
        ),
        (
            "export/%Y-%m-%d.csv",
            {"export/2026-03-07.csv": "2026-03-07.csv"},
            "export/2026-03-07.csv",
        ),
        ("export/e_%s.json", {"export/e_1772841600.json": "e_1772841600.json"}, "export/e_*.json"),
        (
            "*/dt=%Y-%m-%d",
            {
                "eu 1/dt=2026-03-07/a.jsonl": "eu 1/dt=2026-03-07/a.jsonl",
                "us/dt=2026-03-07/a.jsonl": "us/dt=2026-03-07/a.jsonl",
            },
            "*/dt=2026-03-07",
        ),
    ],
)
def test_the_files_of_a_day_are_found_by_any_pattern(
    store: Store, pattern: str, keys: dict[str, str], shown: str
) -> None:
    others = ("export/2026-03-08.csv", "events-20260308.json.gz", "eu 1/dt=2026-03-08/a.jsonl")
    for key in (*keys, *others, "logs/2026-03-071/a", "year=2026/month=3/day=70/a"):
        store.put(key, key.encode())
    source = store.source(pattern)
    objects = source.objects(DAY)
    assert [item.name for item in objects] == sorted(keys.values())
    assert {b"".join(source.blocks(item)).decode() for item in objects} == {*keys}
    assert source.folder(DAY) == f"{source}".rstrip("/") + f"/{shown}"
    days = [DAY + dt.timedelta(days=number) for number in (-1, 0)]
    assert DayFolders(source).find_days(days) == [DAY]


def test_a_day_without_a_folder_has_no_files(store: Store) -> None:
    assert store.source().objects(DAY) == []


def test_files_are_listed_whether_or_not_they_are_logs(store: Store) -> None:
    names = [".hidden", "_SUCCESS", "_temporary/0/a.jsonl", "events.jsonl"]
    for name in names:
        store.put(f"dt=2026-03-07/{name}", b"x")
    assert [item.name for item in store.source().objects(DAY)] == names


@pytest.mark.parametrize(
    ("pattern", "folder"), [("dt=%Y-%m-%d", ""), ("%Y/%m/%d", "2026/03/"), ("a/%Y%m%d", "a/")]
)
def test_the_folders_beside_a_days_folder_are_listed(
    store: Store, pattern: str, folder: str
) -> None:
    for name in ("day=2026-03-07", "7", "other"):
        store.put(f"{folder}{name}/events.jsonl", b"x")
    store.put(f"{folder}file.jsonl", b"x")
    store.put("elsewhere/events.jsonl", b"x")
    folders = store.source(pattern).entries(folder.rstrip("/")).folders
    assert folders - {"elsewhere"} == {"day=2026-03-07", "7", "other"}


def test_a_file_was_modified_when_it_was_written(store: Store) -> None:
    store.put("dt=2026-03-07/a.jsonl", b"x")
    (item,) = store.source().objects(DAY)
    assert item.modified.tzinfo is not None
    if isinstance(store, S3Store):
        assert abs(dt.datetime.now(dt.UTC) - item.modified) < dt.timedelta(minutes=5)
    else:
        assert item.modified == dt.datetime.fromtimestamp(1, dt.UTC)


def test_there_are_no_folders_where_nothing_is(store: Store) -> None:
    assert store.source("%Y/%m/%d").entries("2026/03") == (frozenset(), {})


def test_the_tag_changes_with_the_content_and_with_nothing_else(store: Store) -> None:
    source = store.source()
    store.put("dt=2026-03-07/events.jsonl", b"one")
    (before,) = source.objects(DAY)
    assert source.objects(DAY) == [before]
    store.put("dt=2026-03-07/events.jsonl", b"two")
    (after,) = source.objects(DAY)
    assert (after.name, after.size) == (before.name, before.size)
    assert after.tag != before.tag


def test_names_may_hold_spaces_percent_signs_and_every_alphabet(store: Store) -> None:
    names = ["a b.jsonl", "100%.jsonl", "쿠키 런/ü+&=?#.jsonl"]
    for name in names:
        store.put(f"dt=2026-03-07/{name}", name.encode())
    source = store.source()
    objects = source.objects(DAY)
    assert sorted(item.name for item in objects) == sorted(names)
    for item in objects:
        assert b"".join(source.blocks(item)) == item.name.encode()


@pytest.mark.parametrize("replaced", [True, False])
def test_what_was_replaced_or_removed_since_it_was_listed_is_not_taken_for_it(
    store: Store, replaced: bool
) -> None:
    source = store.source()
    store.put("dt=2026-03-07/events.jsonl", b"one")
    (item,) = source.objects(DAY)
    if replaced:
        store.put("dt=2026-03-07/events.jsonl", b"two")
    else:
        store.remove("dt=2026-03-07/events.jsonl")
    with pytest.raises(SourceChangedError, match=r"events\.jsonl changed"):
        list(source.blocks(item))


@pytest.mark.slow
def test_more_objects_than_one_answer_lists_are_all_found(s3: Any) -> None:
    store = S3Store(s3, "many")
    for number in range(1_005):
        store.put(f"dt=2026-03-07/{number:05}.jsonl", b"")
    assert len(store.source().objects(DAY)) == 1_005


def test_a_folder_that_a_console_made_is_no_object(s3: Any) -> None:
    store = S3Store(s3, "console")
    store.put("dt=2026-03-07/", b"")
    store.put("dt=2026-03-07/sub/", b"")
    assert store.source().objects(DAY) == []


@pytest.mark.parametrize("address", [f"s3://{BUCKET}", f"s3://{BUCKET}/"])
def test_logs_may_lie_at_the_top_of_a_bucket(s3: Any, address: str) -> None:
    s3.put_object(Bucket=BUCKET, Key="dt=2026-03-08/a.jsonl", Body=b"x")
    source = S3LogSource(s3, address, PathPattern("dt=%Y-%m-%d"))
    assert [item.name for item in source.objects(dt.date(2026, 3, 8))] == ["a.jsonl"]
    assert source.folder(DAY) == f"s3://{BUCKET}/dt=2026-03-07"


def test_a_bucket_that_is_not_there_is_named_with_its_setting(s3: Any) -> None:
    source = S3LogSource(s3, "s3://no-such-bucket/logs", PathPattern("dt=%Y-%m-%d"))
    message = r"s3://no-such-bucket/logs/ \(DS_ASSETS_SOURCE_URL\) is refused, NoSuchBucket"
    with pytest.raises(InputError, match=message):
        source.objects(DAY)


def test_credentials_that_s3_refuses_are_a_mistake_of_the_settings(s3: Any) -> None:
    switch = f"{s3.meta.endpoint_url}/moto-api/reset-auth"
    source = S3LogSource(s3, f"s3://{BUCKET}/logs", PathPattern("dt=%Y-%m-%d"))
    httpx.post(switch, content="0")
    try:
        with pytest.raises(InputError, match=r"\(DS_ASSETS_SOURCE_URL\) is refused, InvalidAcc"):
            source.objects(DAY)
    finally:
        httpx.post(switch, content="inf")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "error"), [(429, SourceUnavailable), (503, SourceUnavailable), (400, InputError)]
)
def test_an_s3_that_limits_requests_is_unavailable_and_refuses_nothing(
    status: int, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with refusing_store(status) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        source = S3LogSource(s3_client(), "s3://bucket/logs", PathPattern("dt=%Y-%m-%d"))
        with pytest.raises(error) as caught:
            source.objects(DAY)
    assert type(caught.value) is error


def test_an_object_comes_in_blocks_that_do_not_grow_with_it(store: Store) -> None:
    content = bytes(range(256)) * (BLOCK // 100)
    store.put("dt=2026-03-07/large.jsonl", content)
    (item,) = store.source().objects(DAY)
    blocks = list(store.source().blocks(item))
    assert b"".join(blocks) == content
    assert max(map(len, blocks)) <= BLOCK


def test_what_was_uploaded_in_parts_is_read_whole(s3: Any) -> None:
    part = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    content = bytes(range(256)) * (11 << 12)
    s3.upload_fileobj(io.BytesIO(content), BUCKET, "parts/dt=2026-03-07/a.jsonl", Config=part)
    source = S3LogSource(s3, f"s3://{BUCKET}/parts", PathPattern("dt=%Y-%m-%d"))
    (item,) = source.objects(DAY)
    assert item.tag.endswith('-3"')
    assert b"".join(source.blocks(item)) == content


def test_an_object_that_s3_hands_out_damaged_is_not_taken(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="damaged/dt=2026-03-07/a.jsonl", Body=b"one")
    source = S3LogSource(s3, f"s3://{BUCKET}/damaged", PathPattern("dt=%Y-%m-%d"))
    (item,) = source.objects(DAY)
    stored = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[BUCKET].keys[item.key]
    stored.value = b"0ne"
    with pytest.raises(SourceUnavailable, match=r"a\.jsonl .* cannot be used at .*checksum"):
        list(source.blocks(item))
