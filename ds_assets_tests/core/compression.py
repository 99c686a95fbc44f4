"""Compressions of raw files, for tests."""

import bz2
import gzip
import lzma
from collections.abc import Callable

import cramjam
import lz4.frame
from backports import zstd

Compress = Callable[[bytes], bytes]


def compress_zstd(content: bytes) -> bytes:
    return zstd.compress(content, options={zstd.CompressionParameter.checksum_flag: 1})


def compress_lz4(content: bytes) -> bytes:
    return bytes(lz4.frame.compress(content, content_checksum=True, block_size=4))


def compress_snappy(content: bytes) -> bytes:
    return bytes(cramjam.snappy.compress(content))


COMPRESSIONS: dict[str, Compress] = {
    "gzip": gzip.compress,
    "zstd": compress_zstd,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lz4": compress_lz4,
    "snappy": compress_snappy,
}


def skippable_frame(size: int) -> bytes:
    """Make a frame of zstd and LZ4 that holds no content."""
    return b"\x53\x2a\x4d\x18" + size.to_bytes(4, "little") + bytes(size)
