import bz2
import gzip
import lzma
import zlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.decompression import (
    _OTHER_FORMATS,
    MAX_LINE_BYTES,
    MAX_QUARANTINED_CHARS,
    UNREADABLE,
    DamagedFileError,
    text_blocks,
)

OPENINGS = (b"\x28\xb5\x2f\xfd", b"\x1f\x8b", *_OTHER_FORMATS)
LINES = b"".join(b'{"n":%d,"text":"%x"}\n' % (n, zlib.crc32(b"%d" % n)) for n in range(40_000))


def _read(folder: Path, content: bytes) -> tuple[bytes, str | None]:
    source = folder / "raw"
    source.write_bytes(content)
    blocks: list[bytes] = []
    try:
        blocks += text_blocks(source)  # what came before an error is kept
    except DamagedFileError as error:
        return b"".join(blocks), str(error)
    return b"".join(blocks), None


@pytest.mark.parametrize(
    "compress",
    [
        bytes,
        gzip.compress,
        zstandard.ZstdCompressor().compress,
        lambda content: gzip.compress(content[:1000]) + gzip.compress(content[1000:]),
        lambda content: b"".join(
            zstandard.ZstdCompressor().compress(part) for part in (content[:7], content[7:])
        ),
        lambda content: gzip.compress(content) + bytes(512),
    ],
    ids=["plain", "gzip", "zstd", "gzip members", "zstd frames", "padded gzip"],
)
def test_every_compression_gives_the_same_text(compress: object, tmp_path: Path) -> None:
    assert callable(compress)
    assert _read(tmp_path, compress(LINES)) == (LINES, None)


@pytest.mark.parametrize(
    "content", [b"", gzip.compress(b"", mtime=0), zstandard.ZstdCompressor().compress(b"")]
)
def test_an_empty_file_is_an_empty_text(content: bytes, tmp_path: Path) -> None:
    assert _read(tmp_path, content) == (b"", None)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (bz2.compress(LINES), "bzip2"),
        (bz2.compress(b""), "bzip2"),
        (lzma.compress(LINES), "xz"),
        (b"PK\x03\x04 and more", "zip"),
        (b"PAR1\x15 and more", "Parquet"),
    ],
)
def test_a_file_of_another_format_is_refused_by_its_name(
    content: bytes, name: str, tmp_path: Path
) -> None:
    assert _read(tmp_path, content) == (b"", f"the file is {name}; use gzip, zstd or plain text")


@pytest.mark.parametrize("content", [b"BZh1,a,b\n", b"PAR1,a\n", b"PK,a\n", b"Obj,a\n", b"7z\n"])
def test_a_text_that_begins_like_a_format_is_a_text(content: bytes, tmp_path: Path) -> None:
    assert _read(tmp_path, content) == (content, None)


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_a_truncated_file_keeps_its_whole_lines_and_says_so(
    compress: object, tmp_path: Path
) -> None:
    assert callable(compress)
    whole = compress(LINES)
    text, damage = _read(tmp_path, whole[: len(whole) // 2])
    assert damage
    assert damage.startswith("the file is damaged: ")
    assert LINES.startswith(text)
    assert text.endswith(b"\n")
    assert len(text) > len(LINES) // 4


@pytest.mark.parametrize(
    "compress", [gzip.compress, zstandard.ZstdCompressor(write_checksum=True).compress]
)
def test_a_flipped_bit_is_noticed_wherever_it_is(compress: object, tmp_path: Path) -> None:
    assert callable(compress)
    whole = bytearray(compress(LINES))
    for place in range(20, len(whole) - 1, len(whole) // 25):
        flipped = whole.copy()
        flipped[place] ^= 4
        text, damage = _read(tmp_path, bytes(flipped))
        assert damage is not None or text == LINES


def test_a_wrong_checksum_is_damage(tmp_path: Path) -> None:
    whole = gzip.compress(LINES)
    wrong = whole[:-8] + bytes(b ^ 1 for b in whole[-8:-4]) + whole[-4:]
    text, damage = _read(tmp_path, wrong)
    assert damage
    assert LINES.startswith(text)


def test_garbage_behind_the_content_is_damage_and_costs_no_line(tmp_path: Path) -> None:
    text, damage = _read(tmp_path, gzip.compress(LINES) + b"garbage")
    assert damage
    assert text == LINES


def test_a_line_that_is_not_utf8_is_marked_and_keeps_its_number(tmp_path: Path) -> None:
    text, damage = _read(tmp_path, b"one\ntw\xffo\nthr\xc3\xa9e")
    assert damage is None
    assert text.decode().split("\n") == ["one", f"{UNREADABLE}tw\ufffdo", "thrée", ""]


@pytest.mark.parametrize("character", [b"\0", b"\r"])
def test_a_line_with_a_character_that_readers_stumble_on_is_marked(
    character: bytes, tmp_path: Path
) -> None:
    text, _ = _read(tmp_path, b"one\nt" + character + b"wo\nthree\n")
    assert text.decode() == f"one\n{UNREADABLE}t wo\nthree\n"


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_byte_order_mark_is_no_part_of_the_first_line(compress: object, tmp_path: Path) -> None:
    assert callable(compress)
    assert _read(tmp_path, compress(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo"))[0] == (
        b"one\n\xef\xbb\xbftwo\n"
    )


def test_windows_line_ends_become_plain_ones(tmp_path: Path) -> None:
    assert _read(tmp_path, b"one\r\ntwo\r\n\r\nthree") == (b"one\ntwo\n\nthree\n", None)


def test_a_line_is_judged_alone_whatever_stands_beside_it(tmp_path: Path) -> None:
    honest = f"the writer's own {UNREADABLE}, a tab\t and \x02".encode()
    assert _read(tmp_path, honest + b"\n") == (honest + b"\n", None)
    assert _read(tmp_path, honest + b"\r\n\xff\n")[0].startswith(honest + b"\n")


@pytest.mark.parametrize("excess", [0, 1, 3 << 20])
def test_only_a_line_above_the_limit_is_cut(excess: int, tmp_path: Path) -> None:
    long = b"x" * (MAX_LINE_BYTES + excess)
    text, damage = _read(tmp_path, gzip.compress(b"before\n" + long + b"\nafter\n"))
    before, middle, after, _ = text.split(b"\n")
    assert (before, after, damage) == (b"before", b"after", None)
    assert middle == (long if not excess else UNREADABLE.encode() + long[:MAX_QUARANTINED_CHARS])


def test_a_long_last_line_without_an_end_is_cut(tmp_path: Path) -> None:
    text, _ = _read(tmp_path, b"x" * (MAX_LINE_BYTES * 3))
    assert text == UNREADABLE.encode() + b"x" * MAX_QUARANTINED_CHARS + b"\n"


@given(
    lines=st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=20),
    compress=st.sampled_from([bytes, gzip.compress, zstandard.ZstdCompressor().compress]),
)
def test_every_line_keeps_its_number(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], compress: object
) -> None:
    assert callable(compress)
    content = b"\n".join(lines)
    if compress is bytes and content.startswith(tuple(OPENINGS)):
        return  # a plain file that opens like one of another format is one
    text, damage = _read(tmp_path_factory.mktemp("lines"), compress(content))
    assert damage is None
    assert text.count(b"\n") == len(content.removesuffix(b"\n").split(b"\n")) * bool(content)
    text.decode("utf-8")
