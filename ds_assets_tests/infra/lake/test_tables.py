"""Stored tables: their format, and days that cannot be read."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import parquet

from ds_assets.core import stored_tables
from ds_assets.core.stored_documents import DamagedDayError, NewerFormatError
from ds_assets.core.tables import CLUSTERS, PREDICTIONS, TARGET_PREDICTIONS
from ds_assets.errors import InputError
from ds_assets.infra.engines.duckdb import open_duckdb
from ds_assets.infra.lake import tables
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.tables import (
    open_day,
    read_batches,
    read_columns,
    read_predictions,
    read_rows,
    read_target_batches,
    store_rows,
    stored_rows,
    stored_target_predictions,
    table_file,
)
from ds_assets_tests.infra.factories import row, table

DAY = dt.date(2026, 1, 1)
FILE = table_file(CLUSTERS.name, DAY)
ROWS = pa.Table.from_pylist(
    [{"user_id": "a", "cluster": 3, "cluster_name": "new", "distance": 0.5}],
    schema=CLUSTERS.arrow_schema,
)


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    lake = FolderLake(tmp_path)
    store_rows(ROWS, CLUSTERS.name, DAY, lake)
    return lake


def set_format(lake: FolderLake, version: int | None) -> None:
    metadata = {} if version is None else {stored_tables.FORMAT_KEY: str(version)}
    with lake.writing({DAY: FILE}) as staged:
        parquet.write_table(ROWS.replace_schema_metadata(metadata), staged[DAY])


def read_by_engine(lake: FolderLake) -> list[int]:
    engine = open_duckdb(512, 1)
    with engine.read([DAY], CLUSTERS, lake) as frame:
        rows = engine.to_pandas(frame)
    return [int(cluster) for cluster in rows["cluster"]]


def test_every_writer_names_the_format_of_a_table(lake: FolderLake) -> None:
    engine = open_duckdb(512, 1)
    with engine.read([DAY], CLUSTERS, lake) as frame:
        engine.store(frame, CLUSTERS, "dt", [DAY], lake)
    by_engine = parquet.read_schema(lake.local(FILE)).metadata
    store_rows(ROWS, CLUSTERS.name, DAY, lake)
    for metadata in (by_engine, parquet.read_schema(lake.local(FILE)).metadata):
        assert metadata[stored_tables.FORMAT_KEY.encode()] == b"1"
    assert read_rows(CLUSTERS, DAY, lake).equals(ROWS)


def test_a_table_without_a_format_has_the_first_one(lake: FolderLake) -> None:
    set_format(lake, None)
    assert read_rows(CLUSTERS, DAY, lake).equals(ROWS)
    assert read_by_engine(lake) == [3]


def test_a_table_of_a_newer_release_is_named_with_what_to_do(lake: FolderLake) -> None:
    set_format(lake, 2)
    for read in (
        lambda: read_rows(CLUSTERS, DAY, lake),
        lambda: read_columns(CLUSTERS.name, DAY, ["cluster"], lake),
        lambda: read_by_engine(lake),
    ):
        with pytest.raises(NewerFormatError) as caught:
            read()
        assert str(caught.value) == (
            f"{FILE} was stored by a newer release (format 2; this one reads up to 1); install "
            "that release again, or materialize the day again"
        )
    store_rows(ROWS, CLUSTERS.name, DAY, lake)
    assert read_by_engine(lake) == [3]


def count_from_one(rows: pa.Table) -> pa.Table:
    index = rows.column_names.index("cluster")
    return rows.set_column(index, rows.schema.field("cluster"), pc.add(rows["cluster"], 1))


def test_a_table_of_an_earlier_format_is_upgraded_in_the_lake_once(
    lake: FolderLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (stored_tables, tables):
        monkeypatch.setattr(module, "TABLE_FORMAT", 3)
    upgrades = {(CLUSTERS.name, 1): count_from_one, ("other", 2): count_from_one}
    monkeypatch.setattr(stored_tables, "UPGRADES", upgrades)
    for _ in range(2):
        assert read_by_engine(lake) == [4]
        assert read_rows(CLUSTERS, DAY, lake)["cluster"].to_pylist() == [4]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 no parquet PAR1", b"{}"])
def test_a_damaged_table_is_named_with_its_asset_and_day(lake: FolderLake, content: bytes) -> None:
    lake.write(FILE, content)
    for read in (lambda: read_rows(CLUSTERS, DAY, lake), lambda: read_by_engine(lake)):
        with pytest.raises(DamagedDayError, match=f"{FILE} is damaged") as caught:
            read()
        assert (caught.value.asset, caught.value.day) == ("clusters", DAY)
    lake.write(table_file(TARGET_PREDICTIONS.name, DAY), content)
    with pytest.raises(DamagedDayError) as caught:
        open_day(TARGET_PREDICTIONS.name, DAY, lake)
    assert caught.value.asset == "predictions"


PREDICTED = table(*(row(f"u{number:05}", DAY) for number in range(20_000)))


def store_predictions(rows: pa.Table, lake: FolderLake) -> Path:
    store_rows(rows, PREDICTIONS.name, DAY, lake)
    return lake.local(table_file(PREDICTIONS.name, DAY))


def test_a_day_is_read_some_rows_at_a_time_and_as_often_as_needed(lake: FolderLake) -> None:
    store_predictions(PREDICTED, lake)
    batches = list(read_batches(PREDICTIONS, DAY, lake))
    assert len(batches) > 2
    assert pa.Table.from_batches(batches).equals(PREDICTED)
    rows = stored_rows(PREDICTIONS, DAY, lake)
    assert len(list(rows)) == len(batches)
    assert rows.to_table().equals(PREDICTED)


def test_columns_are_read_in_any_order_and_recent_ones_may_be_missing(lake: FolderLake) -> None:
    names = ["days_left", "churn_probability", "user_id"]
    store_predictions(PREDICTED.drop_columns(["days_left"]), lake)
    expected = PREDICTED.select(names).set_column(
        0, PREDICTIONS.arrow_schema.field(names[0]), pa.nulls(PREDICTED.num_rows, pa.int64())
    )
    assert read_predictions(DAY, lake, names).equals(expected)
    batches = read_batches(PREDICTIONS, DAY, lake, names)
    assert pa.Table.from_batches(batches).equals(expected)


def test_a_day_that_lacks_a_column_is_refused_before_a_row_is_read(lake: FolderLake) -> None:
    store_predictions(PREDICTED.drop_columns(["cluster"]), lake)
    for read in (read_rows, read_batches, stored_rows):
        with pytest.raises(InputError, match=f"predictions of {DAY} lacks cluster"):
            read(PREDICTIONS, DAY, lake)


def test_a_day_that_is_not_sorted_by_the_key_is_damaged(lake: FolderLake) -> None:
    store_predictions(PREDICTED.take(pa.array([1, 0])), lake)
    with pytest.raises(
        DamagedDayError, match=r"is damaged \(predictions of .* not sorted"
    ) as caught:
        list(stored_rows(PREDICTIONS, DAY, lake))
    assert (caught.value.asset, caught.value.day) == ("predictions", DAY)


def test_a_day_that_is_damaged_after_its_first_rows_is_named(lake: FolderLake) -> None:
    file = store_predictions(PREDICTED, lake)
    content = bytearray(file.read_bytes())
    content[200:300] = b"?" * 100
    file.write_bytes(content)
    with pytest.raises(DamagedDayError, match=f"{DAY}/predictions.parquet is damaged"):
        list(stored_rows(PREDICTIONS, DAY, lake))


def test_a_day_without_targets_of_the_game_has_no_rows_of_them(lake: FolderLake) -> None:
    assert list(stored_target_predictions(DAY, lake)) == []
    assert list(read_target_batches(DAY, lake, ["target", "user_id"])) == []


def test_the_rows_of_some_users_are_read_in_the_order_of_the_day(lake: FolderLake) -> None:
    store_predictions(PREDICTED, lake)
    users = ["u19999", "unknown", "u00003"]
    expected = PREDICTED.take(pa.array([3, 19_999]))
    assert read_rows(PREDICTIONS, DAY, lake, users).equals(expected)
    names = ["cluster", "user_id"]
    assert read_rows(PREDICTIONS, DAY, lake, users, names).equals(expected.select(names))
    assert read_rows(PREDICTIONS, DAY, lake, []).equals(PREDICTED[:0])


def test_a_missing_table_is_missing_and_not_damaged(lake: FolderLake) -> None:
    with pytest.raises(FileNotFoundError):
        open_day(CLUSTERS.name, DAY + dt.timedelta(days=1), lake)
