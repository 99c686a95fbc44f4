"""Reports of days, beside a table that other programs read as a whole folder."""

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from pyarrow import dataset

from ds_assets.core.activity_report import ActivityReport
from ds_assets.core.lineage import lineage_of
from ds_assets.infra.lake.activity_reports import read_report, store_report
from ds_assets.infra.lake.adoption import adopt_stored_days, open_records
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.provenance import ADOPTED, Adopted, read_adopted
from ds_assets_tests.assets.factories import START, finished
from ds_assets_tests.core.factories import make_game
from ds_assets_tests.spark import local_session

COUNTS: dict[str, Any] = {
    "files": 1,
    "lines": 2,
    "events": 2,
    "duplicates": 0,
    "late_events": 0,
    "users": 1,
}
REPORT = ActivityReport(day=START, raw_fingerprint="a", quarantined={}, rows=1, **COUNTS)


def test_a_report_that_an_earlier_release_stored_is_read(tmp_path: Path) -> None:
    lake, name = FolderLake(tmp_path), f"user_activity/dt={START}/report.json"
    lake.write(name, REPORT.model_dump_json().encode())
    assert read_report(START, lake) == REPORT
    newer = REPORT.model_copy(update={"users": 2})
    store_report(newer, lake)
    assert read_report(START, lake) == newer
    assert [item.name for item in lake.objects("user_activity")] == [
        f"user_activity/dt={START}/_report.json"
    ]


def test_reports_of_an_earlier_release_are_renamed_once(lake: Lake) -> None:
    days = [START + dt.timedelta(days=number) for number in range(3)]
    folders = [f"user_activity/dt={day}" for day in days]
    reports = [REPORT.model_copy(update={"day": day}) for day in days]
    for folder, report in zip(folders, reports, strict=True):
        lake.write(f"{folder}/report.json", report.model_dump_json().encode())
    # A release that was killed between the two steps has left both names of this day.
    lake.write(f"{folders[1]}/_report.json", reports[1].model_dump_json().encode())
    for _ in range(2):
        adopt_stored_days(lineage_of(make_game()), lake)
        names = [item.name for item in lake.objects("user_activity")]
        assert names == [f"{folder}/_report.json" for folder in folders]
        assert [read_report(day, lake) for day in days] == reports
    lake.write(f"{folders[0]}/report.json", b"{}")
    adopt_stored_days(lineage_of(make_game()), lake)
    assert lake.exists(f"{folders[0]}/report.json")  # the lake is not listed again


def test_a_lake_whose_days_were_adopted_before_keeps_their_game_file(lake: Lake) -> None:
    lake.write(ADOPTED, b'{"settings": "an earlier one"}')
    lake.write(f"user_activity/dt={START}/report.json", REPORT.model_dump_json().encode())
    adopt_stored_days(lineage_of(make_game()), lake)
    assert read_adopted(lake) == Adopted("an earlier one", has_renamed_reports=True)
    assert not lake.exists(f"user_activity/dt={START}/report.json")


def test_a_day_without_a_report_has_none(tmp_path: Path) -> None:
    assert read_report(START, FolderLake(tmp_path)) is None


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lake that an earlier release has filled, and this one has opened."""
    installation = finished().copy(tmp_path_factory.mktemp("upgraded") / "home")
    folder: Path = installation.settings.lake
    for report in folder.glob("user_activity/*/_report.json"):
        report.rename(report.with_name("report.json"))
    installation.lake.write(ADOPTED, b'{"settings": "an earlier one"}')
    open_records(installation.game, installation.lake)
    return folder


def table_folders(lake: Path) -> dict[Path, int]:
    """Folders of the tables of a lake, with their numbers of rows."""
    tables = {file.parents[1] for file in lake.rglob("*.parquet")}
    return {
        table: sum(pd.read_parquet(file).shape[0] for file in table.rglob("*.parquet"))
        for table in tables
    }


@pytest.mark.slow
def test_other_programs_read_the_whole_folder_of_each_table(upgraded: Path) -> None:
    folders = table_folders(upgraded)
    assert {"user_activity", "user_features", "predictions"} <= {it.name for it in folders}
    for folder, rows in folders.items():
        assert len(pd.read_parquet(folder)) == rows, folder
        assert dataset.dataset(folder, partitioning="hive").count_rows() == rows, folder
        files = f"{folder}/*/*.parquet"
        query = "SELECT count(*) FROM read_parquet(?, union_by_name = true)"
        assert duckdb.execute(query, [files]).fetchall() == [(rows,)], folder


@pytest.mark.slow
@pytest.mark.server
def test_spark_reads_the_whole_folder_of_each_table(upgraded: Path, tmp_path: Path) -> None:
    session = local_session(tmp_path)
    for folder, rows in table_folders(upgraded).items():
        assert session.read.parquet(folder.as_uri()).count() == rows, folder
