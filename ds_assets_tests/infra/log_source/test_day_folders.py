"""The folders of days in a log source, and those that only look like days."""

import datetime as dt
from pathlib import Path

import pytest

from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.log_source.folder import FolderLogSource

DAYS = [dt.date(2025, 12, 31), dt.date(2026, 2, 3), dt.date(2026, 2, 4)]


class CountingSource(FolderLogSource):
    """A source that counts listings."""

    def __init__(self, root: Path, day_path: str) -> None:
        super().__init__(root, day_path)
        self.listed: list[str] = []

    def folders(self, parent: str) -> list[str]:
        self.listed.append(parent)
        return super().folders(parent)


@pytest.mark.parametrize("pattern", ["dt=%Y-%m-%d", "%Y/%m/%d", "logs/%Y%m%d", "%Y-%m-%d/events"])
def test_of_many_days_those_with_a_folder_are_found(tmp_path: Path, pattern: str) -> None:
    for day in DAYS:
        (tmp_path / day.strftime(pattern)).mkdir(parents=True)
    source = CountingSource(tmp_path, pattern)
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=number) for number in range(800)]
    assert DayFolders(source, pattern).find_days(days) == DAYS
    assert len(source.listed) <= 5  # years and months without days are not looked into


@pytest.mark.parametrize(
    ("pattern", "folder", "place"),
    [
        ("dt=%Y-%m-%d", "dt=2026-2-3", ""),
        ("dt=%Y-%m-%d", "date=2026-02-03", ""),
        ("dt=%Y-%m-%d", "2026/02/03", ""),
        ("%Y/%m/%d", "dt=2026-02-03", ""),
        ("%Y/%m/%d", "2026/2/03", "/2026"),
        ("%Y/%m/%d", "2026/02/3", "/2026/02"),
    ],
)
def test_a_folder_that_is_nearly_a_day_is_named(
    tmp_path: Path, pattern: str, folder: str, place: str
) -> None:
    (tmp_path / DAYS[-1].strftime(pattern)).mkdir(parents=True)
    (tmp_path / folder).mkdir(parents=True)
    folders = DayFolders(FolderLogSource(tmp_path, pattern), pattern)
    assert folders.find_days(DAYS) == DAYS[-1:]
    (sentence,) = folders.describe_misnamed()
    name = folder.removeprefix(place.removeprefix("/")).lstrip("/").partition("/")[0]
    assert sentence == (
        f"{tmp_path}{place}: 1 folders look like days and are not collected, because logs.path "
        f"names days {pattern}: {name}"
    )
