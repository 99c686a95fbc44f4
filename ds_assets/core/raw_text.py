"""Reading the text of raw files: encodings, line ends, and marking what is not text.

Scope: bytes in, lines out. Compression is in `core.decompression`; lines are parsed in
`infra.engines`.
"""

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain

from ds_assets.core.decompression import DamagedFileError

MAX_LINE_BYTES = 1 << 20
UNREADABLE = "\ufffd"
"""First character of a line that was not valid text, by which it can be recognized."""

MAX_QUARANTINED_CHARS = 10_000
"""Characters of an invalid line that are kept."""

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MARKS = (codecs.BOM_UTF8, *_UTF16)


def utf8(content: Iterable[bytes]) -> Iterator[bytes]:
    """Convert text to UTF-8 without a byte order mark: UTF-16 if it begins with one, else UTF-8.

    Args:
        content: The text, in parts.

    Yields:
        Parts. What is not text stays, or becomes, invalid UTF-8.

    Raises:
        DamagedFileError: UTF-16 ends within a character.
    """
    parts, start = iter(content), b""
    while any(mark.startswith(start) and mark != start for mark in _MARKS):
        if (part := next(parts, None)) is None:
            break
        start += part
    parts = chain([start.removeprefix(codecs.BOM_UTF8)], parts)
    return _from_utf16(parts) if start.startswith(_UTF16) else parts


def _from_utf16(parts: Iterable[bytes]) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-16")("surrogatepass")
    for part in parts:
        yield decoder.decode(part).encode(errors="surrogatepass")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise DamagedFileError("the file is damaged: it ends within a character") from None


def clean_blocks(content: Iterable[bytes]) -> Iterator[bytes]:
    """Split UTF-8 into blocks of lines, and mark the lines that are not text.

    A line that is not UTF-8, contains NUL or a carriage return before its end, or is longer than
    1 MiB is replaced by `UNREADABLE` and its readable beginning, so that the numbers of lines are
    kept.

    Args:
        content: The text, in parts.

    Yields:
        Complete lines, each ending in a newline, which is added if the last line has none.
    """
    return map(_clean, _whole_lines(content))


def _whole_lines(parts: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for part in parts:
        text = rest + part
        end = text.rfind(b"\n") + 1
        if end:
            yield text[:end]
        # Only the beginning of an overlong line is ever kept: bound the memory.
        rest = text[end : end + MAX_LINE_BYTES + 1]
    if rest:
        yield rest + b"\n"


def _clean(text: bytes) -> bytes:
    """Mark lines that are not valid text. Nearly always nothing has to be changed."""
    if b"\r" in text:
        text = text.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n")
    if _is_text(text) and not _holds_long_line(text):
        return text
    return b"".join(_marked(line) + b"\n" for line in text[:-1].split(b"\n"))


def _holds_long_line(text: bytes) -> bool:
    return len(text) > MAX_LINE_BYTES and any(
        len(line) > MAX_LINE_BYTES for line in text.split(b"\n")
    )


def _marked(line: bytes) -> bytes:
    if len(line) <= MAX_LINE_BYTES and _is_text(line):
        return line
    readable = line[:MAX_LINE_BYTES].decode("utf-8", errors="replace")
    shown = "".join(c if c >= " " or c == "\t" else " " for c in readable[:MAX_QUARANTINED_CHARS])
    return f"{UNREADABLE}{shown}".encode()


def _is_text(text: bytes) -> bool:
    if b"\r" in text or b"\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
