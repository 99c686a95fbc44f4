"""Raw text files made readable: decompressed, checked against their checksum, and clean text.

Belongs here: bytes in, lines out. What a line means is decided where events are read.
"""

import codecs
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import zstandard
from isal import isal_zlib

LONGEST_LINE = 1 << 20
UNREADABLE = "\ufffd"
"""Opens a line that was not valid text, so that a reader can tell it from a line that was."""

SHOWN = 10_000
"""Characters that are kept of a line that is not used."""

_NEVER_IN_TEXT = (b"\r", b"\0", b"\1")  # a return but at a line's end; readers delimit by the last
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_BLOCK = 1 << 14
_SMALL_BLOCK = 1 << 6  # of a damaged file: all before the block with the damage can be read


def decompress(source: Path, target: Path) -> str | None:
    """Write the lines of a raw file to `target` as plain UTF-8, one line each as in the file.

    The compression is told by the first bytes, whatever the name says. A line that is not UTF-8,
    holds NUL, SOH or a return before its end, or is longer than 1 MiB is written as its readable
    beginning after `UNREADABLE`, so that every line keeps its number.

    Args:
        source: Raw file: gzip, zstd or plain.
        target: File to write; overwritten.

    Returns:
        None where the whole file was read; else what is wrong with the rest, in words. A line
        in whose middle the content broke off is not written.
    """
    with target.open("w+b") as out:
        clean, damage = _copy(_read(source, _BLOCK), out)
        if damage or not clean:
            out.seek(0)
            out.truncate()
            damage = _copy_cleaned(_read(source, _SMALL_BLOCK if damage else _BLOCK), out)
        if damage:
            _drop_broken_end(out)
    return damage


def _drop_broken_end(out: BinaryIO) -> None:
    """Cut the line in whose middle a damaged file ended: it belongs to what was lost."""
    end = out.seek(0, 2)
    start = max(0, end - LONGEST_LINE - 1)
    out.seek(start)
    out.truncate(start + out.read().rfind(b"\n") + 1)


def _read(source: Path, size: int) -> Iterator[bytes | Exception]:
    """Chunks of a file's content; the last may be the error that ended it early."""
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
            yield from iter(lambda: raw.read(1 << 20), b"")


def _inflated(
    raw: BinaryIO, size: int, new: Callable[[], Any], error: type[Exception]
) -> Iterator[bytes | Exception]:
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
                yield reason
                return
            rest = member.unused_data if member.eof else b""
    if not member.eof:
        yield EOFError("it ends before its content does")


def _copy(chunks: Iterator[bytes | Exception], out: BinaryIO) -> tuple[bool, str | None]:
    """Copy while the text is clean. Returns whether it was, and what ended it early."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    since_newline = 0
    for chunk in chunks:
        if isinstance(chunk, Exception):
            return _ends_cleanly(decoder), _in_words(chunk)
        if _holds_long_line(since_newline, chunk) or any(c in chunk for c in _NEVER_IN_TEXT):
            return False, None
        if not (chunk.isascii() and _ends_cleanly(decoder)) and not _decodes(decoder, chunk):
            return False, None
        newline = chunk.rfind(b"\n")
        since_newline = since_newline + len(chunk) if newline < 0 else len(chunk) - newline - 1
        out.write(chunk)
    return _ends_cleanly(decoder), None


def _holds_long_line(begun: int, chunk: bytes) -> bool:
    if begun + len(chunk) <= LONGEST_LINE:
        return False
    first, *others = chunk.split(b"\n")
    return begun + len(first) > LONGEST_LINE or any(len(line) > LONGEST_LINE for line in others)


def _ends_cleanly(decoder: codecs.IncrementalDecoder) -> bool:
    return decoder.getstate()[0] == b""


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _copy_cleaned(chunks: Iterator[bytes | Exception], out: BinaryIO) -> str | None:
    """Copy line by line, marking what is not text. Returns what ended the file early."""
    rest = b""
    for chunk in chunks:
        if isinstance(chunk, Exception):
            out.write(_cleaned(rest))
            return _in_words(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        out.write(b"".join(_cleaned(line) + b"\n" for line in lines))
        # Of a line without an end only the beginning is ever shown: do not hold the whole.
        rest = rest[: LONGEST_LINE + 1]
    out.write(_cleaned(rest))
    return None


def _cleaned(line: bytes) -> bytes:
    line = line.removesuffix(b"\r")
    if len(line) <= LONGEST_LINE and not any(c in line for c in _NEVER_IN_TEXT) and _is_utf8(line):
        return line
    readable = line[:LONGEST_LINE].decode("utf-8", errors="replace")
    shown = "".join(c if c >= " " or c == "\t" else " " for c in readable[:SHOWN])
    return f"{UNREADABLE}{shown}".encode()


def _is_utf8(line: bytes) -> bool:
    return line.isascii() or _decodes(codecs.getincrementaldecoder("utf-8")(), line, final=True)


def _in_words(error: Exception) -> str:
    return f"the file is damaged: {error}"
