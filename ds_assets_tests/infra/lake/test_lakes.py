"""What every lake must do, in a folder and in Azure Blob alike; and what is each one's own."""

import datetime as dt
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.errors import InputError
from ds_assets.infra.lake.azure_blob import BlobLake, blob_service
from ds_assets.infra.lake.base import (
    ABANDONED_AFTER,
    STAGING,
    Lake,
    LakeUnavailable,
    day_folder,
    safe_name,
)
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.transfer import BLOCK
from ds_assets_tests.infra.lake.lakes import make_blob_lake
from ds_assets_tests.infra.object_stores import refusing_store


def test_what_was_written_is_read_and_listed(lake: Lake) -> None:
    lake.write("raw/dt=2026-01-01/a.jsonl", b"one")
    lake.write("raw/dt=2026-01-01/sub/b.jsonl", b"two!")
    assert lake.read("raw/dt=2026-01-01/a.jsonl") == b"one"
    assert lake.local("raw/dt=2026-01-01/sub/b.jsonl").read_bytes() == b"two!"
    assert [(item.name, item.size) for item in lake.objects("raw/dt=2026-01-01")] == [
        ("raw/dt=2026-01-01/a.jsonl", 3),
        ("raw/dt=2026-01-01/sub/b.jsonl", 4),
    ]


def test_what_another_program_wrote_gets_its_names_and_the_rest_is_removed(lake: Lake) -> None:
    lake.write("t/dt=2026-01-01/t.parquet", b"old")
    with lake.adopting() as (folder, adopted):
        lake.write(f"{folder}/rows/day=1/part-0 x.parquet", b"new")
        lake.write(f"{folder}/rows/_SUCCESS", b"")
        adopted["t/dt=2026-01-01/t.parquet"] = f"{folder}/rows/day=1/part-0 x.parquet"
        assert lake.read("t/dt=2026-01-01/t.parquet") == b"old"
    assert lake.read("t/dt=2026-01-01/t.parquet") == b"new"
    assert lake.objects(STAGING) == []


def test_after_an_error_nothing_of_another_program_is_left(lake: Lake) -> None:
    def fail() -> None:
        with lake.adopting() as (folder, adopted):
            lake.write(f"{folder}/a", b"new")
            adopted["t/a"] = f"{folder}/a"
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert lake.objects("t") == lake.objects(STAGING) == []


def test_an_empty_lake_has_nothing_and_says_so(lake: Lake) -> None:
    assert lake.objects("raw") == []
    assert lake.days("raw") == []
    assert not lake.exists("raw/x")
    with pytest.raises(FileNotFoundError):
        lake.read("raw/x")


def test_days_are_those_with_a_folder_ascending_and_nothing_else(lake: Lake) -> None:
    for name in ("dt=2026-01-10", "dt=2026-01-02", "dt=2026-02-30", "dt=x", "notes"):
        lake.write(f"clusters/{name}/file", b"")
    assert lake.days("clusters") == [dt.date(2026, 1, 2), dt.date(2026, 1, 10)]


def test_objects_of_a_folder_whose_name_begins_like_anothers_are_its_own(lake: Lake) -> None:
    lake.write("churn/a", b"")
    lake.write("churn_old/b", b"")
    assert [item.name for item in lake.objects("churn")] == ["churn/a"]


def test_local_files_come_in_the_order_of_their_names(lake: Lake) -> None:
    names = [f"t/dt=2026-01-{day:02}/t.parquet" for day in range(9, 0, -1)]
    for name in names:
        lake.write(name, name.encode())
    files = lake.local_files(names)
    assert [file.read_bytes().decode() for file in files] == names
    assert [file.name for file in files] == ["t.parquet"] * 9


def test_a_local_file_is_of_the_object_as_it_is_now(lake: Lake) -> None:
    for content in (b"one", b"two", b"one"):
        lake.write("t/a", content)
        assert lake.local("t/a").read_bytes() == content


def test_an_object_that_is_not_there_has_no_local_file(lake: Lake) -> None:
    with pytest.raises(FileNotFoundError):
        lake.local("t/nothing").read_bytes()


def test_objects_that_come_as_streams_are_there_when_all_have_come(lake: Lake) -> None:
    with lake.receiving() as receive:
        receive("t/a", [b"1", b"2" * BLOCK, b"3"])
        receive("t/empty", [])
        assert lake.objects("t") == []
    assert lake.read("t/a") == b"1" + b"2" * BLOCK + b"3"
    assert [(item.name, item.size) for item in lake.objects("t")] == [
        ("t/a", BLOCK + 2),
        ("t/empty", 0),
    ]


def test_a_stream_that_breaks_changes_nothing(lake: Lake) -> None:
    lake.write("t/a", b"old")

    def broken() -> Iterator[bytes]:
        yield b"half of it"
        raise ConnectionError("broken off")

    def receive_both() -> None:
        with lake.receiving() as receive:
            receive("t/b", [b"whole"])
            receive("t/a", broken())

    with pytest.raises(ConnectionError):
        receive_both()
    assert lake.read("t/a") == b"old"
    assert not lake.exists("t/b")


def test_a_folder_is_no_object(lake: Lake) -> None:
    lake.write("a/b/c", b"")
    assert not lake.exists("a/b")


def test_replacing_an_object_changes_its_tag_and_writing_another_does_not(lake: Lake) -> None:
    lake.write("t/a", b"1")
    (before,) = lake.objects("t")
    lake.write("u/b", b"1")
    assert lake.objects("t") == [before]
    lake.write("t/a", b"2")
    assert lake.objects("t")[0].tag != before.tag


