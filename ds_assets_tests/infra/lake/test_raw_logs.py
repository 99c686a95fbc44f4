"""Raw logs from the source to the lake: byte for byte, and only what is new or has changed."""

import datetime as dt
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ds_assets.errors import InputError
from ds_assets.game import Logs
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.raw_logs import (
    Copied,
    IncompleteDayError,
    copy_day,
    fingerprint,
    list_raw_day,
    list_source_day,
    raw_objects,
    read_manifest,
)
from ds_assets.infra.log_source.base import SourceChangedError, SourceObject
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets.infra.log_source.s3 import S3LogSource
from ds_assets.path_patterns import PathPattern
from ds_assets_tests.conftest import BUCKET
from ds_assets_tests.infra.lake.lakes import KINDS, make_lake

DAY = dt.date(2026, 3, 7)
NOW = dt.datetime(2026, 3, 8, tzinfo=dt.UTC)


class Place:
    """A source and a lake."""

    def __init__(self, root: Path, lake: Lake) -> None:
        self.folder = root / "source" / f"dt={DAY}"
        self.folder.mkdir(parents=True)
        self.source = FolderLogSource(root / "source", PathPattern("dt=%Y-%m-%d"))
        self.lake = lake

    def put(self, name: str, content: bytes, age: int = 0) -> None:
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_bytes(content)
        os.utime(self.folder / name, (1_700_000_000 - age,) * 2)

    def copy(self) -> Copied:
        return copy_day(DAY, self.source, self.lake, quiet)

    def stored(self, name: str) -> bytes:
        return self.lake.read(f"raw/dt={DAY}/{name}")


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(tmp_path, make_lake(request.param, tmp_path, request))


def quiet(_: str) -> None: ...


def current_print(lake: Lake) -> str:
    return fingerprint(raw_objects(DAY, lake))


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


def test_a_day_needs_logs_of_each_kind(tmp_path: Path) -> None:
    kinds = {
        "sessions": {"files": "sessions/*"},
        "revenue": {"files": "revenue/*"},
        "ads": {"files": "ads/*", "optional": True},
    }
    form = Logs.model_validate({"kinds": kinds})
    source = FolderLogSource(tmp_path / "source", PathPattern("*/dt=%Y-%m-%d"))
    lake = FolderLake(tmp_path / "lake")
    assert copy_day(DAY, source, lake, quiet, form).files == 0
    for name in ("sessions", "revenue"):
        (tmp_path / "source" / name / f"dt={DAY}").mkdir(parents=True)
    (tmp_path / "source" / "sessions" / f"dt={DAY}" / "a.csv").touch()
    (tmp_path / "source" / "revenue" / f"dt={DAY}" / "b.csv.tmp").touch()
    sentence = r"has no files of revenue \(revenue/\*\), so it is not complete"
    with pytest.raises(IncompleteDayError, match=sentence):
        copy_day(DAY, source, lake, quiet, form)
    assert lake.objects("raw") == []
    (tmp_path / "source" / "revenue" / f"dt={DAY}" / "b.csv").touch()
    assert copy_day(DAY, source, lake, quiet, form).files == 2


@pytest.mark.parametrize(
    ("pattern", "folders"),
    [
        ("%Y-%m-%d-%H", [f"{DAY}-00", f"{DAY}-23"]),
        ("*/dt=%Y-%m-%d", [f"eu/dt={DAY}", f"us/dt={DAY}"]),
    ],
)
def test_of_several_folders_of_a_day_each_needs_the_marker(
    tmp_path: Path, pattern: str, folders: list[str]
) -> None:
    source = FolderLogSource(tmp_path / "source", PathPattern(pattern))
    lake = FolderLake(tmp_path / "lake")
    for folder in folders:
        (tmp_path / "source" / folder / "07").mkdir(parents=True)
        (tmp_path / "source" / folder / "07" / "a.jsonl").write_bytes(folder.encode())
    for folder in folders:
        with pytest.raises(IncompleteDayError, match="has no _SUCCESS, so it is not complete"):
            copy_day(DAY, source, lake, quiet, Logs(marker="_SUCCESS"))
        assert lake.objects("raw") == []
        (tmp_path / "source" / folder / "_SUCCESS").touch()
    copied = copy_day(DAY, source, lake, quiet, Logs(marker="_SUCCESS"))
    assert {it.name: lake.read(it.stored.name).decode() for it in raw_objects(DAY, lake)} == {
        f"{folder}/07/a.jsonl": folder for folder in folders
    }
    assert lake.read(f"raw/dt={DAY}/_SUCCESS") == b""
    listed = list_source_day(DAY, source, Logs(marker="_SUCCESS"))
    assert copied.manifest.fingerprint == listed.fingerprint
    assert copy_day(DAY, source, lake, quiet, Logs(marker="_SUCCESS")).files == 0


