"""Lines of some log files: which format they are in, and the values of their fields."""

import csv
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

import duckdb
import pyarrow as pa
from pyarrow import parquet

from ds_assets.core.csv_records import read_records
from ds_assets.core.decompression import DamagedFileError
from ds_assets.core.json_elements import json_lines
from ds_assets.game import Csv
from ds_assets.infra.engines.raw_files import RawFile, RawText, number_files
from ds_assets.onboarding.exports import name_columns
from ds_assets.onboarding.json_values import parse_json

MAX_LINES_PER_FILE = 4_000
_MAX_VALUES = 400_000
"""Values of a file that are looked at."""
_MAX_BYTES = 4 << 20
"""Text of a file that is looked at."""
_PARQUET = b"PAR1"
_LINES_TO_TELL = 50
_PLAIN = Csv()
_SNIFF = "SELECT Delimiter, Quote, HasHeader, len(Columns) FROM sniff_csv(?)"
_GROUPED = {",": r"-?\d{1,3}(,\d{3})+(\.\d+)?", ".": r"-?\d{1,3}(\.\d{3})+(,\d+)?"}
"""Numbers with a mark between their thousands."""


@dataclass(frozen=True)
class FileFormat:
    """The format of a file.

    Attributes:
        name: As `logs.format`.
        form: How it is written, if it is CSV.
    """

    name: str
    form: Csv = _PLAIN


def is_parquet(file: RawFile) -> bool:
    """Return whether a file is Parquet, by its first bytes."""
    with file.path.open("rb") as content:
        return content.read(len(_PARQUET)) == _PARQUET


def find_format(file: RawFile) -> FileFormat | None:
    """Find out the format of a file; None if it has no text and is not Parquet."""
    if is_parquet(file):
        return FileFormat("parquet")
    text = _read_start(file)
    lines = text.split("\n")[:_LINES_TO_TELL]
    complete = [it for it in (lines[:-1] or lines) if it.strip()]
    if not complete:
        return None
    if text.lstrip()[:1] in {"{", "["}:
        objects = [line for line in complete if isinstance(parse_json(line), dict)]
        if 2 * len(objects) > len(complete):
            return FileFormat("jsonl")
        if next(_read_json(json_lines([text.encode()])), None) is not None:
            return FileFormat("json")
    return _sniff_csv(text)


def read_lines(file: RawFile, file_format: FileFormat) -> list[Mapping[str, Any]]:
    """Read the first lines of a file; what is damaged or not an object is left out."""
    match file_format.name:
        case "parquet":
            return _read_parquet(file)
        case "csv":
            return _take(_read_csv(file, file_format.form))
        case _:
            text = _read_start(file).encode()
            blocks = json_lines([text]) if file_format.name == "json" else iter([text])
            return _take(_read_json(blocks))


def _take(lines: Iterator[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first lines, fewer of those with many values."""
    first = next(lines, None)
    if first is None:
        return []
    return [first, *islice(lines, _line_limit(len(first)) - 1)]


def _line_limit(columns: int) -> int:
    return max(1, min(MAX_LINES_PER_FILE, _MAX_VALUES // max(1, columns)))


def _read_start(file: RawFile) -> str:
    """The first text of a file, or of the files in an archive."""
    return "".join(part.decode(errors="replace") for part in _parts(file))


def _parts(file: RawFile) -> Iterator[bytes]:
    size = 0
    members: Sequence[RawText] = tuple(number_files([file]).values())
    for member in members:
        with suppress(DamagedFileError):  # as a copy of a part of a compressed file breaks off
            for part in member.content():
                size += len(part)
                yield part
                if size >= _MAX_BYTES:
                    return


def _read_json(blocks: Iterator[bytes]) -> Iterator[Mapping[str, Any]]:
    with suppress(DamagedFileError):
        for block in blocks:
            for line in block.split(b"\n"):
                if isinstance(value := parse_json(line), dict):
                    yield value


def _read_csv(file: RawFile, form: Csv) -> Iterator[Mapping[str, Any]]:
    header = form.header
    with suppress(DamagedFileError):
        for _, _, values in read_records(_parts(file), form):
            if not values:
                continue
            if header is None:
                header = tuple(values)
            elif len(values) == len(header):
                yield dict(zip(header, values, strict=True))


def _read_parquet(file: RawFile) -> list[Mapping[str, Any]]:
    try:
        with parquet.ParquetFile(file.path) as content:
            limit = _line_limit(content.metadata.num_columns)
            first = next(content.iter_batches(batch_size=limit), None)
    except (pa.ArrowException, OSError):  # it is damaged, or has types that are not supported
        return []
    if first is None:
        return []
    columns = map(_values, first.columns)
    return [dict(zip(first.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(column: pa.Array) -> list[Any]:
    """The values of a column; none if one does not fit into Python, as a time in year 40,000."""
    try:
        return [*column.to_pylist()]
    except (ValueError, OverflowError):
        return [None] * len(column)


def _sniff_csv(text: str) -> FileFormat | None:
    """Find out delimiter, quotes and header with DuckDB, and the marks in numbers."""
    sample = text[: text.rfind("\n") + 1] or text
    with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="utf-8") as copy:
        copy.write(sample)
        copy.flush()
        try:
            delimiter, quote, has_header, columns = duckdb.execute(_SNIFF, [copy.name]).fetchall()[
                0
            ]
        except duckdb.Error:  # of text, or bytes, in which it finds no columns
            return None
    if len(delimiter) != 1 or {"\ufffd", "\0"} & set(sample):
        return None
    is_quoted = quote != "(empty)" or '"' not in sample
    form: dict[str, Any] = {"delimiter": delimiter, "quote": '"' if is_quoted else ""}
    form |= _find_marks(sample, Csv(**form))
    return FileFormat("csv", Csv(**form, header=None if has_header else name_columns(columns)))


def _find_marks(sample: str, form: Csv) -> dict[str, str]:
    """Find the marks in numbers, where a column has numbers with a comma or several marks."""
    rows = csv.reader(
        sample.splitlines()[1:],
        delimiter=form.delimiter,
        quotechar=form.quote or None,
        quoting=csv.QUOTE_MINIMAL if form.quote else csv.QUOTE_NONE,
    )
    columns = [[it for it in column if it] for column in zip(*rows, strict=False)]
    for column in filter(None, columns):
        if all(re.fullmatch(r"-?\d+(\.\d{3})*(,\d+)?", it) for it in column) and any(
            re.search(r",(?!\d{3}$)", it) for it in column
        ):
            has_groups = any(re.fullmatch(_GROUPED["."], it) for it in column)
            return {"decimal": ",", "thousands": "." if has_groups else ""}
        if any(re.fullmatch(_GROUPED[","], it) for it in column) and all(
            re.fullmatch(r"-?\d+(\.\d+)?|" + _GROUPED[","], it) for it in column
        ):
            return {"thousands": ","}
    return {}
