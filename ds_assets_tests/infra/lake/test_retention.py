"""What the lake removes after the time that the settings give, and what that leaves as it was."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ds_assets.core.lineage import RAW_LOGS, lineage_of
from ds_assets.core.tables import EVENT_IDS, QUARANTINE
from ds_assets.core.targets import targets_of
from ds_assets.core.verdicts import Decision
from ds_assets.errors import InputError
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.provenance import (
    PROVENANCE,
    Records,
    first_kept_days,
    recorded,
    stored_folders,
)
from ds_assets.infra.lake.retention import Removed, Retention, remove_expired_days
from ds_assets_tests.core.factories import make_game
from ds_assets_tests.infra.lake.recorded_days import GAME, LINEAGES, day, write

LAST = 9
KEPT = Retention(raw=4, quarantine=1, tables=5, models=3)
"""Fewer days than `refuse_too_few_days` allows: here only what goes is tested."""


@pytest.fixture
def filled(lake: Lake) -> Lake:
    """A lake with ten days of everything."""
    fill(lake)
    assert outdated(lake) == {}
    return lake


def fill(lake: Lake, last: int = LAST) -> None:
    """Store and record days of everything, ten of them by default."""
    for number in range(last + 1):
        lake.write(f"raw/dt={day(number)}/logs.jsonl", b"{}")
        lake.write(f"{QUARANTINE.name}/dt={day(number)}/some.parquet", b"12")
        lake.write(f"{EVENT_IDS.name}/dt={day(number)}/some.parquet", b"1")
    for asset in LINEAGES:
        if asset != RAW_LOGS:
            with recorded(asset, days_after(0, last), LINEAGES, lake, "run"):
                for number in range(last + 1):
                    write(lake, asset, number)


def outdated(lake: Lake) -> dict[str, list[dt.date]]:
    """Days that would be made again, by asset."""
    records = Records(LINEAGES, lake)
    days = {asset: records.outdated_days(asset) for asset in LINEAGES if asset != RAW_LOGS}
    return {asset: outdated_days for asset, outdated_days in days.items() if outdated_days}


def days_after(first: int, last: int = LAST) -> list[dt.date]:
    return [day(number) for number in range(first, last + 1)]


def test_nothing_is_removed_unless_a_setting_says_so(filled: Lake) -> None:
    assert remove_expired_days(Retention(), filled, GAME) == {}
    assert filled.days("raw") == days_after(0)


def test_each_kind_of_data_is_kept_for_its_days_counted_back_from_the_newest(
    filled: Lake,
) -> None:
    removed = remove_expired_days(KEPT, filled, GAME)
    assert filled.days("raw") == days_after(6)
    assert filled.days(QUARANTINE.name) == days_after(9)
    assert filled.days(EVENT_IDS.name) == days_after(5)
    for lineage in LINEAGES.values():
        for folder in stored_folders(lineage):
            first = 7 if folder.startswith("models/") else 5
            assert filled.days(folder) == days_after(first), folder
    assert {kind: (it.first_kept, it.days) for kind, it in removed.items()} == {
        "raw": (day(6), 6),
        "quarantine": (day(9), 9),
        "tables": (day(5), 5),
        "models": (day(7), 7),
    }
    assert removed["raw"] == Removed(day(6), 6, files=6, size=12)
    again = remove_expired_days(KEPT, filled, GAME)
    assert [(it.days, it.files, it.size) for it in again.values()] == [(0, 0, 0)] * 4


def names(lake: Lake) -> list[str]:
    """Names of all objects in a lake; of the records of raw logs without the tags of files."""
    folders = {folder for lineage in LINEAGES.values() for folder in stored_folders(lineage)}
    others = ("raw", QUARANTINE.name, EVENT_IDS.name, PROVENANCE)
    objects = [item.name for folder in {*folders, *others} for item in lake.objects(folder)]
    return sorted(
        name.rsplit(".", 2)[0] if name.startswith(f"{PROVENANCE}/{RAW_LOGS}") else name
        for name in objects
    )


@pytest.mark.parametrize("completed", [0, 3, 17])
def test_a_removal_that_is_killed_and_run_again_ends_like_one_that_was_not_on_every_lake(
    filled: Lake, completed: int, tmp_path: Path
) -> None:
    undisturbed = FolderLake(tmp_path / "undisturbed")
    fill(undisturbed)
    expected = remove_expired_days(KEPT, undisturbed, GAME)
    killer = DyingLake(filled, completed)
    with pytest.raises(KeyboardInterrupt):
        remove_expired_days(KEPT, killer, GAME)
    assert outdated(filled) == {}
    removed = remove_expired_days(KEPT, filled, GAME)
    assert names(filled) == names(undisturbed)
    assert first_kept_days(filled) == first_kept_days(undisturbed)
    assert {it.first_kept for it in removed.values()} == {it.first_kept for it in expected.values()}


class DyingLake:
    """A lake whose process is killed within the removal of a folder.

    Args:
        lake: The lake.
        completed: Folders that are removed before.
    """

    def __init__(self, lake: Lake, completed: int) -> None:
        self._lake, self._completed = lake, completed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lake, name)

    def delete_folder(self, folder: str) -> None:
        if self._completed == 0:
            self._lake.delete([item.name for item in self._lake.objects(folder)][:1])
            raise KeyboardInterrupt
        self._completed -= 1
        self._lake.delete_folder(folder)


def test_what_was_removed_makes_nothing_outdated(filled: Lake) -> None:
    remove_expired_days(KEPT, filled, GAME)
    assert outdated(filled) == {}
    records = Records(LINEAGES, filled)
    records.withdraw("rds_results", records.recorded_days("rds_results"))  # a lost database
    assert records.outdated_days("rds_results") == days_after(5)


@pytest.mark.slow
def test_a_removed_day_that_is_accepted_is_not_made_again(filled: Lake) -> None:
    decide_by_operator(day(4), Decision.REFUSED, "why", "anna", filled, GAME)
    remove_expired_days(KEPT, filled, GAME)
    decide_by_operator(day(4), Decision.ACCEPTED, "why", "anna", filled, GAME)
    assert outdated(filled) == {}


@pytest.mark.slow
def test_a_day_whose_window_has_lost_days_stays_as_it_is(tmp_path: Path) -> None:
    lake, whole = FolderLake(tmp_path), 5 + GAME.lookback_days
    fill(lake, whole + 2)
    remove_expired_days(replace(KEPT, tables=whole - 2), lake, GAME)
    with recorded("user_activity", [day(5)], LINEAGES, lake, "run"):
        write(lake, "user_activity", 5, "other")
    assert outdated(lake)["user_features"] == [day(whole)]


@pytest.mark.slow
def test_records_of_removed_days_go_except_those_that_features_were_made_from(
    tmp_path: Path,
) -> None:
    lake, last = FolderLake(tmp_path), GAME.lookback_days + 9
    fill(lake, last)
    remove_expired_days(KEPT, lake, GAME)
    records = Records(LINEAGES, lake)
    first = last - 4
    back = first - GAME.lookback_days
    assert back > 0
    assert sorted(records.recorded_days("user_activity")) == days_after(back, last)
    assert sorted(records.recorded_days(RAW_LOGS)) == days_after(last - 3, last)
    for asset in LINEAGES:
        if asset not in {RAW_LOGS, "user_activity"}:
            assert sorted(records.recorded_days(asset)) == days_after(first, last), asset


@pytest.mark.slow
def test_the_first_day_that_was_kept_never_goes_back(filled: Lake) -> None:
    remove_expired_days(KEPT, filled, GAME)
    remove_expired_days(replace(KEPT, tables=8), filled, GAME)
    assert first_kept_days(filled)["tables"] == day(5)
    assert Records(LINEAGES, filled).first_kept_day == day(5)


@pytest.mark.parametrize("kind", ["raw", "tables", "models"])
def test_fewer_days_than_predictions_need_are_refused_with_the_minimum(kind: str) -> None:
    settings = {"raw": "RAW", "tables": "TABLE", "models": "MODEL"}
    game = make_game()
    with pytest.raises(InputError, match=f"DS_ASSETS_{settings[kind]}_DAYS is 1, and") as caught:
        Retention(**{kind: 1}).refuse_too_few_days(game)
    minimum = int(str(caught.value).partition("set ")[2].partition(" or more")[0])
    Retention(**{kind: minimum}).refuse_too_few_days(game)
    with pytest.raises(InputError, match=f"need {minimum} days"):
        Retention(**{kind: minimum - 1}).refuse_too_few_days(game)


def test_the_tables_that_training_needs_can_be_made_again_after_every_removal() -> None:
    game = make_game()
    target = max(targets_of(game).values(), key=lambda it: it.maturity_days)
    oldest = target.maturity_days + (target.max_snapshots - 1) * target.step
    with pytest.raises(InputError, match=f"need {oldest + game.lookback_days + 1} days"):
        Retention(tables=oldest).refuse_too_few_days(game)
    with pytest.raises(InputError, match=f"need {oldest + 1} days"):
        Retention(models=1).refuse_too_few_days(game)  # clusters of validation snapshots
    assert lineage_of(game)["user_features"].reads[0].earliest == game.lookback_days
