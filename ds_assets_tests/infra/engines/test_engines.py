"""What every engine must do, DuckDB and Spark alike."""

import datetime as dt
import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyarrow import parquet

from ds_assets.core.activity import daily_activity
from ds_assets.core.attribute_texts import shorten, shortened
from ds_assets.core.engine import DataFrame, plan_once
from ds_assets.core.events import DUPLICATE, events_table, find_repeating_days
from ds_assets.core.schema import Column, Table
from ds_assets.core.stored_documents import DamagedDayError
from ds_assets.core.tables import EVENT_IDS, QUARANTINE
from ds_assets.errors import InputError
from ds_assets.game import Game, Logs
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.engines.duckdb import open_duckdb
from ds_assets.infra.engines.spark import SparkEngine
from ds_assets.infra.lake.base import STAGING, day_folder
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.raw_logs import RAW, RawObject, raw_objects
from ds_assets.infra.lake.tables import table_file
from ds_assets_tests.core.factories import make_game
from ds_assets_tests.spark import local_session

DAY = dt.date(2026, 3, 10)
NEXT_DAY = dt.date(2026, 3, 11)
ODD = "o'dd [lake]* {a}"
SCORES = Table(
    "scores",
    (
        Column("user_id", "text", "The user."),
        Column("score", "real", "Points.", nullable=True),
        Column("times", "integer", "Games."),
    ),
    ("user_id",),
)
MOMENTS = Table(
    "moments",
    (
        Column("user_id", "text", "The user."),
        Column("moment", "time", "When.", nullable=True),
        Column("birthday", "date", "The day.", nullable=True),
    ),
    ("user_id", "moment"),
)


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    return FolderLake(tmp_path / ODD)


# Spark without "file:" reads a folder as it reads what lies on other machines.
SPARK = [pytest.param(prefix, marks=pytest.mark.slow) for prefix in ("spark file://", "spark ")]


