"""Raw logs from the source to the lake: byte for byte, and only what is new or has changed."""

import datetime as dt
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from ds_assets.errors import InputError
from ds_assets.resources.ingestion import (
    Copied,
    copy_day,
    fingerprint,
    raw_files,
    raw_objects,
    read_manifest,
)
from ds_assets.resources.lake import FolderLake
from ds_assets.resources.log_source import (
    FolderLogSource,
    S3LogSource,
    SourceChangedError,
    SourceObject,
)
from ds_assets_tests.conftest import BUCKET

DAY = dt.date(2026, 3, 7)


class Place:
    """A source and a lake."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "source" / f"dt={DAY}"
        self.folder.mkdir(parents=True)
        self.source = FolderLogSource(root / "source", "dt=%Y-%m-%d")
        self.lake = FolderLake(root / "lake")

    def put(self, name: str, content: bytes, age: int = 0) -> None:
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_bytes(content)
        os.utime(self.folder / name, (1_700_000_000 - age,) * 2)

    def copy(self) -> Copied:
        return copy_day(DAY, self.source, self.lake)

    def stored(self, name: str) -> bytes:
        return self.lake.read(f"raw/dt={DAY}/{name}")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_files_arrive_byte_for_byte_and_the_manifest_says_what_they_are(place: Place) -> None:
    contents = {"a.jsonl": b'{"a": 1}\n', "13h/b.gz": os.urandom(3_000_000), "empty.jsonl": b""}
    for name, content in contents.items():
        place.put(name, content)
    copied = place.copy()
    assert {name: place.stored(name) for name in contents} == contents
    assert (copied.files, copied.size) == (3, 3_000_009)
    assert copied.manifest == read_manifest(DAY, place.lake)
    assert {file.name: (file.size, file.sha256) for file in copied.manifest.files} == {
        name: (len(content), hashlib.sha256(content).hexdigest())
        for name, content in contents.items()
    }
    assert all(file.in_source for file in copied.manifest.files)


def test_a_second_run_copies_nothing_that_has_not_changed(place: Place) -> None:
    place.put("a.jsonl", b"one")
    place.put("b.jsonl", b"two")
    first = place.copy()
    before = raw_objects(DAY, place.lake)
    second = place.copy()
    assert (second.files, second.size) == (0, 0)
    assert second.manifest == first.manifest
    assert raw_objects(DAY, place.lake) == before


def test_a_file_that_has_changed_is_copied_again_alone(place: Place) -> None:
    place.put("a.jsonl", b"one")
    place.put("b.jsonl", b"two")
    place.copy()
    print_before = fingerprint(DAY, place.lake)
    place.put("a.jsonl", b"ONE", age=-5)  # of the same size
    copied = place.copy()
    assert (copied.files, copied.size) == (1, 3)
    assert (place.stored("a.jsonl"), place.stored("b.jsonl")) == (b"ONE", b"two")
    assert fingerprint(DAY, place.lake) != print_before


def test_a_file_that_has_left_the_source_stays_in_the_lake_and_is_reported(place: Place) -> None:
    place.put("a.jsonl", b"one")
    place.put("b.jsonl", b"two")
    place.copy()
    (place.folder / "a.jsonl").unlink()
    copied = place.copy()
    assert place.stored("a.jsonl") == b"one"
    assert {file.name: file.in_source for file in copied.manifest.files} == {
        "a.jsonl": False,
        "b.jsonl": True,
    }
    assert copied.manifest == read_manifest(DAY, place.lake)


def test_a_file_that_comes_back_to_the_source_is_in_the_source_again(place: Place) -> None:
    place.put("a.jsonl", b"one")
    place.put("b.jsonl", b"two")
    place.copy()
    (place.folder / "a.jsonl").unlink()
    place.copy()
    place.put("a.jsonl", b"one", age=-5)
    copied = place.copy()
    assert all(file.in_source for file in copied.manifest.files)
    assert copied.files == 1


def test_a_file_that_was_lost_in_the_lake_is_copied_again(place: Place) -> None:
    place.put("a.jsonl", b"one")
    place.copy()
    place.lake.delete([f"raw/dt={DAY}/a.jsonl"])
    assert place.copy().files == 1
    assert place.stored("a.jsonl") == b"one"


def test_a_day_without_files_leaves_nothing_in_the_lake(place: Place) -> None:
    copied = place.copy()
    assert copied.manifest.files == ()
    assert place.lake.objects("raw") == []
    assert fingerprint(DAY, place.lake) == ""
    assert raw_files(DAY, place.lake) == []


def test_raw_files_are_the_logs_without_the_manifest_by_their_name_below_the_day(
    place: Place,
) -> None:
    place.put("b.jsonl", b"one")
    place.put("13h/a.jsonl", b"two")
    place.copy()
    found = raw_files(DAY, place.lake)
    assert [(file.day, file.name) for file in found] == [(DAY, "13h/a.jsonl"), (DAY, "b.jsonl")]
    assert [file.path.read_bytes() for file in found] == [b"two", b"one"]


def test_the_fingerprint_changes_when_a_file_is_added_replaced_or_removed(place: Place) -> None:
    prints: list[str] = []
    for content in (b"one", b"two"):
        place.put("a.jsonl", content, age=len(prints))
        place.copy()
        prints.append(fingerprint(DAY, place.lake))
    place.put("b.jsonl", b"three")
    place.copy()
    prints.append(fingerprint(DAY, place.lake))
    place.lake.delete([f"raw/dt={DAY}/b.jsonl"])
    prints.append(fingerprint(DAY, place.lake))
    assert len(set(prints)) == 3
    assert prints[3] == prints[1]


class BusySource(FolderLogSource):
    """A source in which a file is written while it is read, a number of times."""

    def __init__(self, root: Path, times: int) -> None:
        super().__init__(root, "dt=%Y-%m-%d")
        self.times = times

    @contextmanager
    def open(self, item: SourceObject) -> Iterator[BinaryIO]:
        with super().open(item) as content:
            yield content
            if self.times > 0:
                self.times -= 1
                with Path(item.key).open("ab") as file:
                    file.write(b"more")


def test_a_file_that_grows_while_it_is_copied_is_copied_again(place: Place, tmp_path: Path) -> None:
    place.put("a.jsonl", b"one")
    place.put("b.jsonl", b"two")
    copied = copy_day(DAY, BusySource(tmp_path / "source", 2), place.lake)
    whole = {name: (place.folder / name).read_bytes() for name in ("a.jsonl", "b.jsonl")}
    assert {name: place.stored(name) for name in whole} == whole
    assert sum(len(content) for content in whole.values()) == copied.size == 14
    assert place.copy().files == 0


def test_a_file_that_never_rests_leaves_the_lake_as_it_was(place: Place, tmp_path: Path) -> None:
    place.put("a.jsonl", b"one")
    place.copy()
    place.put("a.jsonl", b"two", age=-5)
    with pytest.raises(SourceChangedError, match=r"a\.jsonl changed while it was copied"):
        copy_day(DAY, BusySource(tmp_path / "source", 99), place.lake)
    assert place.stored("a.jsonl") == b"one"
    assert [file.size for file in read_manifest(DAY, place.lake).files] == [3]


def test_a_file_that_leaves_while_it_is_copied_is_not_in_the_lake(
    place: Place, tmp_path: Path
) -> None:
    place.put("a.jsonl", b"one")
    source = FolderLogSource(tmp_path / "source", "dt=%Y-%m-%d")
    (item,) = source.objects(DAY)
    (place.folder / "a.jsonl").unlink()
    with pytest.raises(SourceChangedError), source.open(item):
        pass
    assert place.copy().manifest.files == ()


ODD_KEYS = ("../../up.jsonl", "/top.jsonl", "a//b.jsonl", "100%/쿠키 1.jsonl", "empty.jsonl")


def test_objects_of_any_name_arrive_below_their_day(tmp_path: Path, s3: Any) -> None:
    lake = FolderLake(tmp_path / "lake")
    for key in ODD_KEYS:
        content = b"" if key.startswith("empty") else key.encode()
        s3.put_object(Bucket=BUCKET, Key=f"odd/dt={DAY}/{key}", Body=content)
    copied = copy_day(DAY, S3LogSource(s3, f"s3://{BUCKET}/odd", "dt=%Y-%m-%d"), lake)
    assert {file.name for file in copied.manifest.files} == set(ODD_KEYS)
    assert {file.name: file.path.read_bytes().decode() for file in raw_files(DAY, lake)} == {
        "%2E%2E/%2E%2E/up.jsonl": "../../up.jsonl",
        "%/top.jsonl": "/top.jsonl",
        "a/%/b.jsonl": "a//b.jsonl",
        "100%25/쿠키 1.jsonl": "100%/쿠키 1.jsonl",
        "empty.jsonl": "",
    }
    below = tmp_path / "lake" / "raw" / f"dt={DAY}"
    assert all(path.is_relative_to(below) for path in tmp_path.rglob("*.jsonl"))


class NamedSource(FolderLogSource):
    """A source that lists two objects of given names."""

    def __init__(self, root: Path, *names: str) -> None:
        super().__init__(root, "dt=%Y-%m-%d")
        self.names = names

    def objects(self, day: dt.date) -> list[SourceObject]:
        del day
        return [SourceObject(name, name, 1, "tag") for name in self.names]


def test_an_object_that_is_the_folder_of_another_is_named(place: Place, tmp_path: Path) -> None:
    source = NamedSource(tmp_path / "source", "13h", "13h/a.jsonl")
    with pytest.raises(InputError, match=r"13h is both an object and the folder of 13h/a.jsonl"):
        copy_day(DAY, source, place.lake)
    assert place.lake.objects("raw") == []
