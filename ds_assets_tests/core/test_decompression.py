import gzip
import io
import lzma
import tracemalloc
import zlib
from collections.abc import Sequence

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.decompression import (
    _OTHER_FORMATS,
    MAX_WINDOW_BYTES,
    DamagedFileError,
    decompress,
)
from ds_assets_tests.core.compression import (
    COMPRESSIONS,
    Compress,
    compress_lz4,
    compress_snappy,
    compress_zstd,
    skippable_frame,
)

LINES = b"".join(b'{"n":%d,"text":"%x"}\n' % (n, zlib.crc32(b"%d" % n)) for n in range(40_000))
every_compression = pytest.mark.parametrize(
    "compress", COMPRESSIONS.values(), ids=COMPRESSIONS.keys()
)


def _read(content: bytes) -> tuple[bytes, str | None]:
    """Decompress; what comes before an error is kept."""
    parts: list[bytes] = []
    try:
        parts += decompress(lambda: io.BytesIO(content))
    except DamagedFileError as error:
        return b"".join(parts), str(error)
    return b"".join(parts), None


def test_a_text_is_itself() -> None:
    assert _read(LINES) == (LINES, None)


@every_compression
def test_every_compression_gives_the_same_content(compress: Compress) -> None:
    assert _read(compress(LINES)) == (LINES, None)


@every_compression
def test_an_empty_file_is_an_empty_content(compress: Compress) -> None:
    assert _read(compress(b"")) == (b"", None)


@pytest.mark.parametrize("name", sorted(COMPRESSIONS.keys() - {"snappy"}))
def test_members_may_be_padded(name: str) -> None:
    compress = COMPRESSIONS[name]
    assert _read(compress(b"one\n") + bytes(512) + compress(b"two\n")) == (b"one\ntwo\n", None)


@given(
    parts=st.lists(st.binary(max_size=200) | st.just(LINES[:90_000]), min_size=1, max_size=4),
    compress=st.sampled_from([*COMPRESSIONS.values()]),
)
def test_any_content_in_any_members_is_read_back(
    parts: Sequence[bytes], compress: Compress
) -> None:
    assert _read(b"".join(map(compress, parts))) == (b"".join(parts), None)


@given(
    parts=st.lists(st.binary(max_size=200) | st.just(LINES[:9_000]), min_size=1, max_size=3),
    compress=st.sampled_from([*COMPRESSIONS.values()]),
    kept=st.floats(0, 1, exclude_max=True),
)
def test_wherever_a_file_is_cut_a_prefix_is_read(
    parts: Sequence[bytes], compress: Compress, kept: float
) -> None:
    members = [compress(part) for part in parts]
    size = int(len(b"".join(members)) * kept)
    ends = {len(b"".join(members[:n])) for n in range(len(members) + 1)}
    text, damage = _read(b"".join(members)[:size])
    if size >= 12:  # less may be a text
        assert b"".join(parts).startswith(text)
        # Chunks of Snappy form a stream without an end.
        assert (damage is None) == (size in ends) or compress is compress_snappy


@every_compression
def test_much_of_a_cut_file_is_read(compress: Compress) -> None:
    content = LINES * 2
    whole = compress(content)
    text, damage = _read(whole[: len(whole) // 2 + len(whole) // 4])
    assert damage == "the file is damaged: it ends before its content does"
    assert content.startswith(text)
    assert len(text) > len(content) // 4


@every_compression
def test_a_flipped_bit_is_noticed_wherever_it_is(compress: Compress) -> None:
    whole = bytearray(compress(LINES))
    for place in range(20, len(whole) - 1, len(whole) // 25):
        flipped = whole.copy()
        flipped[place] ^= 4
        text, damage = _read(bytes(flipped))
        assert damage is not None or text == LINES


@every_compression
def test_garbage_behind_the_content_is_damage_and_costs_nothing(compress: Compress) -> None:
    text, damage = _read(compress(LINES) + b"garbage, and more of it")
    assert damage
    assert text == LINES


def test_a_wrong_checksum_is_damage() -> None:
    whole = gzip.compress(LINES)
    text, damage = _read(whole[:-8] + bytes(byte ^ 1 for byte in whole[-8:-4]) + whole[-4:])
    assert damage
    assert LINES.startswith(text)


@pytest.mark.parametrize("compress", [compress_zstd, compress_lz4])
@pytest.mark.parametrize("size", [0, 3, 100_000])
def test_frames_without_content_are_skipped(compress: Compress, size: int) -> None:
    frame = skippable_frame(size)
    content = frame + frame + compress(LINES) + frame + compress(b"end\n") + frame
    assert _read(content) == (LINES + b"end\n", None)


def test_a_file_of_nothing_but_frames_without_content_is_empty() -> None:
    assert _read(skippable_frame(7) * 2) == (b"", None)


@pytest.mark.parametrize("rest", [b"no frame", skippable_frame(50)[:-1], b"\x50\x2a\x4d\x18\x01"])
def test_a_frame_without_content_that_nothing_follows_is_damage(rest: bytes) -> None:
    text, damage = _read(skippable_frame(5) + rest)
    assert (text, damage is None) == (b"", False)


def _zstd_with_window(bits: int, content: bytes) -> bytes:
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: bits,
        zstd.CompressionParameter.content_size_flag: 0,
    }
    compressor = zstd.ZstdCompressor(options=options)
    return compressor.compress(content) + compressor.flush()


def test_a_window_of_zstd_is_read_up_to_the_limit() -> None:
    bits = MAX_WINDOW_BYTES.bit_length() - 1
    assert _read(_zstd_with_window(bits, LINES)) == (LINES, None)
    text, damage = _read(_zstd_with_window(bits + 1, LINES))
    assert text == b""
    assert "requires too much memory" in str(damage)


def test_a_dictionary_of_xz_above_the_limit_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": MAX_WINDOW_BYTES}]
    text, damage = _read(lzma.compress(b"x", filters=filters))
    assert text == b""
    assert "Memory usage limit exceeded" in str(damage)


@every_compression
def test_an_immense_content_does_not_fill_the_memory(compress: Compress) -> None:
    bomb = compress(bytes(64 << 20))
    tracemalloc.start()
    size = sum(map(len, decompress(lambda: io.BytesIO(bomb))))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == 64 << 20
    assert most < 16 << 20


@pytest.mark.parametrize("magic", _OTHER_FORMATS)
def test_a_file_of_another_format_is_refused_by_its_name(magic: bytes) -> None:
    name = _OTHER_FORMATS[magic].split(";", maxsplit=1)[0]
    text, damage = _read(magic + b" and more")
    assert text == b""
    assert str(damage).startswith(f"the file is {name}; ")


@pytest.mark.parametrize("content", [b"BZh1,a,b\n", b"PAR1,a\n", b"PK,a\n", b"Obj,a\n", b"7z\n"])
def test_a_text_that_begins_like_a_format_is_a_text(content: bytes) -> None:
    assert _read(content) == (content, None)
