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
    return map(_clean, line_blocks(content))


def line_blocks(content: Iterable[bytes]) -> Iterator[bytes]:
    """Split text into blocks of complete lines that end in newlines, whatever ended them before.

    The end of a line beyond 1 MiB is left out in part, to bound the memory.
    """
    rest = b""
    for part in content:
        text = rest + part
        end = text.rfind(b"\n") + 1
        if end:
            yield _with_newlines(text[:end])
        rest = text[end : end + MAX_LINE_BYTES + 1]
    if rest:
        yield _with_newlines(rest + b"\n")


def _with_newlines(text: bytes) -> bytes:
    if b"\r" not in text:
        return text
    return text.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n")


def _clean(block: bytes) -> bytes:
    """Mark lines that are not valid text. Nearly always nothing has to be changed."""
    if is_clean(block):
        return block
    return b"".join(mark(line) + b"\n" for line in block[:-1].split(b"\n"))


def is_clean(block: bytes) -> bool:
    """Return whether `mark` changes no line of a block."""
    is_short = len(block) <= MAX_LINE_BYTES
    return _is_text(block) and (
        is_short or all(len(line) <= MAX_LINE_BYTES for line in block.split(b"\n"))
    )


def mark(line: bytes) -> bytes:
    """Replace a line, or a record of several lines, if it is not text; see `clean_blocks`."""
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