def test_working_folders_are_neither_copied_nor_read(place: Place) -> None:
    for name in ("a.jsonl", "_temporary/a.jsonl", "b.jsonl._COPYING_", "_SUCCESS"):
        place.put(name, b"x")
    copied = place.copy()
    assert [file.name for file in copied.manifest.files] == ["a.jsonl"]
    assert copied.ignored == ("_SUCCESS", "_temporary/a.jsonl", "b.jsonl._COPYING_")
    assert list_raw_day(DAY, place.lake).ignored == ()


def test_working_folders_that_were_put_into_the_lake_are_not_read(place: Place) -> None:
    for name in ("a.jsonl", "_temporary/a.jsonl", ".ipynb_checkpoints/a.jsonl"):
        place.lake.write(f"raw/dt={DAY}/{name}", b"x")
    raw = list_raw_day(DAY, place.lake)
    assert [file.name for file in raw.logs] == ["a.jsonl"]
    assert raw.ignored == (".ipynb_checkpoints/a.jsonl", "_temporary/a.jsonl")


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
    print_before = current_print(place.lake)
    place.put("a.jsonl", b"ONE", age=-5)  # of the same size
    copied = place.copy()
    assert (copied.files, copied.size) == (1, 3)
    assert (place.stored("a.jsonl"), place.stored("b.jsonl")) == (b"ONE", b"two")
    assert current_print(place.lake) != print_before


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


def counting(lake: Lake) -> tuple[list[str], list[str]]:
    """Names of the logs of the day that count, and of those that have left the source."""
    raw = list_raw_day(DAY, lake)
    return [log.name for log in raw.logs], [log.name for log in raw.gone]


def test_a_day_that_was_exported_again_under_another_name_counts_once(place: Place) -> None:
    place.put("part-0 aaaa.jsonl", b"one")
    place.copy()
    print_before = current_print(place.lake)
    (place.folder / "part-0 aaaa.jsonl").unlink()
    place.put("part-0 bbbb.jsonl", b"one")
    for _ in range(2):
        place.copy()
        assert counting(place.lake) == (["part-0 bbbb.jsonl"], ["part-0 aaaa.jsonl"])
    assert current_print(place.lake) != print_before


def test_a_file_that_comes_back_unchanged_counts_again(place: Place) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        place.put(name, b"one")
    place.copy()
    (place.folder / "a.jsonl").rename(place.folder.parent / "a.jsonl")
    place.copy()
    assert counting(place.lake) == (["b.jsonl"], ["a.jsonl"])
    (place.folder.parent / "a.jsonl").rename(place.folder / "a.jsonl")
    assert place.copy().files == 0
    assert counting(place.lake) == (["a.jsonl", "b.jsonl"], [])


def test_a_day_that_the_source_keeps_no_longer_still_counts(place: Place) -> None:
    place.put("a.jsonl", b"one")
    place.copy()
    (place.folder / "a.jsonl").unlink()
    place.copy()
    assert counting(place.lake) == (["a.jsonl"], [])


def test_a_file_that_was_put_into_the_lake_counts_beside_those_of_the_source(place: Place) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        place.put(name, b"one")
    place.copy()
    (place.folder / "a.jsonl").unlink()
    place.lake.write(f"raw/dt={DAY}/own.jsonl", b"two")
    place.copy()
    assert counting(place.lake) == (["b.jsonl", "own.jsonl"], ["a.jsonl"])
    place.lake.write(f"raw/dt={DAY}/a.jsonl", b"put here by hand")
    assert counting(place.lake) == (["a.jsonl", "b.jsonl", "own.jsonl"], [])


