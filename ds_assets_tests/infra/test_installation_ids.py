"""The id of a lake, by which its installation is recognised."""

import shutil
from pathlib import Path

import pytest

from ds_assets.errors import InputError
from ds_assets.infra.installation_ids import lake_id, read_lake_id
from ds_assets.infra.lake.folder import FolderLake


def test_a_lake_keeps_its_id_also_when_it_is_copied(tmp_path: Path) -> None:
    first = lake_id(FolderLake(tmp_path / "lake"))
    shutil.copytree(tmp_path / "lake", tmp_path / "copy")
    assert lake_id(FolderLake(tmp_path / "lake")) == first
    assert lake_id(FolderLake(tmp_path / "copy")) == first


def test_two_lakes_have_different_ids(tmp_path: Path) -> None:
    assert lake_id(FolderLake(tmp_path / "one")) != lake_id(FolderLake(tmp_path / "other"))


def test_a_lake_that_is_only_read_gets_no_id(tmp_path: Path) -> None:
    assert read_lake_id(FolderLake(tmp_path / "lake")) is None
    assert not (tmp_path / "lake").exists()


def test_a_damaged_id_is_reported_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "installation.json").write_text('{"id": ')
    with pytest.raises(
        InputError, match=r"^installation\.json in the lake .* is damaged .*claim`$"
    ):
        lake_id(FolderLake(tmp_path))
