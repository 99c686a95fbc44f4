"""Lines of text files as a table of DuckDB, for the readers of text formats.

Scope: numbering lines and streaming them to DuckDB without copying.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import duckdb
import numpy as np
import pyarrow as pa

from ds_assets.core.decompression import DamagedFileError
from ds_assets.core.raw_text import clean_blocks
from ds_assets.infra.engines.line_rules import WHITE
from ds_assets.infra.engines.raw_files import Damage, RawText

RAW_TEXT = "raw_text"
"""Name of the table."""
IS_BLANK = f"(content IS NULL OR trim(content, {WHITE}) = '')"
LINE = {"dt": pa.date32(), "file": pa.int64(), "line": pa.int64(), "content": pa.string()}
"""Columns of every line."""

ReadFile = Callable[[int, RawText], Iterator[pa.RecordBatch]]
"""Reads the lines of a file with a number."""


@contextmanager
def streaming(
    connection: duckdb.DuckDBPyConnection,
    files: Mapping[int, RawText],
    read: ReadFile,
    schema: pa.Schema,
) -> Iterator[list[Damage]]:
    """Provide `RAW_TEXT` within the context: the lines of files.

    It can be read once. Files are decompressed while it is read, so that neither a second copy of a
    day nor its whole text is ever in memory.

    Args:
        connection: Where the table is registered.
        files: Files by their number.
        read: Reads a file; if it is damaged, it raises `DamagedFileError` after its lines.
        schema: The columns of the lines.

    Yields:
        A list that receives the damaged files while the table is read.
    """
    damaged: list[Damage] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for number, file in files.items():
            try:
                yield from read(number, file)
            except DamagedFileError as error:
                damaged.append(Damage(number, str(error)))

    connection.register(RAW_TEXT, pa.RecordBatchReader.from_batches(schema, batches()))
    try:
        yield damaged
    finally:
        connection.unregister(RAW_TEXT)


def number_lines(content: Iterable[bytes], day: dt.date, number: int) -> Iterator[pa.RecordBatch]:
    """Return the lines of a file, with their newlines, as batches with the columns of `LINE`."""
    line = 1
    for block in clean_blocks(content):
        batch = _batch(block, day, number, line)
        line += len(batch)
        yield batch


def _batch(block: bytes, day: dt.date, number: int, line: int) -> pa.RecordBatch:
    """Make a batch of the lines of a block, whose text is the block itself, without a copy."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
    rows = len(ends)
    starts = np.concatenate([[0], ends + 1]).astype(np.int32)
    columns = [
        pa.repeat(pa.scalar(day, pa.date32()), rows),
        pa.repeat(pa.scalar(number, pa.int64()), rows),
        pa.array(np.arange(line, line + rows)),
        pa.StringArray.from_buffers(rows, pa.py_buffer(starts), pa.py_buffer(block)),
    ]
    return pa.record_batch(columns, schema=pa.schema(LINE))
