"""The id of a lake, by which its installation is recognised."""

import shutil
from pathlib import Path

from ds_assets.infra.installation_ids import lake_id
from ds_assets.infra.lake.folder import FolderLake


def test_a_lake_keeps_its_id_also_when_it_is_copied(tmp_path: Path) -> None:
    first = lake_id(FolderLake(tmp_path / "lake"))
    shutil.copytree(tmp_path / "lake", tmp_path / "copy")
    assert lake_id(FolderLake(tmp_path / "lake")) == first
    assert lake_id(FolderLake(tmp_path / "copy")) == first


def test_two_lakes_have_different_ids(tmp_path: Path) -> None:
    assert lake_id(FolderLake(tmp_path / "one")) != lake_id(FolderLake(tmp_path / "other"))
