"""Splitting CSV into records as its quotes say: values may contain line ends and delimiters.

Scope: text in, values out. Columns and their meaning are in `infra.engines.csv_reader`.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator

from ds_assets.core.decompression import DamagedFileError
from ds_assets.core.raw_text import MAX_LINE_BYTES, UNREADABLE, is_clean, line_blocks, mark
from ds_assets.game import Csv

Record = tuple[int, str, list[str] | None]
"""The number of its first line, from 1, its text, and its values: none if a quote is out of place,
or if it is not text, and marked so."""

csv.field_size_limit(MAX_LINE_BYTES)  # by default a value may have less


def read_records(parts: Iterable[bytes], form: Csv) -> Iterator[Record]:
    """Split UTF-8 into records.

    Args:
        parts: The text, in parts.
        form: How values are delimited and quoted.

    Yields:
        Records. Where a quote is out of place, each line is one without values, as the quote may
        have taken in lines that are records themselves.

    Raises:
        DamagedFileError: after the records before, a quote is not closed, or not within 1 MiB: what
            follows may be the text of a value.
    """
    lines = _Lines(parts, form.quote)
    reader = csv.reader(
        lines.feed(),
        delimiter=form.delimiter,
        quotechar=form.quote or None,
        quoting=csv.QUOTE_MINIMAL if form.quote else csv.QUOTE_NONE,
        strict=True,
    )
    has_stray_quote = _stray_quote_test(form)
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield from lines.without_values()
            continue
        number, text = lines.take()
        if text.startswith(UNREADABLE) or has_stray_quote(text, values):
            yield number, text, None
        else:
            yield number, text, values


class _Lines:
    """Feeds lines to a parser, and keeps those of the record that is being parsed."""

    def __init__(self, parts: Iterable[bytes], quote: str) -> None:
        self._parts = parts
        self._quote = quote
        self._record: list[str] = []
        self._number = 1
        self._is_clean = True

    def feed(self) -> Iterator[str]:
        """Yield lines with their newlines."""
        size = 0
        for block in line_blocks(self._parts):
            self._is_clean = self._is_clean and is_clean(block)
            for line in io.StringIO(block.decode(errors="surrogateescape"), newline="\n"):
                size = size + len(line) if self._record else len(line)
                self._record.append(line)
                if size <= MAX_LINE_BYTES:
                    yield line
                elif self._quote and self._quote in self._record[0]:
                    raise DamagedFileError(self._not_closed("within 1 MiB"))
                else:
                    yield "\n"  # the line is marked
        if self._record:
            raise DamagedFileError(self._not_closed("to the end"))

    def _not_closed(self, until: str) -> str:
        return f"the file is damaged: a quote in line {self._number} is not closed {until}"

    def take(self) -> tuple[int, str]:
        """Return the record that was parsed, with its number, marked if it is not text."""
        number, record = self._number, self._record
        text = record[0] if len(record) == 1 else "".join(record)
        self._number += len(record)
        record.clear()
        return number, text if self._is_clean else _marked(text)

    def without_values(self) -> Iterator[Record]:
        """Yield each line of the record alone."""
        for line in self._record:
            yield self._number, line if self._is_clean else _marked(line), None
            self._number += 1
        self._record.clear()


def _marked(text: str) -> str:
    line = text.removesuffix("\n").encode(errors="surrogateescape")
    return mark(line).decode() + "\n"


def _stray_quote_test(form: Csv) -> Callable[[str, list[str]], bool]:
    """Return a test of whether a parsed record has a quote that is neither around nor doubled.

    The parser takes those in values without quotes for characters of the values.
    """
    if not form.quote:
        return lambda _text, _values: False
    quote, delimiter = re.escape(form.quote), re.escape(form.delimiter)
    value = f"(?:{quote}(?:[^{quote}]|{quote}{quote})*+{quote}|[^{quote}{delimiter}\n]*+)"
    well_quoted = re.compile(f"{value}(?:{delimiter}{value})*+\n")

    def has_stray_quote(text: str, values: list[str]) -> bool:
        # Few values have quotes in them.
        return (
            form.quote in text
            and form.quote in "".join(values)
            and well_quoted.fullmatch(text) is None
        )

    return has_stray_quote
