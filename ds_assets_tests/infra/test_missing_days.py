"""Days of the game without logs, in the lake or the log source."""

import datetime as dt
from pathlib import Path

from ds_assets.closed_days import ClosedDays
from ds_assets.game import Fields, Game
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.retention import Retention, remove_expired_days
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets.infra.missing_days import describe_missing_days, find_holes, find_missing_days

DAYS = [dt.date(2026, 1, number) for number in range(1, 8)]
GAME = Game(
    name="game",
    first_day=DAYS[0],
    closed_days=ClosedDays(frozenset([DAYS[5]])),
    fields=Fields(user_id="u", event_time="t", event_type="e"),
)


def test_a_day_is_missing_if_neither_lake_nor_source_has_it_and_it_is_not_closed(
    tmp_path: Path,
) -> None:
    lake = FolderLake(tmp_path / "lake")
    lake.write(f"raw/dt={DAYS[1]}/a.jsonl", b"")
    (tmp_path / f"dt={DAYS[2]}").mkdir()
    holes = find_holes(DAYS[6], made_days=[DAYS[3]], lake=lake, game=GAME)
    assert holes == [DAYS[0], DAYS[2], DAYS[4], DAYS[5], DAYS[6]]
    folders = DayFolders(FolderLogSource(tmp_path, GAME.log_path))
    assert find_missing_days(holes, folders, GAME) == [DAYS[0], DAYS[4], DAYS[6]]


def test_missing_days_are_listed_as_ranges_with_what_they_mean_and_what_to_do() -> None:
    sentence = describe_missing_days([DAYS[0], DAYS[2], DAYS[3]], "s3://logs/")
    assert sentence.startswith(
        f"no logs of {DAYS[0]}, {DAYS[2]} to {DAYS[3]} in s3://logs/ and the lake: "
    )
    assert "closed_days" in sentence
    apart = [DAYS[0] + dt.timedelta(days=2 * number) for number in range(15)]
    assert ", 5 more ranges in " in describe_missing_days(apart, "s3://logs/")


def test_without_missing_days_that_is_said() -> None:
    assert describe_missing_days([], "x") == "every day has logs, or waits to be collected"


def test_days_that_the_retention_removed_are_not_looked_for(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path / "lake")
    for day in DAYS[:5]:
        lake.write(f"user_activity/dt={day}/user_activity.parquet", b"")
    remove_expired_days(Retention(tables=2), lake, GAME)
    assert find_holes(DAYS[6], made_days=[], lake=lake, game=GAME) == DAYS[3:7]
