import codecs
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.decompression import DamagedFileError
from ds_assets.core.raw_text import (
    MAX_LINE_BYTES,
    MAX_QUARANTINED_CHARS,
    UNREADABLE,
    clean_blocks,
    utf8,
)

UTF16 = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}


def _in_parts(content: bytes, size: int) -> Iterable[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


def _read(content: bytes, size: int = 1 << 16) -> bytes:
    return b"".join(clean_blocks(utf8(_in_parts(content, size))))


def test_a_line_that_is_not_utf8_is_marked_and_keeps_its_number() -> None:
    text = _read(b"one\ntw\xffo\nthr\xc3\xa9e")
    assert text.decode().split("\n") == ["one", f"{UNREADABLE}tw\ufffdo", "thrée", ""]


@pytest.mark.parametrize("character", [b"\0", b"\r"])
def test_a_line_with_a_character_that_readers_stumble_on_is_marked(character: bytes) -> None:
    text = _read(b"one\nt" + character + b"wo\nthree\n")
    assert text.decode() == f"one\n{UNREADABLE}t wo\nthree\n"


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_byte_order_mark_is_no_part_of_the_first_line(size: int) -> None:
    assert _read(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo", size) == b"one\n\xef\xbb\xbftwo\n"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\r\n"])
def test_line_ends_become_plain_ones(end: bytes) -> None:
    lines = [b"one", b"two", b"", b"three"]
    assert _read(end.join(lines)) == b"one\ntwo\n\nthree\n"


def test_a_line_is_marked_whatever_stands_beside_it() -> None:
    honest = f"the writer's own {UNREADABLE}, a tab\t and \x02".encode()
    assert _read(honest + b"\n") == honest + b"\n"
    assert _read(honest + b"\r\n\xff\n").startswith(honest + b"\n")


@pytest.mark.parametrize("excess", [0, 1, 3 << 20])
def test_only_a_line_above_the_limit_is_cut(excess: int) -> None:
    long = b"x" * (MAX_LINE_BYTES + excess)
    before, middle, after, _ = _read(b"before\n" + long + b"\nafter\n").split(b"\n")
    assert (before, after) == (b"before", b"after")
    assert middle == (long if not excess else UNREADABLE.encode() + long[:MAX_QUARANTINED_CHARS])


def test_a_long_last_line_without_an_end_is_cut() -> None:
    text = _read(b"x" * (MAX_LINE_BYTES * 3))
    assert text == UNREADABLE.encode() + b"x" * MAX_QUARANTINED_CHARS + b"\n"


@given(
    lines=st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=20),
    size=st.integers(1, 50),
)
def test_every_line_keeps_its_number(lines: list[bytes], size: int) -> None:
    content = b"\n".join(lines)
    if content.startswith(tuple(UTF16.values())):
        return
    text = _read(content, size)
    content = content.removeprefix(codecs.BOM_UTF8)
    assert text.count(b"\n") == len(content.removesuffix(b"\n").split(b"\n")) * bool(content)
    text.decode("utf-8")


@given(
    text=st.text(st.characters(exclude_characters="\r\0", codec="utf-8"), min_size=1),
    encoding=st.sampled_from([*UTF16]),
    size=st.integers(1, 50),
)
def test_utf16_is_the_same_text(text: str, encoding: str, size: int) -> None:
    content = UTF16[encoding] + text.encode(encoding)
    assert _read(content, size) == text.removesuffix("\n").encode() + b"\n"


def test_a_line_of_utf16_that_is_no_text_is_marked() -> None:
    content = "\ufeffone\nt\ud800wo\nthree\n".encode("utf-16-le", "surrogatepass")
    first, second, third, _ = _read(content).decode().split("\n")
    assert (first, second[0], third) == ("one", UNREADABLE, "three")


def test_utf16_that_ends_within_a_character_is_damaged_after_its_lines() -> None:
    blocks = clean_blocks(utf8(_in_parts("\ufeffone\ntwo\n€".encode("utf-16-be")[:-1], 7)))
    lines: list[bytes] = []
    with pytest.raises(DamagedFileError, match="it ends within a character"):
        lines.extend(blocks)
    assert b"".join(lines) == b"one\ntwo\n"
