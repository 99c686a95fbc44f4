"""Lines are read in the format of their file, and damaged files have none or fewer."""

import datetime as dt
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from ds_assets.game import Csv
from ds_assets.infra.engines.raw_files import RawFile
from ds_assets.onboarding.samples import (
    MAX_LINES_PER_FILE,
    FileFormat,
    find_format,
    read_lines,
)
from ds_assets_tests.onboarding.games import play

LINES = b"".join(json.dumps(line).encode() + b"\n" for line in play(9))


def raw(content: bytes, folder: Path) -> RawFile:
    path = folder / "raw"
    path.write_bytes(content)
    return RawFile(dt.date.min, path.name, path)


def table(folder: Path, columns: dict[str, Any]) -> RawFile:
    parquet.write_table(pa.table(columns), folder / "raw")
    return RawFile(dt.date.min, "raw", folder / "raw")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (LINES, "jsonl"),
        (LINES.replace(b"\n", b"\r\n"), "jsonl"),
        (LINES.rstrip(), "jsonl"),
        (gzip.compress(LINES), "jsonl"),
        (json.dumps(play(9), indent=1).encode(), "json"),
        (b"a,b\nx,2\ny,3\n", "csv"),
        (b"\xef\xbb\xbfa,b\nx,2\ny,3\n", "csv"),
    ],
)
def test_the_format_is_found_from_the_content(content: bytes, name: str, tmp_path: Path) -> None:
    file = raw(content, tmp_path)
    file_format = find_format(file)
    assert file_format
    assert file_format.name == name
    assert read_lines(file, file_format) == (
        play(9) if name != "csv" else [{"a": "x", "b": "2"}, {"a": "y", "b": "3"}]
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"\0" * 9_999,
        bytes(range(256)) * 99,
        b"\x1f\x8b\x08",
        b"PK\x03\x04" + b"x" * 99,
    ],
)
def test_what_is_no_text_has_no_format(content: bytes, tmp_path: Path) -> None:
    assert find_format(raw(content, tmp_path)) is None


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"a;b\nx;2\ny;3\n", {"delimiter": ";"}),
        (b"a;b\nx;2,5\ny;1.003,25\n", {"delimiter": ";", "decimal": ",", "thousands": "."}),
        (b'a,b\nx,"1,234"\ny,"12"\n', {"thousands": ","}),
        (b"x\t2\ny\t3\n", {"delimiter": "\t", "header": ("column_1", "column_2")}),
    ],
)
def test_how_csv_is_written_is_found(content: bytes, form: dict[str, Any], tmp_path: Path) -> None:
    file_format = find_format(raw(content, tmp_path))
    assert file_format
    assert file_format.form.model_dump(exclude_defaults=True, exclude={"quote"}) == form


def test_a_file_that_breaks_off_has_the_lines_before(tmp_path: Path) -> None:
    lines = b"".join(json.dumps(line).encode() + b"\n" for line in play(20_000, n=lambda n: n * n))
    file = raw(gzip.compress(lines)[:-100], tmp_path)
    assert len(read_lines(file, FileFormat("jsonl"))) == MAX_LINES_PER_FILE


def test_lines_that_are_no_objects_are_passed_over(tmp_path: Path) -> None:
    content = LINES + b'1\n[2]\nno JSON\n{"a": "\\ud800"}\n' + b"[" * 100_000
    assert read_lines(raw(content, tmp_path), FileFormat("jsonl")) == play(9)


def test_of_files_with_many_columns_fewer_lines_are_read(tmp_path: Path) -> None:
    header = ",".join(f"c{n}" for n in range(5_000))
    file = raw(f"{header}\n{(',1' * 5_000)[1:]}\n".encode() * 200, tmp_path)
    assert len(read_lines(file, FileFormat("csv", Csv()))) == 80


def test_every_type_of_parquet_is_read(tmp_path: Path) -> None:
    instant = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
    file = table(
        tmp_path,
        {
            "nanoseconds": pa.array([1_770_000_000_123_456_789], pa.timestamp("ns", "UTC")),
            "time": [instant],
            "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
            "kind": pa.array(["a"]).dictionary_encode(),
            "far": pa.array([2**60], pa.timestamp("us")),
            "bytes": [b"\xff"],
        },
    )
    (line,) = read_lines(file, FileFormat("parquet"))
    assert (line["time"], line["map"], line["kind"]) == (instant, [("a", 1)], "a")
    assert (line["far"], line["bytes"]) == (None, b"\xff")


def test_parquet_without_rows_or_cut_off_has_no_lines(tmp_path: Path) -> None:
    assert (
        read_lines(table(tmp_path, {"a": pa.array([], pa.string())}), FileFormat("parquet")) == []
    )
    file = table(tmp_path, {"a": [1]})
    file.path.write_bytes(file.path.read_bytes()[:-9])
    file_format = find_format(file)
    assert file_format == FileFormat("parquet")
    assert read_lines(file, file_format) == []
