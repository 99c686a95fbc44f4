"""A source is listed and copied in bounded parts."""

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ds_assets.errors import InputError
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.log_source.base import Entries, SourceChangedError, SourceObject
from ds_assets.onboarding.layouts import guess_layout
from ds_assets.onboarding.sources import (
    MAX_LISTINGS,
    LakeFiles,
    SingleFile,
    choose_files,
    copy_file,
    list_source,
)
from ds_assets_tests.infra.lake.conftest import lake
from ds_assets_tests.onboarding.games import open_folder, play, put

__all__ = ["lake"]


def item(name: str) -> SourceObject:
    return SourceObject(name, name, 1, "", dt.datetime.now(dt.UTC))


class Endless:
    """A source of a million names in every folder; its files fail to be read."""

    def __init__(self, error: Exception | None = None) -> None:
        self.listings = 0
        self.error = error
        self.blocks_read = 0

    def entries(self, parent: str) -> Entries:
        self.listings += 1
        return Entries(
            frozenset(f"f{n}" for n in range(20_000)),
            {f"{n}.jsonl": item(f"{parent}/{n}.jsonl") for n in range(100)},
        )

    def blocks(self, _: SourceObject) -> Iterator[bytes]:
        if self.error:
            raise self.error
        while True:
            self.blocks_read += 1
            yield bytes(8 << 20)


@pytest.mark.slow
def test_a_source_without_an_end_is_listed_in_part() -> None:
    source = Endless()
    listing = list_source(source)
    assert 0 < source.listings <= MAX_LISTINGS
    assert "1.jsonl" in listing.files


@pytest.mark.slow
def test_a_file_without_an_end_is_copied_in_part(tmp_path: Path) -> None:
    source = Endless()
    copy = copy_file("1.jsonl", list_source(source), source, tmp_path)
    assert copy
    assert copy.path.stat().st_size == 64 << 20


@pytest.mark.slow
def test_a_file_that_changes_is_passed_over_and_one_that_is_refused_is_named(
    tmp_path: Path,
) -> None:
    changing = Endless(SourceChangedError())
    assert copy_file("1.jsonl", list_source(changing), changing, tmp_path) is None
    refused = Endless(PermissionError(13, "Permission denied"))
    with pytest.raises(InputError, match=r"1\.jsonl cannot be read: Permission denied"):
        copy_file("1.jsonl", list_source(refused), refused, tmp_path)


def test_of_many_folders_the_first_and_the_last_are_looked_into(tmp_path: Path) -> None:
    for number in range(20):
        put(tmp_path / f"{number}" / "a.jsonl", play(1))
    listing = list_source(open_folder(tmp_path))
    assert listing.logs == [f"{it}/a.jsonl" for it in (0, 1, 2, 3, 16, 17, 18, 19)]
    assert len(listing.folders) == 20


def test_hidden_and_unreadable_names_and_links_to_folders_above_are_passed_over(
    tmp_path: Path,
) -> None:
    for name in ("a.jsonl", ".hidden", "_SUCCESS", "b.tmp"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    (tmp_path / os.fsdecode(b"\xff.jsonl")).write_text("{}")
    assert list_source(open_folder(tmp_path)).logs == ["a.jsonl"]


def test_a_single_file_is_all_of_its_source(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", play(1))
    put(tmp_path / "b.jsonl", play(1))
    source = SingleFile(open_folder(tmp_path), "b.jsonl")
    listing = list_source(source)
    assert listing.logs == ["b.jsonl"]
    assert b"".join(source.blocks(listing.files["b.jsonl"])).startswith(b'{"user_id"')


def test_the_raw_files_of_a_lake_are_folders_of_days(lake: Lake, tmp_path: Path) -> None:
    lake.write("raw/dt=2026-02-01/a.jsonl", b"{}\n")
    lake.write("raw/dt=2026-02-01/b/c.jsonl", b"{}\n")
    lake.write("features/dt=2026-02-01/x", b"other")
    source = LakeFiles(lake)
    listing = list_source(source)
    assert listing.logs == ["dt=2026-02-01/a.jsonl", "dt=2026-02-01/b/c.jsonl"]
    copy = copy_file(listing.logs[1], listing, source, tmp_path)
    assert copy
    assert copy.path.read_bytes() == b"{}\n"


def test_files_of_the_first_the_last_and_other_days_are_chosen() -> None:
    paths = [f"dt=2026-02-{day:02}/{n}.csv" for day in range(1, 29) for n in range(40)]
    chosen = choose_files(paths, guess_layout(paths))
    days = sorted({path[3:13] for path in chosen})
    assert (days[0], days[-1], len(days)) == ("2026-02-01", "2026-02-28", 6)
    assert len(chosen) == 6 * 16
    assert choose_files(paths[:3], None) == paths[:3]
