import datetime as dt
import gzip
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from pyarrow import parquet

from ds_assets.core.events import DUPLICATE, events_table
from ds_assets.core.tables import QUARANTINE, Column, Table
from ds_assets.errors import InputError
from ds_assets.resources.duckdb_engine import DuckDBEngine, open_duckdb
from ds_assets.resources.folder_lake import FolderLake
from ds_assets.resources.ingestion import RAW, RawObject, raw_objects
from ds_assets.resources.lake import day_folder
from ds_assets.resources.stored_tables import table_file
from ds_assets_tests.core.factories import make_game

DAY = dt.date(2026, 3, 10)
NEXT_DAY = dt.date(2026, 3, 11)
SCORES = Table(
    "scores",
    (
        Column("user_id", "text", "The user."),
        Column("score", "real", "Points.", nullable=True),
        Column("times", "integer", "Games."),
    ),
    ("user_id",),
)


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    return open_duckdb(512, 2)


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    return FolderLake(tmp_path / "o'dd [lake]*")


def a_file(lake: FolderLake, *lines: bytes, day: dt.date = DAY) -> RawObject:
    name = f"{day_folder(RAW, day)}/a.gz"
    lake.write(name, gzip.compress(b"\n".join(lines)))
    return next(one for one in raw_objects(day, lake) if one.stored.name == name)


def a_line(event_id: str) -> bytes:
    return b'{"user": "u", "time": "2026-03-10T12:00:00Z", "type": "x", "id": "%s"}' % (
        event_id.encode()
    )


def store_scores(
    rows: list[tuple[dt.date, str, float | None, int]],
    days: Sequence[dt.date],
    engine: DuckDBEngine,
    lake: FolderLake,
) -> dict[dt.date, int]:
    schema = "dt date, user_id string, score double, times int"
    return engine.store(engine.session.createDataFrame(rows, schema), SCORES, "dt", days, lake)


def test_the_engine_is_opened_once() -> None:
    assert open_duckdb(512, 2) is open_duckdb(512, 2)


def test_the_events_frame_has_the_contracts_columns(engine: DuckDBEngine) -> None:
    with engine.events(make_game()) as reader:
        assert set(reader.frame.columns) == set(events_table(make_game()).names)
        assert reader.bad_lines.columns == ["dt", *QUARANTINE.names]
        assert engine.to_pandas(reader.frame).empty
        assert engine.to_pandas(reader.bad_lines).empty


def test_duplicates_are_marked_at_their_place_within_their_day(
    engine: DuckDBEngine, lake: FolderLake
) -> None:
    fields = make_game().fields.model_copy(update={"event_id": "id"})
    lines = [a_line("a"), b"broken", a_line("b"), a_line("a"), a_line("c"), a_line("a")]
    files = [a_file(lake, *lines), a_file(lake, a_line("a"), day=NEXT_DAY)]
    with engine.events(make_game(fields=fields)) as reader:
        reader.read(files, lake)
        rows = engine.to_pandas(reader.frame)
        marked = rows[rows["reason"] == DUPLICATE]
        assert set(zip(marked["file"], marked["line"], strict=True)) == {(0, 4), (0, 6)}
        assert sorted(rows.loc[rows["reason"].isna(), "event_id"]) == ["a", "a", "b", "c"]
        assert list(engine.to_pandas(reader.bad_lines)["line"]) == [2]


def test_a_reader_forgets_what_it_read_before(engine: DuckDBEngine, lake: FolderLake) -> None:
    fields = make_game().fields.model_copy(update={"event_id": "id"})
    with engine.events(make_game(fields=fields)) as reader:
        reader.read([a_file(lake, a_line("a"), a_line("a"), b"broken")], lake)
        reader.read([a_file(lake, a_line("b"), day=NEXT_DAY)], lake)
        assert list(engine.to_pandas(reader.frame)["event_id"]) == ["b"]
        assert engine.to_pandas(reader.frame)["reason"].isna().all()
        assert engine.to_pandas(reader.bad_lines).empty


def test_a_file_that_broke_off_is_a_bad_line_without_a_line(
    engine: DuckDBEngine, lake: FolderLake
) -> None:
    file = a_file(lake, *(a_line(str(n)) for n in range(1000)))
    lake.write(file.stored.name, lake.read(file.stored.name)[:-9])
    with engine.events(make_game()) as reader:
        reader.read([file], lake)
        ((day, name, line, reason, content),) = engine.to_pandas(reader.bad_lines).to_numpy()
    assert (day, name) == (pd.Timestamp(DAY), "a.gz")
    assert reason.startswith("the file is damaged: ")
    assert pd.isna(line)
    assert pd.isna(content)


def test_files_can_be_read_again_after_an_error(engine: DuckDBEngine, lake: FolderLake) -> None:
    file = a_file(lake, a_line("a"))

    def fail() -> None:
        with engine.events(make_game()) as reader:
            reader.read([file], lake)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with engine.events(make_game()) as reader:
        reader.read([file], lake)
        assert len(engine.to_pandas(reader.frame)) == 1


def test_each_day_is_written_to_its_file_in_the_order_of_the_key(
    engine: DuckDBEngine, lake: FolderLake
) -> None:
    rows = [(DAY, "b", 1.5, 1), (NEXT_DAY, "c", None, 2), (DAY, "a", 2.5, 3)]
    empty = NEXT_DAY + dt.timedelta(days=1)
    stored = store_scores(rows, [DAY, NEXT_DAY, empty], engine, lake)
    assert stored == {DAY: 2, NEXT_DAY: 1, empty: 0}
    files = {day: lake.local(table_file("scores", day)) for day in stored}
    assert parquet.ParquetFile(files[DAY]).read().to_pylist() == [
        {"user_id": "a", "score": 2.5, "times": 3},
        {"user_id": "b", "score": 1.5, "times": 1},
    ]
    assert parquet.read_schema(files[empty]).types == SCORES.arrow_schema.types


def test_what_was_written_is_read_with_its_day(engine: DuckDBEngine, lake: FolderLake) -> None:
    days = [DAY, NEXT_DAY]
    store_scores([(DAY, "a", 1.0, 1), (NEXT_DAY, "a", None, 2)], days, engine, lake)
    rows = engine.to_pandas(engine.read(days, SCORES, lake))
    found = rows.sort_values("dt", ignore_index=True)
    assert list(found.columns) == ["dt", *SCORES.names]
    assert list(found["dt"]) == [pd.Timestamp(DAY), pd.Timestamp(NEXT_DAY)]
    assert list(found["times"]) == [1, 2]


def test_no_days_are_an_empty_frame(engine: DuckDBEngine, lake: FolderLake) -> None:
    found = engine.to_pandas(engine.read([], SCORES, lake))
    assert list(found.columns) == ["dt", *SCORES.names]
    assert found.empty


def test_a_day_without_a_column_is_named(engine: DuckDBEngine, lake: FolderLake) -> None:
    store_scores([(DAY, "a", 1.0, 1)], [DAY], engine, lake)
    wider = Table("scores", (*SCORES.columns, Column("rank", "integer", "Place.")), ("user_id",))
    with pytest.raises(InputError, match="scores of 2026-03-10 lacks rank: it was made with"):
        engine.read([DAY], wider, lake)