@pytest.fixture(params=["duckdb", *SPARK])
def engine(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> LakeEngine:
    if request.param == "duckdb":
        return open_duckdb(512, 2)
    session = local_session(tmp_path_factory.getbasetemp() / "spark")
    return SparkEngine(session, f"{request.param.removeprefix('spark ')}{tmp_path / ODD}")


def a_file(lake: FolderLake, *lines: bytes, day: dt.date = DAY, name: str = "a.gz") -> RawObject:
    name = f"{day_folder(RAW, day)}/{name}"
    lake.write(name, gzip.compress(b"\n".join(lines)))
    return next(item for item in raw_objects(day, lake) if item.stored.name == name)


def a_line(event_id: str) -> bytes:
    return b'{"user": "u", "time": "2026-03-10T12:00:00Z", "type": "x", "id": "%s"}' % (
        event_id.encode()
    )


def a_game_with_ids() -> Game:
    return make_game(fields=make_game().fields.model_copy(update={"event_id": "id"}))


def store_scores(
    rows: Sequence[tuple[dt.date, str, float | None, int]],
    days: Sequence[dt.date],
    engine: LakeEngine,
    lake: FolderLake,
) -> dict[dt.date, int]:
    schema = "dt date, user_id string, score double, times int"
    frame = engine.session.createDataFrame(list(rows), schema)
    return engine.store(frame, SCORES, "dt", days, lake)


def read_rows(
    days: Sequence[dt.date], table: Table, engine: LakeEngine, lake: FolderLake
) -> pd.DataFrame:
    with engine.read(days, table, lake) as frame:
        return engine.to_pandas(frame)


def rows_of(day: dt.date, table: Table, lake: FolderLake) -> list[dict[str, Any]]:
    stored = parquet.ParquetFile(lake.local(table_file(table.name, day))).read()
    return list(stored.to_pylist())


def test_the_events_frame_has_the_contracts_columns(engine: LakeEngine) -> None:
    with engine.events(make_game()) as reader:
        assert set(reader.frame.columns) == set(events_table(make_game()).names)
        assert list(reader.bad_lines.columns) == ["dt", *QUARANTINE.names]
        assert engine.to_pandas(reader.frame).empty
        assert engine.to_pandas(reader.bad_lines).empty


def test_duplicates_are_marked_at_their_place(engine: LakeEngine, lake: FolderLake) -> None:
    lines = [a_line("a"), b"broken", a_line("b"), a_line("a"), a_line("c"), a_line("a")]
    files = [a_file(lake, *lines), a_file(lake, a_line("a"), day=NEXT_DAY)]
    with engine.events(a_game_with_ids()) as reader:
        reader.read(files, lake)
        rows = engine.to_pandas(reader.frame)
        marked = rows[rows["reason"] == DUPLICATE]
        assert set(zip(marked["file"], marked["line"], strict=True)) == {(0, 4), (0, 6), (1, 1)}
        assert rows.loc[rows["reason"].isna(), "event_key"].nunique() == 3
        assert list(engine.to_pandas(reader.bad_lines)["line"]) == [2]


def test_each_file_is_read_by_the_rules_of_its_kind(engine: LakeEngine, lake: FolderLake) -> None:
    kinds = {
        "sessions": {"files": "sessions*", "fields": {"event_type": {"constant": "session"}}},
        "revenue": {
            "files": "*/revenue*",
            "format": "csv",
            "time_format": "epoch_seconds",
            "fields": {"user_id": "player", "event_type": {"constant": "purchase"}},
        },
    }
    game = make_game(logs=Logs.model_validate({"kinds": kinds}))
    files = [
        a_file(lake, a_line("a"), name="sessions.gz"),
        a_file(lake, b"player,time", b"u,1773144000", name="a/revenue.gz"),
        a_file(lake, a_line("a"), name="other.gz"),
    ]
    with engine.events(game) as reader:
        reader.read(files, lake)
        rows = engine.to_pandas(reader.frame)
        rows = rows[rows["reason"].isna()]
        assert dict(zip(rows["file"], rows["event_type"], strict=True)) == {
            0: "session",
            1: "purchase",
        }
        assert {str(time) for time in rows["event_time"]} == {"2026-03-10 12:00:00"}
        bad = engine.to_pandas(reader.bad_lines)
        assert list(zip(bad["file"], bad["reason"], strict=True)) == [
            ("other.gz", "the file is of no kind in logs.kinds")
        ]


def test_files_of_any_name_are_read(engine: LakeEngine, lake: FolderLake) -> None:
    names = ["a b.gz", "a%20b.gz", "[x]{y}*?.gz", "it's.gz", "raw/dt=2026-03-10/a b.gz", "é.gz"]
    files = [a_file(lake, b"broken", name=name) for name in names]
    with engine.events(make_game()) as reader:
        reader.read(files, lake)
        assert sorted(engine.to_pandas(reader.bad_lines)["file"]) == sorted(names)


def test_an_event_that_arrived_on_a_stored_day_is_a_duplicate(
    engine: LakeEngine, lake: FolderLake
) -> None:
    game = a_game_with_ids()
    days = [DAY - dt.timedelta(days=back) for back in (0, game.duplicate_days, 200)]
    lines = {DAY: b"a b c d", days[1]: b"a a", days[2]: b"b", NEXT_DAY: b"c"}
    with engine.events(game) as reader:
        for day in (NEXT_DAY, *days[1:], DAY):
            ids = [a_line(event_id) for event_id in lines[day].decode().split()]
            time = str(day).encode()
            file = a_file(lake, *(line.replace(b"2026-03-10", time) for line in ids), day=day)
            reader.read([file], lake)
            engine.store(reader.event_ids, EVENT_IDS, "dt", [day], lake)
        rows = engine.to_pandas(reader.frame)
        assert list(rows.loc[rows["reason"] == DUPLICATE, "line"]) == [1]
        assert [len(rows_of(day, EVENT_IDS, lake)) for day in days] == [4, 1, 1]


def test_a_day_that_repeats_an_event_that_an_earlier_day_has_lost_is_found(
    engine: LakeEngine, lake: FolderLake
) -> None:
    with engine.events(a_game_with_ids()) as reader:
        for day, event_id in ((NEXT_DAY, "a"), (DAY, "a")):
            reader.read([a_file(lake, a_line(event_id), day=day)], lake)
            engine.store(reader.event_ids, EVENT_IDS, "dt", [day], lake)
        reader.read([a_file(lake, a_line("b"))], lake)
        with (
            engine.read([DAY], EVENT_IDS, lake) as before,
            engine.read([NEXT_DAY], EVENT_IDS, lake) as later,
        ):
            pairs = find_repeating_days(before, reader.event_ids, later, 7, engine)
            ((changed, repeated),) = engine.to_pandas(pairs).itertuples(index=False)
    assert (changed.date(), repeated.date()) == (DAY, NEXT_DAY)


@pytest.mark.parametrize("content", [b"PAR1", b"", bytes(range(256))])
def test_a_stored_day_that_is_damaged_is_named(
    content: bytes, engine: LakeEngine, lake: FolderLake
) -> None:
    name = table_file(EVENT_IDS.name, DAY)
    lake.write(name, content)
    with pytest.raises(DamagedDayError, match=name) as caught, engine.read([DAY], EVENT_IDS, lake):
        pytest.fail("it was read")
    assert (caught.value.asset, caught.value.day) == ("user_activity", DAY)


def test_ids_that_another_release_hashed_are_not_compared(
    engine: LakeEngine, lake: FolderLake
) -> None:
    with engine.events(a_game_with_ids()) as reader:
        reader.read([a_file(lake, a_line("a"))], lake)
        ids = reader.event_ids.withColumn("probe", engine.functions.lit(1))
        engine.store(ids, EVENT_IDS, "dt", [DAY], lake)
        reader.read([a_file(lake, a_line("a"), day=NEXT_DAY)], lake)
        assert engine.to_pandas(reader.frame)["reason"].isna().all()


def test_user_ids_are_stored_in_one_form(engine: LakeEngine, lake: FolderLake) -> None:
    written = [
        b"123",
        b'"123.0"',
        b"1.23e2",
        b'" \xe3\x80\x80123"',
        b'"e\xcc\x81"',
        b'"null"',
        b"null",
    ]
    lines = [a_line("a").replace(b'"u"', user_id) for user_id in written]
    with engine.events(make_game()) as reader:
        reader.read([a_file(lake, *lines)], lake)
        rows = engine.to_pandas(reader.frame).sort_values("line")
        valid = rows[rows["reason"].isna()]
        assert list(valid["user_id"]) == ["123"] * 4 + ["é"]
        assert list(valid["user_id_changed"]) == [False] + [True] * 4
        assert list(engine.to_pandas(reader.bad_lines)["reason"]) == ["no user id"] * 2


def test_a_poisonous_value_is_one_line_in_quarantine(engine: LakeEngine, lake: FolderLake) -> None:
    times = [
        b"294247-01-10T04:00:54Z",
        b"290309-12-22 (BC) 00:00:00+00",
        b"infinity",
        b"9999-12-31",
    ]
    lines = [a_line("a").replace(b"2026-03-10T12:00:00Z", time) for time in times]
    with engine.events(make_game(time_zone="Asia/Seoul")) as reader:
        reader.read([a_file(lake, a_line("a"), *lines)], lake)
        rows = engine.to_pandas(daily_activity(reader.frame, make_game(), engine))
        assert list(rows["events"]) == [1]
        assert sorted(engine.to_pandas(reader.bad_lines)["line"]) == [2, 3, 4, 5]


def test_a_reader_forgets_what_it_read_before(engine: LakeEngine, lake: FolderLake) -> None:
    with engine.events(a_game_with_ids()) as reader:
        reader.read([a_file(lake, a_line("a"), a_line("a"), b"broken")], lake)
        reader.read([a_file(lake, a_line("b"), day=NEXT_DAY)], lake)
        assert len(engine.to_pandas(reader.frame)) == 1
        assert engine.to_pandas(reader.frame)["reason"].isna().all()
        assert engine.to_pandas(reader.bad_lines).empty


def test_a_file_that_broke_off_is_a_bad_line_without_a_line(
    engine: LakeEngine, lake: FolderLake
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


def test_files_can_be_read_again_after_an_error(engine: LakeEngine, lake: FolderLake) -> None:
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
    engine: LakeEngine, lake: FolderLake
) -> None:
    rows = [(DAY, "b", 1.5, 1), (NEXT_DAY, "c", None, 2), (DAY, "a", 2.5, 3)]
    empty = NEXT_DAY + dt.timedelta(days=1)
    stored = store_scores(rows, [DAY, NEXT_DAY, empty], engine, lake)
    assert stored == {DAY: 2, NEXT_DAY: 1, empty: 0}
    assert rows_of(DAY, SCORES, lake) == [
        {"user_id": "a", "score": 2.5, "times": 3},
        {"user_id": "b", "score": 1.5, "times": 1},
    ]
    for day in stored:
        schema = parquet.read_schema(lake.local(table_file("scores", day)))
        assert schema.types == SCORES.arrow_schema.types
    assert [item.name for item in lake.objects("scores")] == [
        table_file("scores", day) for day in stored
    ]
    assert lake.objects(STAGING) == []


def test_a_days_rows_of_other_days_are_not_written(engine: LakeEngine, lake: FolderLake) -> None:
    rows = [(DAY, "a", 1.0, 1), (NEXT_DAY, "b", 1.0, 1)]
    assert store_scores(rows, [DAY], engine, lake) == {DAY: 1}
    assert store_scores(rows[:1], [NEXT_DAY], engine, lake) == {NEXT_DAY: 0}
    assert store_scores([], [DAY], engine, lake) == {DAY: 0}
    assert rows_of(DAY, SCORES, lake) == []


def test_long_texts_are_cut_as_python_cuts_them(engine: LakeEngine) -> None:
    texts = ["KR", "X" * 100, "X" * 101, "é한😀" * 60, "X" * 70_000, "", None]
    f = engine.functions
    frame = engine.session.createDataFrame(list(enumerate(texts)), "place long, text string")
    rows = engine.to_pandas(frame.select("place", shortened(f, f.col("text")).alias("text")))
    by_engine = rows.sort_values("place")["text"]
    assert [None if pd.isna(text) else text for text in by_engine] == [
        None if text is None else shorten(text) for text in texts
    ]


def test_times_are_the_games_own_wherever_they_are_written(
    engine: LakeEngine, lake: FolderLake
) -> None:
    first, last = dt.datetime(1999, 1, 1, 0, 30), dt.datetime(2026, 3, 29, 2, 30, 0, 123456)  # noqa: DTZ001
    rows = [(DAY, "a", None, None), (DAY, "a", last, DAY), (DAY, "a", first, None)]
    frame = engine.session.createDataFrame(
        rows, "dt date, user_id string, moment timestamp_ntz, birthday date"
    )
    engine.store(frame, MOMENTS, "dt", [DAY], lake)
    assert [row["moment"] for row in rows_of(DAY, MOMENTS, lake)] == [first, last, None]
    schema = parquet.read_schema(lake.local(table_file("moments", DAY)))
    assert schema.types == MOMENTS.arrow_schema.types
    stored_frame = read_rows([DAY], MOMENTS, engine, lake)
    assert sorted(stored_frame["moment"].dropna()) == [pd.Timestamp(first), pd.Timestamp(last)]


def test_what_was_written_is_read_with_its_day(engine: LakeEngine, lake: FolderLake) -> None:
    days = [DAY, NEXT_DAY]
    store_scores([(DAY, "a", 1.0, 1), (NEXT_DAY, "a", None, 2)], days, engine, lake)
    rows = read_rows(days, SCORES, engine, lake)
    frame = rows.sort_values("dt", ignore_index=True)
    assert list(frame.columns) == ["dt", *SCORES.names]
    assert list(frame["dt"]) == [pd.Timestamp(DAY), pd.Timestamp(NEXT_DAY)]
    assert list(frame["times"]) == [1, 2]


def test_no_days_are_an_empty_frame(engine: LakeEngine, lake: FolderLake) -> None:
    frame = read_rows([], SCORES, engine, lake)
    assert list(frame.columns) == ["dt", *SCORES.names]
    assert frame.empty


def test_days_that_are_open_at_once_are_separate_frames(
    engine: LakeEngine, lake: FolderLake
) -> None:
    store_scores([(DAY, "a", 1.0, 1), (NEXT_DAY, "b", 2.0, 2)], [DAY, NEXT_DAY], engine, lake)
    for first, second in [(DAY, NEXT_DAY), (NEXT_DAY, DAY)]:
        with (
            engine.read([first], SCORES, lake) as rows,
            engine.read([second], SCORES, lake) as other_rows,
        ):
            assert list(engine.to_pandas(rows)["dt"]) == [pd.Timestamp(first)]
            assert list(engine.to_pandas(other_rows)["dt"]) == [pd.Timestamp(second)]


def test_a_day_without_a_column_is_named(engine: LakeEngine, lake: FolderLake) -> None:
    store_scores([(DAY, "a", 1.0, 1)], [DAY], engine, lake)
    wider = Table("scores", (*SCORES.columns, Column("rank", "integer", "Place.")), ("user_id",))
    with pytest.raises(InputError, match="scores of 2026-03-10 lacks rank, which the game file or"):
        read_rows([DAY], wider, engine, lake)


def test_a_query_is_built_once_and_sees_the_rows_that_are_open() -> None:
    engine = open_duckdb(512, 2)
    built: list[DataFrame] = []

    @plan_once
    def count_rows(frame: DataFrame, engine: LakeEngine) -> DataFrame:
        built.append(frame.agg(engine.functions.count("*").alias("rows")))
        return built[-1]

    for numbers in ([1, 2], [3], []):
        with engine.values([(number,) for number in numbers], "number int") as frame:
            assert engine.to_pandas(count_rows(frame, engine))["rows"].tolist() == [len(numbers)]
    assert len(built) == 1


def test_a_plan_in_steps_runs_on_the_rows_of_each_context(engine: LakeEngine) -> None:
    @plan_once
    def sum_odd_pairs(frame: DataFrame, engine: LakeEngine) -> DataFrame:
        f = engine.functions
        odd = engine.step(frame.where(f.col("number") % 2 == 1))
        others = engine.step(odd.select(f.col("number").alias("other")))
        pairs = odd.join(others, f.col("number") < f.col("other")).select("number", "other")
        return engine.step(pairs).agg(f.sum("other").alias("total"), f.count("*").alias("pairs"))

    for numbers, total, pairs in (([1, 2, 3, 5], 13, 3), ([7, 9, 10], 9, 1), ([2], None, 0)):
        with engine.values([(number,) for number in numbers], "number int") as frame:
            (row,) = engine.to_pandas(sum_odd_pairs(frame, engine)).to_dict("records")
            assert (None if pd.isna(row["total"]) else row["total"], row["pairs"]) == (total, pairs)


def double(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for _, of_day in rows.groupby("dt"):
        yield pd.DataFrame({"user_id": of_day["user_id"], "score": of_day["score"] * 2, "times": 1})


def test_a_function_makes_rows_of_the_rows_of_all_days(
    engine: LakeEngine, lake: FolderLake
) -> None:
    days = [DAY, NEXT_DAY]
    store_scores([(DAY, "a", 1.5, 1), (NEXT_DAY, "b", None, 2)], days, engine, lake)
    with engine.read(days, SCORES, lake) as scores:
        mapped = engine.to_pandas(engine.map(scores, double, SCORES))
    frame = mapped.sort_values("user_id")
    assert list(frame.columns) == SCORES.names
    assert frame["score"].fillna(-1).tolist() == [3.0, -1.0]
    with engine.read([], SCORES, lake) as scores:
        assert engine.to_pandas(engine.map(scores, double, SCORES)).empty
