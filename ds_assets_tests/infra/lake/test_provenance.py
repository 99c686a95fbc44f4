"""What stored days were made from, and which of them are outdated."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from ds_assets.core.lineage import Lineage, lineage_of
from ds_assets.game import ClusterRange, Events
from ds_assets.infra.lake.adoption import adopt_stored_days
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.provenance import (
    Records,
    recorded,
    refresh_raw_content,
    stored_files,
)
from ds_assets.infra.lake.raw_logs import raw_objects
from ds_assets_tests.core.factories import FIRST_DAY
from ds_assets_tests.infra.lake.lakes import make_lake
from ds_assets_tests.infra.lake.recorded_days import ACTIVITY, FEATURES, GAME, LINEAGES, day, write


def store(lake: Lake, asset: str, *numbers: int, content: str = "") -> None:
    """Store days of an asset as it does."""
    with recorded(asset, [day(number) for number in numbers], LINEAGES, lake, "run"):
        for number in numbers:
            write(lake, asset, number, content)


def break_off(lake: Lake, asset: str, number: int, *, is_written: bool) -> None:
    """Leave a day of an asset as a run does that fails or is killed."""
    with suppress(OSError), recorded(asset, [day(number)], LINEAGES, lake, "run"):
        if is_written:
            write(lake, asset, number, "other")
        raise OSError


def outdated(lake: Lake, asset: str) -> list[int]:
    days = Records(LINEAGES, lake).outdated_days(asset)
    return [(it - FIRST_DAY).days for it in days]


def all_outdated(lake: Lake) -> Mapping[str, list[int]]:
    assets = [it for it in LINEAGES if it != "raw_logs"]
    return {it: reasons for it in assets if (reasons := outdated(lake, it))}


def test_a_day_is_outdated_when_an_input_has_another_content(lake: Lake) -> None:
    after = 2 + GAME.lookback_days
    store(lake, ACTIVITY, *range(after + 2))
    store(lake, FEATURES, *range(after + 2))
    assert outdated(lake, FEATURES) == []
    store(lake, ACTIVITY, 2, content="other")
    assert outdated(lake, FEATURES) == list(range(2, after + 1))


def test_a_day_that_is_made_again_with_the_same_content_outdates_nothing(lake: Lake) -> None:
    store(lake, ACTIVITY, *range(8))
    store(lake, FEATURES, *range(8))
    store(lake, ACTIVITY, 2)
    assert outdated(lake, FEATURES) == []


def test_a_day_that_is_made_again_is_no_longer_outdated(lake: Lake) -> None:
    store(lake, ACTIVITY, 0, 1)
    store(lake, FEATURES, 1)
    store(lake, ACTIVITY, 0, content="other")
    store(lake, FEATURES, 1)
    assert outdated(lake, FEATURES) == []


def test_an_input_that_came_later_outdates_a_day_that_was_made_without_it(lake: Lake) -> None:
    store(lake, ACTIVITY, 1)
    store(lake, FEATURES, 1)
    store(lake, ACTIVITY, 0)
    assert outdated(lake, FEATURES) == [1]


def test_a_day_that_is_made_while_its_input_is_being_stored_is_outdated(lake: Lake) -> None:
    store(lake, ACTIVITY, 0, 1)
    with recorded(ACTIVITY, [day(0)], LINEAGES, lake, "other run"):
        store(lake, FEATURES, 1)
        write(lake, ACTIVITY, 0, "other")
    assert outdated(lake, FEATURES) == [1]


def test_a_day_whose_input_changes_while_it_is_made_is_outdated(lake: Lake) -> None:
    store(lake, ACTIVITY, 0, 1)
    with recorded(FEATURES, [day(1)], LINEAGES, lake, "run"):
        write(lake, FEATURES, 1)
        store(lake, ACTIVITY, 0, content="other")
    assert outdated(lake, FEATURES) == [1]


@pytest.mark.parametrize("is_written", [False, True])
def test_a_day_of_a_run_that_broke_off_is_outdated(lake: Lake, is_written: bool) -> None:
    store(lake, ACTIVITY, 0)
    store(lake, FEATURES, 0)
    break_off(lake, FEATURES, 0, is_written=is_written)
    assert outdated(lake, FEATURES) == [0]


def test_runs_of_the_same_day_at_once_that_differ_leave_it_outdated(lake: Lake) -> None:
    store(lake, ACTIVITY, 0)
    with recorded(FEATURES, [day(0)], LINEAGES, lake, "one"):
        with recorded(FEATURES, [day(0)], LINEAGES, lake, "other"):
            write(lake, FEATURES, 0, "other")
        write(lake, FEATURES, 0, "one")
    assert outdated(lake, FEATURES) == [0]


def test_a_correction_of_an_old_day_does_not_make_later_clusters_and_models_again(
    lake: Lake,
) -> None:
    for asset in (ACTIVITY, FEATURES, "clusters", "churn_model"):
        store(lake, asset, *range(9))
    for asset in (ACTIVITY, FEATURES, "clusters"):
        store(lake, asset, 0, content="other")
    assert (outdated(lake, "clusters"), outdated(lake, "churn_model")) == ([], [0])


def test_a_delivery_is_outdated_until_it_holds_the_predictions(lake: Lake) -> None:
    store(lake, "predictions", 0, 1)
    assert outdated(lake, "rds_results") == [0, 1]
    store(lake, "rds_results", 0, 1)
    assert outdated(lake, "rds_results") == []
    store(lake, "predictions", 1, content="other")
    assert outdated(lake, "rds_results") == [1]
    with (
        pytest.raises(OSError, match="away"),
        recorded("rds_results", [day(1)], LINEAGES, lake, ""),
    ):
        raise OSError("the database is away")
    assert outdated(lake, "rds_results") == [1]


def test_the_content_of_raw_files_outlives_their_tags(lake: Lake) -> None:
    lake.write(f"raw/dt={day(0)}/a.jsonl", b"1")
    store(lake, ACTIVITY, 0)
    lake.write(f"raw/dt={day(0)}/a.jsonl", b"1")
    refresh_raw_content({day(0): raw_objects(day(0), lake)}, lake)
    assert outdated(lake, ACTIVITY) == []
    lake.write(f"raw/dt={day(0)}/a.jsonl", b"2")
    refresh_raw_content({day(0): raw_objects(day(0), lake)}, lake)
    assert outdated(lake, ACTIVITY) == [0]


def filled(folder: Path) -> FolderLake:
    """A lake of nine days of all assets, all of them current."""
    lake = FolderLake(folder)
    for number in range(9):
        lake.write(f"raw/dt={day(number)}/a.jsonl", b"%d" % number)
    for asset in list(LINEAGES)[1:]:
        store(lake, asset, *range(9))
    assert all_outdated(lake) == {}
    return lake


def test_nothing_of_a_lake_that_was_copied_is_outdated(tmp_path: Path) -> None:
    filled(tmp_path / "lake")
    shutil.copytree(tmp_path / "lake", tmp_path / "copy", copy_function=shutil.copyfile)
    copy = FolderLake(tmp_path / "copy")
    refresh_raw_content({day(it): raw_objects(day(it), copy) for it in range(9)}, copy)
    assert all_outdated(copy) == {}


@pytest.mark.server
def test_nothing_of_a_lake_that_moves_from_a_folder_to_blob_is_outdated(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder, blob = filled(tmp_path / "lake"), make_lake("Blob", tmp_path, request)
    for file in (tmp_path / "lake").rglob("*.*"):
        blob.write(file.relative_to(tmp_path / "lake").as_posix(), file.read_bytes())
    refresh_raw_content({day(it): raw_objects(day(it), blob) for it in range(9)}, blob)
    assert all_outdated(blob) == all_outdated(folder) == {}


def lineages_of(**changes: object) -> Mapping[str, Lineage]:
    """The lineages of the game after a change of its game file."""
    return lineage_of(GAME.model_copy(update=changes))


OTHER_PURCHASES = {"events": Events(purchases=("buy",))}


def test_days_that_another_game_file_made_are_outdated_with_the_keys_that_differ(
    lake: Lake,
) -> None:
    store(lake, ACTIVITY, 0, 1)
    store(lake, FEATURES, 0, 1)
    records = Records(lineages_of(**OTHER_PURCHASES), lake)
    assert records.changed_days(ACTIVITY) == dict.fromkeys([day(0), day(1)], ("events.purchases",))
    assert records.outdated_days(ACTIVITY) == [day(0), day(1)]
    assert records.outdated_days(FEATURES) == []


def test_a_setting_of_features_leaves_activity_valid(lake: Lake) -> None:
    store(lake, ACTIVITY, 0)
    store(lake, FEATURES, 0)
    records = Records(lineages_of(active_days=2), lake)
    assert records.outdated_days(ACTIVITY) == []
    assert records.changed_days(FEATURES) == {day(0): ("active_days",)}


@pytest.mark.parametrize(
    "changes", [{"name": "Other"}, {"clusters": ClusterRange(min=2, max=4)}, {"grace_days": 1}]
)
def test_a_setting_for_days_from_now_on_leaves_stored_days_valid(
    lake: Lake, changes: dict[str, object]
) -> None:
    assets = (ACTIVITY, FEATURES, "clusters", "churn_model")
    for asset in assets:
        store(lake, asset, 0)
    records = Records(lineages_of(**changes), lake)
    assert [asset for asset in assets if records.outdated_days(asset)] == []


def test_a_game_file_that_is_changed_back_makes_nothing_outdated(lake: Lake) -> None:
    store(lake, ACTIVITY, 0, 1)
    with recorded(ACTIVITY, [day(1)], lineages_of(**OTHER_PURCHASES), lake, "run"):
        write(lake, ACTIVITY, 1)
    assert outdated(lake, ACTIVITY) == [1]
    assert Records(lineages_of(**OTHER_PURCHASES), lake).outdated_days(ACTIVITY) == [day(0)]


def test_days_whose_earlier_game_file_is_lost_are_outdated(lake: Lake) -> None:
    store(lake, ACTIVITY, 0)
    lake.delete([it.name for it in lake.objects("provenance/settings")])
    assert outdated(lake, ACTIVITY) == []
    records = Records(lineages_of(**OTHER_PURCHASES), lake)
    assert records.changed_days(ACTIVITY) == {day(0): ("game.yaml",)}


def test_days_that_an_operator_keeps_count_as_made_with_the_present_game_file(lake: Lake) -> None:
    store(lake, ACTIVITY, 0, 1)
    store(lake, FEATURES, 0, 1)
    records = Records(lineages_of(**OTHER_PURCHASES), lake)
    records.keep(ACTIVITY, day(0), "anna: renamed in the game")
    assert records.outdated_days(ACTIVITY) == [day(1)]
    assert records.outdated_days(FEATURES) == []
    record = records.read(ACTIVITY, day(0))
    assert record is not None
    assert record.kept == "anna: renamed in the game"


def test_a_day_that_is_marked_is_outdated_and_stays_an_input_until_it_is_replaced(
    lake: Lake,
) -> None:
    store(lake, ACTIVITY, 0, 1)
    store(lake, FEATURES, 1)
    records = Records(LINEAGES, lake)
    records.mark_again(ACTIVITY, [day(0)], "its events arrived before")
    assert outdated(lake, ACTIVITY) == [0]
    assert outdated(lake, FEATURES) == []
    assert records.recorded_days(ACTIVITY)[day(0)].is_marked
    store(lake, ACTIVITY, 0)
    assert all_outdated(lake) == {}


def test_days_before_a_later_first_day_are_neither_made_nor_read(lake: Lake) -> None:
    store(lake, ACTIVITY, *range(8))
    store(lake, FEATURES, *range(8))
    records = Records(lineages_of(first_day=day(4)), lake)
    assert records.outdated_days(FEATURES) == [day(it) for it in range(4, 8)]
    assert sorted(records.usable_days(ACTIVITY)) == [day(it) for it in range(4, 8)]
    changed = Records(lineages_of(first_day=day(4), **OTHER_PURCHASES), lake)
    assert sorted(changed.changed_days(ACTIVITY)) == [day(it) for it in range(4, 8)]


def test_records_without_a_game_file_are_adopted_once_with_the_present_one(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    for file in (tmp_path / "provenance").rglob("20*.json"):
        *parts, _, suffix = file.name.split(".")
        if len(parts) == 3:
            file.rename(file.with_name(".".join([*parts, suffix])))
    (tmp_path / "provenance" / "adopted.json").write_text("{}")
    shutil.rmtree(tmp_path / "provenance" / "settings")
    adopt_stored_days(LINEAGES, lake)
    assert all_outdated(lake) == {}
    records = Records(lineages_of(**OTHER_PURCHASES), lake)
    assert len(records.changed_days(ACTIVITY)) == 9
    adopt_stored_days(lineages_of(**OTHER_PURCHASES), lake)
    assert len(records.changed_days(ACTIVITY)) == 9


def without_records(lake: FolderLake, folder: Path) -> FolderLake:
    """The lake as a release without records has left it."""
    shutil.rmtree(folder / "provenance")
    return lake


def test_days_that_a_release_without_records_stored_are_adopted(tmp_path: Path) -> None:
    lake = without_records(filled(tmp_path), tmp_path)
    assert outdated(lake, FEATURES) == list(range(9))
    adopt_stored_days(LINEAGES, lake)
    assert outdated(lake, FEATURES) == outdated(lake, "predictions") == []
    store(lake, ACTIVITY, 4, content="other")
    assert outdated(lake, FEATURES) == [4, 5, 6, 7, 8]


def test_an_adopted_day_is_outdated_if_its_input_was_stored_later(tmp_path: Path) -> None:
    lake = without_records(filled(tmp_path), tmp_path)
    (file,) = stored_files(LINEAGES["clusters"], day(3))[:1]
    later = (tmp_path / stored_files(LINEAGES["predictions"], day(3))[0]).stat().st_mtime + 60
    os.utime(tmp_path / file, (later, later))
    adopt_stored_days(LINEAGES, lake)
    assert outdated(lake, "predictions") == [3]


def test_a_lake_is_adopted_once(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    adopt_stored_days(LINEAGES, lake)
    write(lake, FEATURES, 0)  # as a killed run leaves it
    adopt_stored_days(LINEAGES, lake)
    assert outdated(lake, FEATURES) == [0]


def test_records_of_this_release_outlive_the_adoption(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    adopt_stored_days(LINEAGES, lake)
    assert all_outdated(lake) == {}
