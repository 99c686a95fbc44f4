"""Lines of a file in files of their days: by the game's clock, with their bytes, in order."""

import datetime as dt
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from ds_assets.core.decompression import DamagedFileError
from ds_assets.game import Game
from ds_assets.infra.engines import day_split
from ds_assets.infra.engines.day_split import Day, Split, split_file
from ds_assets.infra.engines.raw_files import RawFile
from ds_assets_tests.core.compression import COMPRESSIONS
from ds_assets_tests.infra.engines.lines import make_game, read_files

TODAY = dt.date(2026, 3, 10)
FIRST, SECOND = dt.date(2026, 2, 1), dt.date(2026, 2, 2)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened:
        yield opened


def split(
    content: bytes, game: Game, folder: Path, connection: duckdb.DuckDBPyConnection
) -> tuple[Split, dict[Day, bytes]]:
    """Split a text; returns the text of each day, too."""
    path = folder / "whole"
    path.write_bytes(content)
    (folder / "days").mkdir()
    result = split_file(connection, RawFile(TODAY, "whole", path), game, folder / "days")
    return result, {day: gzip.decompress(it.read_bytes()) for day, it in result.files.items()}


def a_line(time: object, **values: object) -> bytes:
    return json.dumps({"u": "a", "t": time, "e": "play", **values}).encode()


