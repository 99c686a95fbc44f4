"""Files of several kinds of one day: each is read by its own format, times and fields."""

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ds_assets.game import Game
from ds_assets.infra.day_files import DayFiles
from ds_assets.infra.engines.duckdb_reader import create_lines
from ds_assets.infra.engines.log_counts import count_day
from ds_assets.infra.engines.log_sample import summarize_logs
from ds_assets.infra.engines.raw_files import RawFile, number_files
from ds_assets_tests.core.test_zip_archives import make_zip
from ds_assets_tests.infra.engines.lines import START, make_game, write_parquet

SESSIONS = b"user;at\nu1;2026-02-01 10:00:00\nu2;2026-02-01 11:00:00\n"
REVENUE = b'{"player": "u1", "ts": 1769940000, "price": 4.99}\n{"player": "", "ts": 1}\n'


def make_kinds(**changes: Any) -> Game:
    kinds = {
        "sessions": {
            "files": "sessions*",
            "format": "csv",
            "csv": {"delimiter": ";"},
            "times_without_zone": "UTC",
            "fields": {
                "user_id": "user",
                "event_time": "at",
                "event_type": {"constant": "session_start"},
            },
        },
        "revenue": {
            "files": "revenue*",
            "time_format": "epoch_seconds",
            "fields": {
                "user_id": "player",
                "event_time": "ts",
                "event_type": {"constant": "purchase"},
                "amount": "price",
            },
        },
    }
    return make_game(
        "jsonl",
        logs={"kinds": kinds},
        fields={"amount": "a"},
        time_zone="Asia/Seoul",
        events={"purchases": ["purchase"]},
        **changes,
    )


def write(folder: Path, **contents: bytes) -> list[RawFile]:
    files = []
    for name, content in contents.items():
        path = folder / name
        path.write_bytes(content)
        files.append(RawFile(START, name.replace("__", "/"), path))
    return files


def read(files: list[RawFile], game: Game) -> tuple[list[tuple[Any, ...]], list[tuple[int, str]]]:
    with duckdb.connect() as connection:
        damaged = create_lines(connection, number_files(files), game, "lines")
        rows = connection.execute(
            "SELECT file, line, reason, user_id, event_time, event_type, amount FROM lines "
            "WHERE reason IS DISTINCT FROM '' ORDER BY file, line"
        ).fetchall()
        return rows, [(it.file, it.reason) for it in damaged]


def at(hour: int) -> dt.datetime:
    return dt.datetime(2026, 2, 1, hour)  # noqa: DTZ001  (on the game's clock)


def test_each_file_is_read_by_the_rules_of_its_kind(tmp_path: Path) -> None:
    files = write(tmp_path, revenue__a=REVENUE, sessions__a=SESSIONS, revenue__b=REVENUE)
    rows, damaged = read(files, make_kinds())
    epoch = dt.datetime(1970, 1, 1, 9, 0, 1)  # noqa: DTZ001  (as above)
    assert rows == [
        (0, 1, None, "u1", at(19), "purchase", 4.99),
        (0, 2, "no user id", "", epoch, "purchase", None),
        (1, 2, None, "u1", at(19), "session_start", None),
        (1, 3, None, "u2", at(20), "session_start", None),
        (2, 1, None, "u1", at(19), "purchase", 4.99),
        (2, 2, "no user id", "", epoch, "purchase", None),
    ]
    assert damaged == []


def test_a_kind_may_be_parquet_beside_text(tmp_path: Path) -> None:
    game = make_kinds()
    kinds = dict(game.logs.kinds)
    kinds["revenue"] = kinds["revenue"].model_copy(update={"format": "parquet"})
    game = game.model_copy(update={"logs": game.logs.model_copy(update={"kinds": kinds})})
    write_parquet([{"player": "u1", "ts": 1769940000, "price": 4.99}], tmp_path / "p")
    files = [*write(tmp_path, sessions=SESSIONS), RawFile(START, "revenue", tmp_path / "p")]
    rows, damaged = read(files, game)
    assert [(it[5], it[6]) for it in rows] == [
        ("session_start", None),
        ("session_start", None),
        ("purchase", 4.99),
    ]
    assert damaged == []


def test_the_kind_of_a_log_in_an_archive_is_that_of_its_whole_name(tmp_path: Path) -> None:
    archive = make_zip({"a.jsonl": REVENUE})
    rows, damaged = read(write(tmp_path, revenue__zip=archive, other=archive), make_kinds())
    assert [it[5] for it in rows] == ["purchase", "purchase"]
    assert damaged == [(1, "the file is of no kind in logs.kinds")]


def test_a_file_of_several_kinds_is_not_read(tmp_path: Path) -> None:
    game = make_kinds()
    kinds = dict(game.logs.kinds)
    kinds["all"] = kinds["revenue"].model_copy(update={"files": "*"})
    game = game.model_copy(update={"logs": game.logs.model_copy(update={"kinds": kinds})})
    rows, damaged = read(write(tmp_path, revenue=REVENUE), game)
    assert (rows, damaged) == (
        [],
        [(0, "the file is of several kinds in logs.kinds: revenue, all")],
    )


@pytest.mark.parametrize("order", [("revenue", "sessions"), ("sessions", "revenue")])
def test_a_sample_counts_fields_and_types_of_all_kinds(
    tmp_path: Path, order: tuple[str, str]
) -> None:
    contents = {"revenue": REVENUE, "sessions": SESSIONS}
    files = write(tmp_path, **{name: contents[name] for name in order})
    sample = summarize_logs(files, make_kinds())
    assert sample.lines == 4
    assert sample.values == {"user_id": 3, "event_time": 4, "event_type": 4, "amount": 1}
    assert sample.event_types == {"purchase", "session_start"}


def test_doctor_counts_lines_columns_and_damages_of_all_kinds(tmp_path: Path) -> None:
    files = write(tmp_path, revenue=REVENUE, sessions=SESSIONS, other=REVENUE)
    day = DayFiles(START, "source", 3, 100, 0, files)
    counts = count_day(day, make_kinds(), tmp_path, 256)
    assert (counts.lines, counts.valid, counts.sampled) == (4, 3, 4)
    assert {name: it.lines for name, it in counts.columns.items()} == {
        "at": 2,
        "user": 2,
        "player": 1,
        "price": 1,
        "ts": 2,
    }
    assert {name: it.lines for name, it in counts.types.items()} == {
        "purchase": 2,
        "session_start": 2,
    }
    assert list(counts.damaged) == ["the file is of no kind in logs.kinds"]
    assert counts.amounts.total == pytest.approx(4.99)
