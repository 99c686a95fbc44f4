"""Raw logs of days, as the graph copies them."""

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ds_assets.errors import InputError
from ds_assets.infra.lake.raw_logs import read_manifest
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets.infra.missing_days import WHAT_TO_DO
from ds_assets.path_patterns import PathPattern
from ds_assets_tests.assets.factories import START, Installation, day, event, make_installation
from ds_assets_tests.conftest import BUCKET

ONLY = ("raw_logs",)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    installation = make_installation(tmp_path)
    for number in (0, 2):
        installation.write_logs(day(number), event(number, f"{day(number)}T10:00:00Z"))
    return installation


def metadata(installation: Installation, number: int) -> dict[str, object]:
    """Run a day and return what the UI shows of it."""
    with dg.DagsterInstance.ephemeral() as instance:
        installation.run(day(number), assets=ONLY, instance=instance)
        shown = instance.get_latest_materialization_event(dg.AssetKey("raw_logs"))
    assert shown is not None
    assert shown.asset_materialization is not None
    return {name: entry.value for name, entry in shown.asset_materialization.metadata.items()}


def test_a_day_without_files_fails_with_a_sentence_that_names_the_folder(
    installation: Installation,
) -> None:
    with pytest.raises(InputError) as caught:
        installation.run(day(1), assets=ONLY)
    folder = installation.source(day(1))
    assert str(caught.value).startswith(
        f"{day(1)}: there are no log files in {folder}; {WHAT_TO_DO}\n"
    )
    assert "add the day to closed_days" in WHAT_TO_DO


def test_a_day_whose_only_files_are_no_logs_is_a_day_without_files(
    installation: Installation,
) -> None:
    installation.write_logs(day(1), name="_SUCCESS")
    with pytest.raises(InputError, match="there are no log files in"):
        installation.run(day(1), assets=ONLY)


@pytest.mark.slow
def test_a_day_that_failed_does_not_keep_others_from_running(installation: Installation) -> None:
    with pytest.raises(InputError):
        installation.run(day(1), assets=ONLY)
    installation.run(day(2), assets=ONLY)
    assert installation.lake.days("raw") == [day(2)]


def test_a_range_leaves_the_missing_day_out_says_so_and_copies_the_others(
    installation: Installation,
) -> None:
    messages = installation.run(START, day(2), ONLY)
    where = installation.source(day(1))
    assert messages == [f"{day(1)}: there are no log files in {where}; {WHAT_TO_DO}"]
    assert installation.lake.days("raw") == [START, day(2)]


def test_a_range_in_which_every_day_is_missing_fails_and_names_them(
    installation: Installation,
) -> None:
    with pytest.raises(InputError, match=f"{day(3)}, {day(4)}: there are no log files in"):
        installation.run(day(3), day(4), ONLY)


def test_the_ui_shows_what_was_copied_and_what_has_left_the_source(
    installation: Installation,
) -> None:
    gone = installation.write_logs(START, "gone", name="gone.jsonl")
    first = metadata(installation, 0)
    gone.unlink()
    second = metadata(installation, 0)
    assert {name: first[name] for name in ("files", "files_copied")} == {
        "files": 2,
        "files_copied": 2,
    }
    assert first["bytes"] == first["bytes_copied"]
    assert (second["files"], second["files_copied"], second["bytes_copied"]) == (1, 0, 0)
    assert (first["gone_from_source"], second["gone_from_source"]) == ([], ["gone.jsonl"])


def test_the_ui_shows_which_files_are_no_logs(installation: Installation) -> None:
    (installation.source(START) / "_temporary").mkdir()
    installation.write_logs(START, "half", name="_temporary/events.jsonl")
    shown = metadata(installation, 0)
    assert (shown["files"], shown["ignored_files"]) == (1, 1)
    assert shown["ignored"] == ["_temporary/events.jsonl"]


@pytest.mark.slow
def test_folders_that_are_named_almost_like_days_are_a_warning_that_names_them(
    installation: Installation,
) -> None:
    source = installation.settings.source
    for name in ("dt=2026-1-1", "day=2026-01-02", "notes"):
        (source / name).mkdir()
    folders = DayFolders(FolderLogSource(source, PathPattern("dt=%Y-%m-%d")))
    folders.find_days([START, day(2)])
    (warning,) = folders.describe_misnamed()
    assert warning == (
        f"{source}: 2 names look like days and are not collected, because logs.path is "
        "dt=%Y-%m-%d: day=2026-01-02, dt=2026-1-1"
    )
    with dg.DagsterInstance.ephemeral() as instance:
        installation.run(START, assets=ONLY, instance=instance)
        (run,) = instance.get_runs()
        logged = [entry.user_message for entry in instance.all_logs(run.run_id)]
    assert warning in logged