def test_a_manifest_of_a_newer_release_is_named_and_not_taken_for_another_programs(
    place: Place,
) -> None:
    place.put("a.jsonl", b"1")
    place.copy()
    place.lake.write(f"raw/dt={DAY}/_manifest.json", b'{"format": 99}')
    with pytest.raises(InputError, match=r"_manifest\.json was stored by a newer release"):
        raw_objects(DAY, place.lake)


def test_a_manifest_of_another_program_takes_no_file_away(place: Place) -> None:
    place.lake.write(f"raw/dt={DAY}/own.jsonl", b"two")
    place.lake.write(f"raw/dt={DAY}/_manifest.json", b'{"files": ["other.jsonl"]}')
    assert counting(place.lake) == (["own.jsonl"], [])


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


def test_a_file_that_was_cut_off_in_the_lake_is_copied_again(place: Place) -> None:
    place.put("a.jsonl", b"one")
    place.copy()
    place.lake.write(f"raw/dt={DAY}/a.jsonl", b"o")
    assert place.copy().files == 1
    assert place.stored("a.jsonl") == b"one"


def test_a_day_without_files_leaves_nothing_in_the_lake(place: Place) -> None:
    copied = place.copy()
    assert copied.manifest.files == ()
    assert place.lake.objects("raw") == []
    assert current_print(place.lake) == ""
    assert raw_objects(DAY, place.lake) == []


def test_raw_files_are_the_logs_without_the_manifest_by_their_name_below_the_day(
    place: Place,
) -> None:
    place.put("b.jsonl", b"one")
    place.put("13h/a.jsonl", b"two")
    place.copy()
    files = raw_objects(DAY, place.lake)
    assert [(file.day, file.name) for file in files] == [(DAY, "13h/a.jsonl"), (DAY, "b.jsonl")]
    assert [place.lake.read(file.stored.name) for file in files] == [b"two", b"one"]


def test_the_fingerprint_changes_when_a_file_is_added_replaced_or_removed(place: Place) -> None:
    prints: list[str] = []
    for content in (b"one", b"two"):
        place.put("a.jsonl", content, age=len(prints))
        place.copy()
        prints.append(current_print(place.lake))
    place.put("b.jsonl", b"three")
    place.copy()
    prints.append(current_print(place.lake))
    place.lake.delete([f"raw/dt={DAY}/b.jsonl"])
    prints.append(current_print(place.lake))
    assert len(set(prints)) == 3
    assert prints[3] == prints[1]


class BusySource(FolderLogSource):
    """A source in which a file is written while it is read, a number of times."""

    def __init__(self, root: Path, times: int) -> None:
        super().__init__(root, PathPattern("dt=%Y-%m-%d"))
        self.times = times

    def blocks(self, item: SourceObject) -> Iterator[bytes]:
        content = super().blocks(item)
        yield next(content)
        if self.times > 0:
            self.times -= 1
            with Path(item.key).open("ab") as file:
                file.write(b"more")
        yield from content


def test_a_file_that_grows_while_it_is_copied_is_copied_again(place: Place, tmp_path: Path) -> None:
    place.put("a.jsonl", b"one")
    place.put("b.jsonl", b"two")
    copied = copy_day(DAY, BusySource(tmp_path / "source", 2), place.lake, quiet)
    whole = {name: (place.folder / name).read_bytes() for name in ("a.jsonl", "b.jsonl")}
    assert {name: place.stored(name) for name in whole} == whole
    assert sum(len(content) for content in whole.values()) == copied.size == 14
    assert place.copy().files == 0


def test_a_file_that_never_rests_leaves_the_lake_as_it_was(place: Place, tmp_path: Path) -> None:
    place.put("a.jsonl", b"one")
    place.copy()
    place.put("a.jsonl", b"two", age=-5)
    with pytest.raises(SourceChangedError, match=r"a\.jsonl changed while it was copied"):
        copy_day(DAY, BusySource(tmp_path / "source", 99), place.lake, quiet)
    assert place.stored("a.jsonl") == b"one"
    assert [file.size for file in read_manifest(DAY, place.lake).files] == [3]


