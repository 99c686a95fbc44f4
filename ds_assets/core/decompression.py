"""Decompressing raw files, whose compression is found out from their first bytes.

Scope: bytes in, bytes out, in parts of bounded size, with every checksum verified. Archives are in
`core.zip_archives`, text is cleaned in `core.raw_text`.
"""

import bz2
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, cast

import cramjam
import lz4.frame
from backports import zstd
from isal import igzip_lib

MAX_WINDOW_BYTES = 1 << 29
"""Memory that decompressing a file may take, as for `zstd --long=29`."""

_BLOCK = 1 << 15
_SMALL_BLOCK = 1 << 6  # for a damaged file: everything before the damaged block is readable
_PLAIN_BLOCK = 1 << 18
_MAX_PART = 1 << 20  # a small file may have an immense content
_START = 16
_SNAPPY = b"\xff\x06\x00\x00sNaPpY"
_SNAPPY_HEADER = 4  # a byte for the kind of the chunk, and its size
_SKIPPABLE = {bytes([number]) + b"\x2a\x4d\x18" for number in range(0x50, 0x60)}
"""First bytes of frames of zstd and LZ4 that hold no content."""
_BZIP2_BLOCKS = {b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"}  # the first block, or the end
_OTHER_FORMATS = {
    b"7z\xbc\xaf\x27\x1c": "7-Zip; compress it as zip, gzip or zstd",
    b"Rar!\x1a\x07": "RAR; compress it as zip, gzip or zstd",
    b"PK\x03\x04": "zip within another file; unpack it",
    b"\x02\x21\x4c\x18": "LZ4 in its legacy format; compress it without -l",
    b"PAR1\x15": "Parquet; set logs.format to parquet, or write text",
    b"PARE": "encrypted Parquet; write it without encryption",
    b"Obj\x01": "Avro; convert it to Parquet or JSON lines",
    b"\xff\xfe\x00\x00": "UTF-32; write it as UTF-8",
    b"\x00\x00\xfe\xff": "UTF-32; write it as UTF-8",
}
"""First bytes of files that are not read as text, with their format and what to do."""


_CUT = "the file is damaged: it ends before its content does"


class DamagedFileError(ValueError):
    """A raw file cannot be read to its end; the message says why."""


@dataclass(frozen=True)
class _Codec:
    """A compression: its first bytes, a decompressor like those of `bz2`, and its error."""

    magic: bytes
    new: Callable[[], Any]
    error: type[Exception]


_ZSTD_LIMIT: dict[int, int] = {
    zstd.DecompressionParameter.window_log_max: MAX_WINDOW_BYTES.bit_length() - 1
}
_ZSTD = _Codec(
    b"\x28\xb5\x2f\xfd", partial(zstd.ZstdDecompressor, options=_ZSTD_LIMIT), zstd.ZstdError
)
_LZ4 = _Codec(b"\x04\x22\x4d\x18", lz4.frame.LZ4FrameDecompressor, RuntimeError)
_GZIP = _Codec(
    b"\x1f\x8b",
    partial(igzip_lib.IgzipDecompressor, flag=igzip_lib.DECOMP_GZIP),
    cast("type[Exception]", igzip_lib.IsalError),  # its stub declares an instance
)
_XZ = _Codec(
    b"\xfd7zXZ\x00",
    partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, memlimit=MAX_WINDOW_BYTES),
    lzma.LZMAError,
)
_BZIP2 = _Codec(b"BZh", bz2.BZ2Decompressor, OSError)


def decompress(open_raw: Callable[[], BinaryIO]) -> Iterator[bytes]:
    """Decompress a file: gzip, zstd, bzip2, xz, LZ4, Snappy, or not compressed.

    A damaged file is read again in small blocks, to recover what stands before the damage.

    Args:
        open_raw: Opens the file.

    Yields:
        The content, in parts of at most 1 MiB.

    Raises:
        DamagedFileError: after everything readable was yielded. A file of another known format is
            refused by name.
    """
    done = 0
    try:
        for part in _decompressed(open_raw, _BLOCK):
            done += len(part)
            yield part
    except DamagedFileError:
        for part in _decompressed(open_raw, _SMALL_BLOCK):
            yield part[done:]
            done = max(0, done - len(part))


def _decompressed(open_raw: Callable[[], BinaryIO], size: int) -> Iterator[bytes]:
    with open_raw() as raw:
        start = raw.read(_START)
        for magic, words in _OTHER_FORMATS.items():
            if start.startswith(magic):
                raise DamagedFileError(f"the file is {words}")
        codec = _behind_skippable(raw) if start[:4] in _SKIPPABLE else _codec_of(start)
        raw.seek(0)
        if start.startswith(_SNAPPY):
            yield from _unsnapped(raw)
        elif codec:
            yield from _inflated(raw, size, codec)
        else:
            yield from iter(lambda: raw.read(_PLAIN_BLOCK), b"")


def _codec_of(start: bytes) -> _Codec | None:
    if start.startswith(_BZIP2.magic) and start[4:10] not in _BZIP2_BLOCKS:
        return None  # a text may begin so
    codecs = (_GZIP, _ZSTD, _BZIP2, _XZ, _LZ4)
    return next((codec for codec in codecs if start.startswith(codec.magic)), None)


def _behind_skippable(raw: BinaryIO) -> _Codec:
    """Return the codec of a file that begins with frames without content."""
    position = 0
    raw.seek(position)
    while (start := raw.read(_START))[:4] in _SKIPPABLE:
        position += 8 + int.from_bytes(start[4:8], "little")
        raw.seek(position)
    return _LZ4 if start.startswith(_LZ4.magic) else _ZSTD


def _inflated(raw: BinaryIO, size: int, codec: _Codec) -> Iterator[bytes]:
    """Decompress a stream of one or more members, verifying the checksum of each."""
    member = codec.new()
    for block in iter(lambda: raw.read(size), b""):
        rest = block
        while rest or not (member.needs_input or member.eof):
            if member.eof:
                rest = rest.lstrip(b"\0")  # zero padding, as tapes and block stores add it
                if not rest:
                    break
                member = codec.new()
            try:
                yield member.decompress(rest, _MAX_PART)
            except codec.error as reason:
                raise DamagedFileError(f"the file is damaged: {reason}") from None
            rest = member.unused_data if member.eof else b""
    if not member.eof:
        raise DamagedFileError(_CUT)


def _unsnapped(raw: BinaryIO) -> Iterator[bytes]:
    """Decompress the framing format of Snappy, verifying the checksum of each chunk."""
    while header := raw.read(_SNAPPY_HEADER):
        size = int.from_bytes(header[1:], "little")
        chunk = header + raw.read(size)
        if len(chunk) < _SNAPPY_HEADER + size:
            raise DamagedFileError(_CUT)
        try:
            yield bytes(cramjam.snappy.decompress(_SNAPPY + chunk))
        except cramjam.DecompressionError as reason:
            raise DamagedFileError(f"the file is damaged: {reason}") from None