@pytest.mark.slow
def test_a_day_whose_files_have_all_left_the_source_is_run_from_those_in_the_lake(
    installation: Installation,
) -> None:
    installation.run(START, assets=ONLY)
    (installation.source(START) / "events.jsonl").unlink()
    installation.run(START, assets=("raw_logs", "user_activity"))
    assert installation.lake.exists(f"raw/dt={START}/events.jsonl")
    (entry,) = read_manifest(START, installation.lake).files
    assert not entry.in_source
    assert installation.lake.days("user_activity") == [START]


@pytest.mark.slow
def test_a_day_that_was_put_straight_into_the_lake_is_run_without_a_source(
    installation: Installation,
) -> None:
    content = (installation.source(START) / "events.jsonl").read_bytes()
    shutil.rmtree(installation.settings.source)
    installation.lake.write(f"raw/dt={START}/events.jsonl", content)
    installation.run(START, assets=("raw_logs", "user_activity"))
    assert installation.lake.days("user_activity") == [START]


def test_a_day_without_its_marker_in_the_source_is_not_copied_until_it_has_one(
    tmp_path: Path,
) -> None:
    marked = make_installation(tmp_path / "marked", logs={"marker": "_SUCCESS"})
    marked.write_logs(START, event(1, f"{START}T10:00:00Z"))
    with pytest.raises(InputError, match=f"dt={START} has no _SUCCESS, so it is not complete"):
        marked.run(START, assets=ONLY)
    assert marked.lake.days("raw") == []
    marked.write_logs(START, name="_SUCCESS")
    marked.run(START, assets=ONLY)
    assert marked.lake.read(f"raw/dt={START}/_SUCCESS") == b""


def test_a_check_names_the_days_without_logs(installation: Installation) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        installation.run(START, day(2), ONLY, instance)
        key = dg.AssetCheckKey(dg.AssetKey("raw_logs"), "has_no_missing_days")
        (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert record.event is not None
    evaluation = record.event.asset_check_evaluation
    assert evaluation is not None
    assert not evaluation.passed
    assert str(evaluation.description).startswith(f"no logs of {day(1)}, {day(3)} to {day(39)} in ")


@pytest.mark.slow
def test_logs_in_s3_are_copied_like_those_of_a_folder(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: Any
) -> None:
    log = installation.source(day(0)) / "events.jsonl"
    s3.upload_file(str(log), BUCKET, f"logs/dt={day(0)}/events.jsonl")
    monkeypatch.setenv("DS_ASSETS_SOURCE_URL", f"s3://{BUCKET}/logs")
    by_url = make_installation(tmp_path / "by url")
    by_url.run(day(0), assets=("raw_logs", "user_activity"))
    with pytest.raises(InputError, match=f"no log files in s3://{BUCKET}/logs/dt={day(1)}"):
        by_url.run(day(1), assets=ONLY)
    assert by_url.lake.read(f"raw/dt={day(0)}/events.jsonl") == log.read_bytes()
    assert by_url.lake.days("user_activity") == [day(0)]


@pytest.mark.slow
def test_logs_in_several_places_of_s3_are_copied_into_folders_with_their_names(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: Any
) -> None:
    log = installation.source(day(0)) / "events.jsonl"
    names = ("play", "pay")
    for name in names:
        s3.upload_file(str(log), BUCKET, f"{name}_here/dt={day(0)}/events.jsonl")
    urls = " ".join(f"{name}=s3://{BUCKET}/{name}_here" for name in names)
    monkeypatch.setenv("DS_ASSETS_SOURCE_URL", urls)
    several = make_installation(tmp_path / "several", logs={"path": "*/dt=%Y-%m-%d"})
    several.run(day(0), assets=ONLY)
    for name in names:
        copy = f"raw/dt={day(0)}/{name}/dt={day(0)}/events.jsonl"
        assert several.lake.read(copy) == log.read_bytes()
    with pytest.raises(InputError, match=r"no log files in \(play=s3://.*, pay=s3://.*\)/\*/dt="):
        several.run(day(1), assets=ONLY)