def test_a_file_that_leaves_while_it_is_copied_is_not_in_the_lake(
    place: Place, tmp_path: Path
) -> None:
    place.put("a.jsonl", b"one")
    source = FolderLogSource(tmp_path / "source", PathPattern("dt=%Y-%m-%d"))
    (item,) = source.objects(DAY)
    (place.folder / "a.jsonl").unlink()
    with pytest.raises(SourceChangedError):
        list(source.blocks(item))
    assert place.copy().manifest.files == ()


ODD_KEYS = ("../../up.jsonl", "/top.jsonl", "a//b.jsonl", "100%/쿠키 1.jsonl", "empty.jsonl")


@pytest.mark.parametrize("kind", KINDS)
def test_objects_of_any_name_arrive_below_their_day(
    kind: str, tmp_path: Path, s3: Any, request: pytest.FixtureRequest
) -> None:
    lake = make_lake(kind, tmp_path, request)
    for key in ODD_KEYS:
        content = b"" if key.startswith("empty") else key.encode()
        s3.put_object(Bucket=BUCKET, Key=f"odd/dt={DAY}/{key}", Body=content)
    source = S3LogSource(s3, f"s3://{BUCKET}/odd", PathPattern("dt=%Y-%m-%d"))
    copied = copy_day(DAY, source, lake, quiet)
    assert {file.name for file in copied.manifest.files} == set(ODD_KEYS)
    files = raw_objects(DAY, lake)
    assert {file.name: lake.read(file.stored.name).decode() for file in files} == {
        "%2E%2E/%2E%2E/up.jsonl": "../../up.jsonl",
        "%/top.jsonl": "/top.jsonl",
        "a/%/b.jsonl": "a//b.jsonl",
        "100%25/쿠키 1.jsonl": "100%/쿠키 1.jsonl",
        "empty.jsonl": "",
    }
    assert all(file.stored.name.startswith(f"raw/dt={DAY}/") for file in files)
    local = lake.local_files(file.stored.name for file in files)
    assert [path.read_bytes().decode() for path in local] == [
        lake.read(file.stored.name).decode() for file in files
    ]
    assert all(path.is_relative_to(tmp_path) for path in local)


class NamedSource(FolderLogSource):
    """A source that lists two objects of given names."""

    def __init__(self, root: Path, *names: str) -> None:
        super().__init__(root, PathPattern("dt=%Y-%m-%d"))
        self.names = names

    def objects(self, day: dt.date) -> list[SourceObject]:
        del day
        return [SourceObject(name, name, 1, "tag", NOW) for name in self.names]


def test_an_object_that_is_the_folder_of_another_is_named(place: Place, tmp_path: Path) -> None:
    source = NamedSource(tmp_path / "source", "13h", "13h/a.jsonl")
    with pytest.raises(InputError, match=r"13h is both a file and the folder of 13h/a.jsonl"):
        copy_day(DAY, source, place.lake, quiet)
    assert place.lake.objects("raw") == []


def test_many_files_are_copied_and_how_far_the_copy_is_is_told(place: Place) -> None:
    for number in range(30):
        place.put(f"{number:02}.jsonl", b"x" * number)
    messages: list[str] = []
    copied = copy_day(DAY, place.source, place.lake, messages.append)
    assert copied.files == len(raw_objects(DAY, place.lake)) == 30
    assert messages[-1] == f"{DAY}: 30 of 30 files copied, 0.0 of 0.0 MB"


class BrokenSource(FolderLogSource):
    """A source that breaks off in the last of its objects."""

    def blocks(self, item: SourceObject) -> Iterator[bytes]:
        yield next(super().blocks(item))
        if item.name == "c.jsonl":
            raise ConnectionError("broken off")


def test_a_copy_that_breaks_leaves_the_day_as_it_was(place: Place, tmp_path: Path) -> None:
    place.put("a.jsonl", b"old")
    place.copy()
    place.put("a.jsonl", b"new", age=-5)
    place.put("c.jsonl", b"half of it")
    with pytest.raises(ConnectionError):
        copy_day(
            DAY, BrokenSource(tmp_path / "source", PathPattern("dt=%Y-%m-%d")), place.lake, quiet
        )
    assert [item.name for item in raw_objects(DAY, place.lake)] == ["a.jsonl"]
    assert place.stored("a.jsonl") == b"old"
    assert place.copy().files == 2
    assert place.stored("c.jsonl") == b"half of it"