def test_objects_written_together_are_all_there_or_none(lake: Lake) -> None:
    lake.write("t/a", b"old")

    def write_half() -> None:
        with lake.writing({"a": "t/a", "b": "t/b"}) as staged:
            staged["a"].write_bytes(b"new")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_half()
    assert lake.read("t/a") == b"old"
    assert not lake.exists("t/b")
    assert lake.objects(STAGING) == []


def test_nothing_of_what_is_being_written_is_seen_before_it_is_complete(lake: Lake) -> None:
    lake.write("t/a", b"old")
    with lake.writing({"a": "t/a"}) as staged:
        staged["a"].write_bytes(b"new")
        assert lake.read("t/a") == b"old"
        assert [item.name for item in lake.objects("t")] == ["t/a"]
    assert lake.read("t/a") == b"new"
    assert lake.objects(STAGING) == []


def test_writing_nothing_is_no_error(lake: Lake) -> None:
    nothing: dict[str, str] = {}
    with lake.writing(nothing) as staged:
        assert staged == {}


def test_deleting_leaves_no_object_and_twice_is_no_error(lake: Lake) -> None:
    lake.write("t/a", b"")
    lake.delete(["t/a"])
    lake.delete(["t/a"])
    assert not lake.exists("t/a")


def test_a_deleted_folder_leaves_no_object_and_no_day_and_twice_is_no_error(lake: Lake) -> None:
    for name in ("t/dt=2026-01-01/a", "t/dt=2026-01-01/b/c", "t/dt=2026-01-02/a"):
        lake.write(name, b"")
    lake.delete_folder("t/dt=2026-01-01")
    lake.delete_folder("t/dt=2026-01-01")
    assert [item.name for item in lake.objects("t")] == ["t/dt=2026-01-02/a"]
    assert lake.days("t") == [dt.date(2026, 1, 2)]


def test_readers_see_the_old_content_or_the_new_and_never_a_part(lake: Lake) -> None:
    contents = [bytes([value]) * 200_000 for value in range(20)]
    lake.write("t/a", contents[0])
    read_contents: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            read_contents.add(lake.read("t/a"))

    reader = threading.Thread(target=read)
    reader.start()
    for content in contents:
        lake.write("t/a", content)
    done.set()
    reader.join()
    assert read_contents
    assert read_contents <= set(contents)


def test_what_a_killed_process_left_in_staging_is_removed_when_it_is_old(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    old, young = (lake.local(f"{STAGING}/{name}") for name in ("old", "young"))
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "0").write_bytes(b"half of it")
    then = (dt.datetime.now(dt.UTC) - ABANDONED_AFTER - dt.timedelta(minutes=1)).timestamp()
    os.utime(old, (then, then))
    lake.write("t/a", b"")
    assert not old.exists()
    assert young.exists()


@pytest.mark.server
def test_local_copies_that_nobody_used_are_removed_and_looked_for_once_an_hour(
    blob_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = make_blob_lake(blob_url, tmp_path)
    for name in ("a", "b", "c", "d"):
        lake.write(f"t/{name}", b"x")
    then = (dt.datetime.now(dt.UTC) - ABANDONED_AFTER - dt.timedelta(minutes=1)).timestamp()

    def leave_unused(name: str) -> Path:
        copy = lake.local(f"t/{name}")
        os.utime(copy, (then, then))
        return copy

    lake.local("t/a")
    unused = leave_unused("b")
    lake.local("t/c")
    assert unused.exists()
    monkeypatch.setattr("ds_assets.infra.lake.azure_blob._CLEANING_INTERVAL_S", 0.0)
    lake.local("t/d")
    assert not unused.exists()


def test_a_day_has_a_folder_in_its_table() -> None:
    assert day_folder("user_activity", dt.date(2026, 1, 2)) == "user_activity/dt=2026-01-02"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("13h/events 쿠키.gz", "13h/events 쿠키.gz"),
        ("../../etc/passwd", "%2E%2E/%2E%2E/etc/passwd"),
        ("/etc/./x", "%/etc/%2E/x"),
        ("a\\..\\b", "a%5C..%5Cb"),
        ("100%\n", "100%25%0A"),
        ("a//b", "a/%/b"),
        ("...", "%2E%2E%2E"),
    ],
)
def test_a_safe_name_stays_in_its_folder(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(names=st.lists(st.text(alphabet="a./%\\\0 2E5C", max_size=8), max_size=30, unique=True))
def test_different_names_stay_different_and_inside(names: list[str]) -> None:
    safe = [safe_name(name) for name in names]
    assert len(set(safe)) == len(names)
    for name in safe:
        assert not name.startswith("/")
        assert not {"..", ".", ""} & set(name.split("/"))


@pytest.mark.server
def test_a_key_that_azure_refuses_is_a_mistake_of_the_settings(
    blob_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = make_blob_lake(blob_url, tmp_path)
    monkeypatch.setenv("AZURE_STORAGE_KEY", "c2VjcmV0")
    with pytest.raises(InputError, match=r"is refused, .*; see AZURE_STORAGE_KEY") as caught:
        lake.days("raw")
    assert "c2VjcmV0" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "error"), [(429, LakeUnavailable), (503, LakeUnavailable), (400, InputError)]
)
def test_an_azure_that_limits_requests_is_unavailable_and_refuses_nothing(
    status: int, error: type[Exception], tmp_path: Path
) -> None:
    with refusing_store(status) as address:
        lake = BlobLake(
            f"{address}/account/lake", lambda url: blob_service(url, "c2VjcmV0"), tmp_path
        )
        with pytest.raises(error) as caught:
            lake.days("raw")
    assert type(caught.value) is error
