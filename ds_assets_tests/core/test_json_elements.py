import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.decompression import DamagedFileError
from ds_assets.core.json_elements import json_lines
from ds_assets.core.raw_text import MAX_LINE_BYTES

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from('[]{},"\\'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=4)


def read(content: bytes, size: int = 1 << 16) -> tuple[list[bytes], str | None]:
    """Return the lines, and the damage."""
    blocks: list[bytes] = []
    damage = None
    try:
        blocks += json_lines(content[at : at + size] for at in range(0, len(content), size))
    except DamagedFileError as error:
        damage = str(error)
    return b"".join(blocks).splitlines(), damage


@given(
    values=st.lists(OBJECTS | VALUES, max_size=8),
    indent=st.none() | st.integers(0, 3),
    ascii_only=st.booleans(),
    size=st.integers(1, 40),
)
def test_the_elements_of_an_array_are_lines(
    values: Sequence[object], indent: int | None, ascii_only: bool, size: int
) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only)
    lines, damage = read(text.encode(), size)
    assert damage is None
    assert [json.loads(line) for line in lines] == values


@given(
    values=st.lists(OBJECTS, max_size=8),
    indent=st.none() | st.integers(0, 3),
    between=st.sampled_from(["", " ", "\n", "\r\n\r\n", ",\n"]),
    size=st.integers(1, 40),
)
def test_objects_that_follow_each_other_are_lines(
    values: Sequence[object], indent: int | None, between: str, size: int
) -> None:
    text = between.join(json.dumps(value, indent=indent) for value in values)
    lines, damage = read(text.encode(), size)
    assert damage is None
    assert [json.loads(line) for line in lines] == values


@given(values=st.lists(OBJECTS, min_size=1, max_size=5), share=st.floats(0, 1, exclude_max=True))
def test_wherever_an_array_is_cut_the_elements_before_are_read(
    values: Sequence[object], share: float
) -> None:
    text = json.dumps(values)
    lines, damage = read(text[: int(len(text) * share)].encode())
    assert [json.loads(line) for line in lines] == list(values)[: len(lines)]
    assert (damage is None) == (int(len(text) * share) == 0)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b" \n", []),
        (b"[]", []),
        (b"[1][2] 3", [b"1", b"2", b"3"]),
        (b'[[1],\n{"a":\n[]}]', [b"[1]", b'{"a": []}']),
        (b'{"a":1}{"b":\r\n2}', [b'{"a":1}', b'{"b":  2}']),
        (b'{"a":"\n"}', [b'{"a":" "}']),
        (b'{"a":"\xff"}', [b'{"a":"\xff"}']),
        (b'{"n":' + b"9" * 5_000 + b"}", [b'{"n":' + b"9" * 5_000 + b"}"]),
    ],
)
def test_every_form_of_elements(content: bytes, lines: list[bytes]) -> None:
    assert read(content, 3) == (lines, None)


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        (b'{"a": }, {"c": 3}]', "element 2 is broken: Expecting value"),
        (b'{"b": 2', "element 2 is broken: Expecting ',' delimiter"),
        (b'{"b": 2}', "its array is not closed"),
        (b'{"b": 2}] ]', "element 3 is broken"),
        (b"[" * 100_000, "element 2 is broken: maximum recursion depth exceeded"),
        (b'"' + b"x" * (2 * MAX_LINE_BYTES) + b'"]', "element 2 is longer than 1 MiB, or broken"),
    ],
)
def test_a_broken_element_ends_the_file_and_keeps_those_before(rest: bytes, reason: str) -> None:
    lines, damage = read(b'[{"a": 1}, ' + rest)
    assert lines[0] == b'{"a": 1}'
    assert str(damage).startswith(f"the file is damaged: {reason}")
