"""Raw text files made readable: decompressed, checked against their checksum, and clean text.

Belongs here: bytes in, lines out. What a line means is decided where events are read.
"""

import codecs
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import zstandard
from isal import isal_zlib

LONGEST_LINE = 1 << 20
UNREADABLE = "\ufffd"
"""Opens a line that was not valid text, so that a reader can tell it from a line that was."""

SHOWN = 10_000
"""Characters that are kept of a line that is not used."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_BLOCK = 1 << 15
_SMALL_BLOCK = 1 << 6  # of a damaged file: all before the block with the damage can be read
_PLAIN_BLOCK = 1 << 18


class DamagedFileError(ValueError):
    """A raw file cannot be read to its end; the message says why."""


def text_blocks(source: Path) -> Iterator[bytes]:
    """Read the lines of a raw file as UTF-8, many at a time.

    The compression is told by the first bytes, whatever the name says. A line that is not UTF-8,
    holds NUL or a return before its end, or is longer than 1 MiB becomes its readable beginning
    after `UNREADABLE`, so that every line keeps its number.

    Args:
        source: Raw file: gzip, zstd or plain.

    Yields:
        Whole lines, each with a newline at its end, also the last one of a file that has none.

    Raises:
        DamagedFileError: after all that could be read. A line in whose middle the content broke
            off is not among it.
    """
    yield from clean_blocks(_content(source))


def clean_blocks(content: Iterable[bytes]) -> Iterator[bytes]:
    """The same of plain content that comes in parts."""
    blocks = _whole_lines(content)
    yield from (_clean(block.removeprefix(codecs.BOM_UTF8)) for block in islice(blocks, 1))
    yield from map(_clean, blocks)


def _whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        text = rest + chunk
        end = text.rfind(b"\n") + 1
        if end:
            yield text[:end]
        # Of a line without an end only the beginning is ever shown: do not hold the whole.
        rest = text[end : end + LONGEST_LINE + 1]
    if rest:
        yield rest + b"\n"


def _content(source: Path) -> Iterator[bytes]:
    """Decompressed content in chunks; a damaged file is read again for what is left of it."""
    read = 0
    try:
        for chunk in _decompressed(source, _BLOCK):
            read += len(chunk)
            yield chunk
    except DamagedFileError:
        for chunk in _decompressed(source, _SMALL_BLOCK):
            yield chunk[read:]
            read = max(0, read - len(chunk))


def _decompressed(source: Path, size: int) -> Iterator[bytes]:
    with source.open("rb") as raw:
        start = raw.read(4)
        raw.seek(0)
        if start.startswith(_GZIP):
            error: Any = isal_zlib.IsalError  # its stub declares an instance
            yield from _inflated(raw, size, partial(isal_zlib.decompressobj, wbits=31), error)
        elif start == _ZSTD:
            new = zstandard.ZstdDecompressor().decompressobj
            yield from _inflated(raw, size, new, zstandard.ZstdError)
        else:
            yield from iter(lambda: raw.read(_PLAIN_BLOCK), b"")


def _inflated(
    raw: BinaryIO, size: int, new: Callable[[], Any], error: type[Exception]
) -> Iterator[bytes]:
    """Content of a compressed stream of one or more members, each checked at its end."""
    member = new()
    for block in iter(lambda: raw.read(size), b""):
        rest = block
        while rest:
            if member.eof:
                rest = rest.lstrip(b"\0")  # padding of tapes and block stores
                if not rest:
                    break
                member = new()
            try:
                yield member.decompress(rest)
            except error as reason:
                raise DamagedFileError(f"the file is damaged: {reason}") from None
            rest = member.unused_data if member.eof else b""
    if not member.eof:
        raise DamagedFileError("the file is damaged: it ends before its content does")


def _clean(text: bytes) -> bytes:
    """Lines with those that are not text marked; nearly always the lines as they are."""
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    if _is_text(text) and not _holds_long_line(text):
        return text
    return b"".join(_marked(line) + b"\n" for line in text[:-1].split(b"\n"))


def _holds_long_line(text: bytes) -> bool:
    return len(text) > LONGEST_LINE and any(len(line) > LONGEST_LINE for line in text.split(b"\n"))


def _marked(line: bytes) -> bytes:
    if len(line) <= LONGEST_LINE and _is_text(line):
        return line
    readable = line[:LONGEST_LINE].decode("utf-8", errors="replace")
    shown = "".join(c if c >= " " or c == "\t" else " " for c in readable[:SHOWN])
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
