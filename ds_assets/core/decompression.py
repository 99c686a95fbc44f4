"""Reading raw text files: decompression, checksum verification, and cleaning of invalid text.

Scope: bytes in, lines out. Lines are parsed in `infra.engines`.
"""

import codecs
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import zstandard
from isal import isal_zlib

MAX_LINE_BYTES = 1 << 20
UNREADABLE = "\ufffd"
"""First character of a line that was not valid text, by which it can be recognized."""

MAX_QUARANTINED_CHARS = 10_000
"""Characters of an invalid line that are kept."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_OTHER_FORMATS = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x04\x22\x4d\x18": "LZ4",
    b"\xff\x06\x00\x00sNaPpY": "Snappy",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"PAR1\x15": "Parquet",
    b"Obj\x01": "Avro",
}
"""First bytes of files that are not text, and that cannot be read as text."""
_BZIP2_BLOCKS = {b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"}  # the first block, or the end
_BLOCK = 1 << 15
_SMALL_BLOCK = 1 << 6  # for a damaged file: everything before the damaged block is readable
_PLAIN_BLOCK = 1 << 18


class DamagedFileError(ValueError):
    """A raw file cannot be read to its end; the message says why."""


def text_blocks(source: Path) -> Iterator[bytes]:
    """Read the lines of a raw file as UTF-8, in blocks of many lines.

    The compression is detected from the first bytes, not from the name. A line that is not UTF-8,
    contains NUL or a carriage return before its end, or is longer than 1 MiB is replaced by
    `UNREADABLE` and its readable beginning, so that the numbers of lines are kept.

    Args:
        source: Raw file: gzip, zstd or plain text. Known binary formats are refused by name.

    Yields:
        Complete lines, each ending in a newline, which is added if the last line has none.

    Raises:
        DamagedFileError: after everything readable was yielded. A line in which the content breaks
            off is dropped.
    """
    yield from clean_blocks(_content(source))


def clean_blocks(content: Iterable[bytes]) -> Iterator[bytes]:
    """Clean uncompressed content given in parts; see `text_blocks`."""
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
        # Only the beginning of an overlong line is ever kept: bound the memory.
        rest = text[end : end + MAX_LINE_BYTES + 1]
    if rest:
        yield rest + b"\n"


def _content(source: Path) -> Iterator[bytes]:
    """Decompress in chunks; a damaged file is read again in small blocks to recover the rest."""
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
        start = raw.read(10)
        raw.seek(0)
        if name := _other_format(start):
            raise DamagedFileError(f"the file is {name}; use gzip, zstd or plain text")
        if start.startswith(_GZIP):
            error: Any = isal_zlib.IsalError  # its stub declares an instance
            yield from _inflated(raw, size, partial(isal_zlib.decompressobj, wbits=31), error)
        elif start.startswith(_ZSTD):
            new = zstandard.ZstdDecompressor().decompressobj
            yield from _inflated(raw, size, new, zstandard.ZstdError)
        else:
            yield from iter(lambda: raw.read(_PLAIN_BLOCK), b"")


def _other_format(start: bytes) -> str | None:
    if start.startswith(b"BZh") and start[4:] not in _BZIP2_BLOCKS:
        return None  # a text may begin so
    return next((name for magic, name in _OTHER_FORMATS.items() if start.startswith(magic)), None)


def _inflated(
    raw: BinaryIO, size: int, new: Callable[[], Any], error: type[Exception]
) -> Iterator[bytes]:
    """Decompress a stream of one or more members, verifying the checksum of each."""
    member = new()
    for block in iter(lambda: raw.read(size), b""):
        rest = block
        while rest:
            if member.eof:
                rest = rest.lstrip(b"\0")  # zero padding, as tapes and block stores add it
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
    """Mark lines that are not valid text. Nearly always nothing has to be changed."""
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
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
