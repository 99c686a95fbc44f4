"""Reports of days, beside a table that other programs read as a whole folder."""

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from pyarrow import dataset

from ds_assets.core.activity_report import ActivityReport
from ds_assets.infra.lake.activity_reports import read_report, store_report
from ds_assets.infra.lake.folder import FolderLake
from ds_assets_tests.assets.factories import START, finished
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


def test_a_day_without_a_report_has_none(tmp_path: Path) -> None:
    assert read_report(START, FolderLake(tmp_path)) is None


def table_folders() -> dict[Path, int]:
    """Folders of the tables of a lake, with their numbers of rows."""
    lake = finished().settings.lake
    tables = {file.parents[1] for file in lake.rglob("*.parquet")}
    return {
        table: sum(pd.read_parquet(file).shape[0] for file in table.rglob("*.parquet"))
        for table in tables
    }


@pytest.mark.slow
def test_other_programs_read_the_whole_folder_of_each_table() -> None:
    folders = table_folders()
    assert {"user_activity", "user_features", "predictions"} <= {it.name for it in folders}
    for folder, rows in folders.items():
        assert len(pd.read_parquet(folder)) == rows, folder
        assert dataset.dataset(folder, partitioning="hive").count_rows() == rows, folder
        files = f"{folder}/*/*.parquet"
        query = "SELECT count(*) FROM read_parquet(?, union_by_name = true)"
        assert duckdb.execute(query, [files]).fetchall() == [(rows,)], folder


@pytest.mark.slow
@pytest.mark.server
def test_spark_reads_the_whole_folder_of_each_table(tmp_path: Path) -> None:
    session = local_session(tmp_path)
    for folder, rows in table_folders().items():
        assert session.read.parquet(folder.as_uri()).count() == rows, folder
