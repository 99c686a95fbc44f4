"""Splitting JSON into elements: those of an array, or values that follow each other.

Scope: text in, a line for each element out. Lines are parsed in `infra.engines`.
"""

import codecs
import json
import re
from collections.abc import Iterable, Iterator

from ds_assets.core.decompression import DamagedFileError
from ds_assets.core.raw_text import MAX_LINE_BYTES

_BLOCK_CHARS = 1 << 17
_SEPARATORS = re.compile(r"[ \t\r\n,]*")
_ENDS = ("}", "]", '"')
# Numbers are only passed over, and long ones are not converted.
_SCAN = json.JSONDecoder(strict=False, parse_int=str, parse_float=str).raw_decode


def json_lines(content: Iterable[bytes]) -> Iterator[bytes]:
    """Put each element on a line of its own.

    Elements are those of an array, or values that follow each other. Blanks, line ends and commas
    between them mean nothing.

    Args:
        content: UTF-8, in parts.

    Yields:
        Blocks of lines. What is not UTF-8 stays as it is.

    Raises:
        DamagedFileError: after the elements before it, one is broken or longer than 1 MiB. Where
            the next one begins is not known then, as a text may hold anything.
    """
    lines: list[str] = []
    size = 0
    try:
        for element in _read_elements(_Text(content)):
            lines.append(element)
            size += len(element)
            if size > _BLOCK_CHARS:
                yield _block(lines)
                size = 0
    except DamagedFileError:
        yield _block(lines)
        raise
    yield _block(lines)


def _block(lines: list[str]) -> bytes:
    block = "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")
    lines.clear()
    return block


def _read_elements(text: "_Text") -> Iterator[str]:
    number = 0
    is_array = False
    while mark := text.peek():
        if mark == "[" and not is_array:
            is_array = True
            text.skip()
        elif mark == "]" and is_array:
            is_array = False
            text.skip()
        else:
            number += 1
            # A line end within an element stands between its parts, where a space means the same.
            yield text.take(number).replace("\n", " ").replace("\r", " ")
    if is_array:
        raise DamagedFileError("the file is damaged: its array is not closed")


class _Text:
    """Text that is read as far as it is needed."""

    def __init__(self, content: Iterable[bytes]) -> None:
        self._parts = iter(content)
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._place = 0

    def _read(self) -> bool:
        """Append the next part, if there is one."""
        part = next(self._parts, None)
        rest = self._decoder.decode(part or b"", final=part is None)
        self._text = self._text[self._place :] + rest
        self._place = 0
        return part is not None

    def peek(self) -> str:
        """Return the next character that does not separate elements; an empty text at the end."""
        while True:
            if match := _SEPARATORS.match(self._text, self._place):
                self._place = match.end()
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._read():
                return self._text

    def skip(self) -> None:
        """Pass over a character."""
        self._place += 1

    def take(self, number: int) -> str:
        """Return the element at the place."""
        while True:
            try:
                _, end = _SCAN(self._text, self._place)
            except (json.JSONDecodeError, RecursionError) as error:
                is_long = len(self._text) - self._place > MAX_LINE_BYTES
                if is_long or not self._read():
                    words = "is longer than 1 MiB, or broken" if is_long else "is broken"
                    raise DamagedFileError(
                        f"the file is damaged: element {number} {words}: {error}"
                    ) from None
                continue
            element = self._text[self._place : end]
            # A number or a word may go on in the next part.
            if end < len(self._text) or element.endswith(_ENDS) or not self._read():
                self._place += len(element)
                return element