def test_lines_keep_their_bytes_and_their_order(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    lines = [
        b' { "t": "2026-02-02T00:00:00Z", "u": "\xed\x95\x9c" }  ',
        a_line("2026-02-01T23:59:59.999Z"),
        a_line("2026-02-02T12:00:00Z", u=None),
        a_line("2026-02-01T00:00:00Z"),
    ]
    result, texts = split(b"\r\n".join(lines), make_game("jsonl"), tmp_path, connection)
    assert texts == {
        FIRST: lines[1] + b"\n" + lines[3] + b"\n",
        SECOND: lines[0] + b"\n" + lines[2] + b"\n",
    }
    assert (result.lines, result.undated) == ({FIRST: 2, SECOND: 2}, {})


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/New_York"])
def test_days_are_those_of_the_games_clock(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection, zone: str
) -> None:
    lines = [a_line(f"2026-02-01T{hour:02}:30:00Z") for hour in range(24)]
    _, texts = split(b"\n".join(lines), make_game("jsonl", time_zone=zone), tmp_path, connection)
    game = make_game("jsonl", time_zone=zone)
    events = read_files([tmp_path / "whole"], game, TODAY)
    for day, text in texts.items():
        numbers = [lines.index(line) for line in text.splitlines()]
        assert {events[number]["event_date"] for number in numbers} == {day}
    assert len(texts) == (1 if zone == "UTC" else 2)


def test_lines_without_a_time_have_no_day_and_a_reason_with_an_example(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    lines = [
        a_line(None),
        b"{",
        a_line("2026-02-30"),
        a_line("2026-02-31"),
        a_line("1999-12-31"),
        a_line("2026-03-12"),
        b"\xff\xfe\xfd",
        b"  ",
        a_line("2026-02-01"),
    ]
    result, texts = split(b"\n".join(lines), make_game("jsonl"), tmp_path, connection)
    assert texts[FIRST] == lines[-1] + b"\n"
    assert texts[None].splitlines()[:6] == lines[:6]
    assert {reason: (it.lines, it.line) for reason, it in result.undated.items()} == {
        "no time": (1, 1),
        "not JSON": (1, 2),
        "an impossible time": (2, 3),
        "dated before 2000-01-01, the earliest possible date of this game": (1, 5),
        "dated after its arrival day": (1, 6),
        "not text: bad UTF-8 or longer than 1 MiB": (1, 7),
    }
    assert result.undated["an impossible time"].content == lines[2].decode() + "\n"


def test_lines_that_are_broken_otherwise_or_left_out_have_the_day_of_their_time(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    game = make_game(
        "jsonl",
        logs={"leave_out": [{"field": "e", "values": ["identify"]}]},
        properties={"level": "json(p).level"},
    )
    lines = [
        a_line("2026-02-01", p="{"),
        a_line("2026-02-01", u=""),
        a_line("2026-02-01", e="identify"),
    ]
    untimed = a_line(None, e="identify")
    result, texts = split(b"\n".join([*lines, untimed]), game, tmp_path, connection)
    assert texts[FIRST].splitlines() == lines
    assert texts[None].splitlines() == [untimed]
    assert list(result.undated) == ["left out"]


def test_each_csv_file_has_the_header_and_whole_records(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    header, first, second = b"u,t,e", b'"a\nb,""c",2026-02-01,x', b"b,2026-02-02,y"
    content = b"\xef\xbb\xbf\n" + b"\n".join([header, first, second, header, first, b"c,1"])
    result, texts = split(content, make_game("csv"), tmp_path, connection)
    assert texts == {
        FIRST: b"\n".join([header, first, first, b""]),
        SECOND: b"\n".join([header, second, b""]),
        None: b"\n".join([header, b"c,1", b""]),
    }
    assert list(result.undated) == ["not CSV: 2 columns, the header has 3"]


def test_csv_files_without_a_header_stay_without_one(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    game = make_game("csv", logs={"csv": {"header": ["u", "t", "e"]}})
    _, texts = split(b"a,2026-02-01,x\nb,2026-02-02,y\n", game, tmp_path, connection)
    assert texts == {FIRST: b"a,2026-02-01,x\n", SECOND: b"b,2026-02-02,y\n"}


def test_elements_of_json_have_a_line_each(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    content = b'[{"t": "2026-02-01",\n "u": 1}, {"t": "2026-02-02"}]'
    _, texts = split(content, make_game("json"), tmp_path, connection)
    assert texts == {FIRST: b'{"t": "2026-02-01",  "u": 1}\n', SECOND: b'{"t": "2026-02-02"}\n'}


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_every_compression_is_read(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection, name: str
) -> None:
    line = a_line("2026-02-01") + b"\n"
    _, texts = split(COMPRESSIONS[name](line), make_game("jsonl"), tmp_path, connection)
    assert texts == {FIRST: line}


def test_a_damaged_file_is_refused(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    content = gzip.compress(a_line("2026-02-01") * 100)[:-9]
    with pytest.raises(DamagedFileError, match="ends before its content does"):
        split(content, make_game("jsonl"), tmp_path, connection)


@pytest.mark.slow
@given(
    lines=st.lists(
        st.tuples(st.sampled_from(["2026-02-01", "2026-02-02T10:00:00Z", "x", ""]), st.text()),
        max_size=60,
    ),
    gathered=st.sampled_from([1, 200, 1 << 20]),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_line_is_lost_or_doubled_whatever_is_gathered(
    tmp_path_factory: pytest.TempPathFactory,
    connection: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[tuple[str, str]],
    gathered: int,
) -> None:
    monkeypatch.setattr(day_split, "MAX_GATHERED_BYTES", gathered)
    monkeypatch.setattr(day_split, "BATCH_ROWS", 8)
    written = [a_line(time, text=text) for time, text in lines]
    folder = tmp_path_factory.mktemp("split")
    result, texts = split(b"\n".join(written), make_game("jsonl"), folder, connection)
    by_day: dict[Day, list[bytes]] = {}
    for (time, _), line in zip(lines, written, strict=True):
        day = dt.date.fromisoformat(time[:10]) if time[:1] == "2" else None
        by_day.setdefault(day, []).append(line)
    assert {day: text.splitlines() for day, text in texts.items()} == by_day
    assert result.lines == {day: len(own) for day, own in by_day.items()}


# --- Parquet --------------------------------------------------------------------------------------


def split_table(
    path: Path, game: Game, folder: Path, connection: duckdb.DuckDBPyConnection
) -> tuple[Split, dict[Day, pa.Table]]:
    (folder / "days").mkdir()
    result = split_file(connection, RawFile(TODAY, "whole", path), game, folder / "days")
    return result, {day: parquet.read_table(it) for day, it in result.files.items()}


def test_rows_of_parquet_keep_their_columns_and_values(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day_split, "MAX_GATHERED_BYTES", 100)
    monkeypatch.setattr(day_split, "BATCH_ROWS", 3)
    times = ["2026-02-01", "2026-02-02", None, "2026-02-02"] * 5
    rows: list[dict[str, Any]] = [
        {"t": time, "u": f"u{n}", "U": n, "e": {"f": [n, None]}, "b": b"\0x"}
        for n, time in enumerate(times)
    ]
    path = tmp_path / "whole"
    parquet.write_table(pa.Table.from_pylist(rows), path)
    result, tables = split_table(path, make_game("parquet"), tmp_path, connection)
    assert {day: table.to_pylist() for day, table in tables.items()} == {
        FIRST: [row for row in rows if row["t"] == "2026-02-01"],
        SECOND: [row for row in rows if row["t"] == "2026-02-02"],
        None: [row for row in rows if row["t"] is None],
    }
    assert (result.undated["no time"].lines, result.undated["no time"].line) == (5, 3)
    assert '"u":"u2"' in result.undated["no time"].content


@pytest.mark.parametrize("is_int96", [True, False])
@pytest.mark.parametrize("zone", ["UTC", None])
def test_times_of_parquet_stay_instants_or_without_a_zone(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection, zone: str | None, is_int96: bool
) -> None:
    game = make_game("parquet", time_zone="Asia/Seoul")
    moment = pa.array([dt.datetime(2026, 2, 1, 20)], pa.timestamp("us", zone))  # noqa: DTZ001
    path = tmp_path / "whole"
    table = pa.table({"u": ["a"], "e": ["play"], "t": moment})
    parquet.write_table(table, path, use_deprecated_int96_timestamps=is_int96)
    before = read_files([path], game, TODAY)[0]
    result, _ = split_table(path, game, tmp_path, connection)
    ((day, file),) = result.files.items()
    assert day == before["event_date"] == (SECOND if zone or is_int96 else FIRST)
    assert read_files([file], game, TODAY) == [before]
