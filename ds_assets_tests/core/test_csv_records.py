import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ds_assets.core.csv_records import Record, read_records
from ds_assets.core.decompression import DamagedFileError
from ds_assets.core.raw_text import MAX_LINE_BYTES, UNREADABLE
from ds_assets.game import Csv

CHARACTERS = st.characters(exclude_characters="\r\0", codec="utf-8")
MARKS = st.sampled_from([",", ";", "\t", "|", "'", '"', "^", "]", "\\", "-", "\x01", "é"])


def read(content: bytes, form: Csv | None = None, size: int = 1 << 16) -> list[Record]:
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    return list(read_records(parts, form or Csv()))


def read_to_damage(content: bytes) -> tuple[list[Record], str | None]:
    records: list[Record] = []
    try:
        records += read_records([content], Csv())
    except DamagedFileError as error:
        return records, str(error)
    return records, None


@given(
    rows=st.lists(
        st.lists(st.text(CHARACTERS | st.sampled_from('",;\t\n'), max_size=6), min_size=1),
        max_size=8,
    ),
    delimiter=MARKS,
    quote=MARKS,
    always_quoted=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
    size=st.integers(1, 40),
)
def test_rows_that_the_csv_module_writes_are_read_back(
    rows: list[list[str]], delimiter: str, quote: str, always_quoted: bool, end: str, size: int
) -> None:
    assume(delimiter != quote)
    file = io.StringIO()
    csv.writer(
        file,
        delimiter=delimiter,
        quotechar=quote,
        lineterminator=end,
        quoting=csv.QUOTE_ALL if always_quoted else csv.QUOTE_MINIMAL,
    ).writerows(rows)
    form = Csv(delimiter=delimiter, quote=quote)
    assume(not any(row[0][:1] == UNREADABLE for row in rows))
    records = read(file.getvalue().encode(), form, size)
    assert [values for _, _, values in records] == rows
    assert "".join(text for _, text, _ in records) == file.getvalue().replace("\r\n", "\n")


@given(
    rows=st.lists(
        st.lists(st.text(CHARACTERS.filter(lambda c: c not in "\n\t"), max_size=6), min_size=2),
        max_size=8,
    )
)
def test_values_without_quotes_are_read_as_they_stand(rows: list[list[str]]) -> None:
    assume(not any(row[0].startswith(UNREADABLE) for row in rows))
    content = "".join("\t".join(row) + "\n" for row in rows).encode()
    assume(not content.startswith((b"\xef\xbb\xbf",)))
    records = read(content, Csv(delimiter="\t", quote=""))
    assert [values for _, _, values in records] == rows


def test_the_number_of_a_record_is_that_of_its_first_line() -> None:
    records = read(b'a,b\n"1\n\n2",x\n\nc,d\n"3\n",y')
    assert [(number, values) for number, _, values in records] == [
        (1, ["a", "b"]),
        (2, ["1\n\n2", "x"]),
        (5, []),
        (6, ["c", "d"]),
        (7, ["3\n", "y"]),
    ]


@pytest.mark.parametrize(
    "line",
    [b'a,K"R', b'a,"K"R', b'"K" ,a', b' "K",a', b'K",a', b'a,K"', b'a,""K', b'"a""b,c"d,e'],
)
def test_a_quote_out_of_place_takes_the_values_of_its_line_alone(line: bytes) -> None:
    records = read(b"x,y\n" + line + b"\nx,y\n")
    assert records == [
        (1, "x,y\n", ["x", "y"]),
        (2, f"{line.decode()}\n", None),
        (3, "x,y\n", ["x", "y"]),
    ]


def test_lines_that_a_quote_out_of_place_took_in_are_counted_each() -> None:
    records = read(b'a,"cut off\nb,c\nd,"e"\nf,g\n')
    assert [(number, values) for number, _, values in records] == [
        (1, None),
        (2, None),
        (3, None),
        (4, ["f", "g"]),
    ]


@pytest.mark.parametrize(
    ("rest", "until"), [(b"x,y\n" * 9, "to the end"), (b"x,y\n" * 300_000, "within 1 MiB")]
)
def test_a_quote_that_is_not_closed_ends_the_file_before_its_record(
    rest: bytes, until: str
) -> None:
    records, damage = read_to_damage(b"a,b\n" + b'c,"d\n' + rest)
    assert records == [(1, "a,b\n", ["a", "b"])]
    assert damage == f"the file is damaged: a quote in line 2 is not closed {until}"


def test_a_file_that_breaks_off_within_quotes_gives_no_record_of_what_they_hold() -> None:
    def content() -> Iterator[bytes]:
        yield b'a,"b\nvictim,purchase\n'
        raise DamagedFileError("cut")

    records = read_records(content(), Csv())
    with pytest.raises(DamagedFileError, match="cut"):
        next(records)


@pytest.mark.parametrize(
    "record",
    [b'\xff,"a\nb"', b'"a\n\0",b', b'x,"a\nb\rc"', b"a\rb,c", b"a," + b"x" * MAX_LINE_BYTES],
)
def test_a_record_that_is_no_text_is_marked_and_has_no_values(record: bytes) -> None:
    records = read(b"x,y\n" + record + b"\nx,y\n")
    assert len(records) == 3
    assert records[1][1].startswith(UNREADABLE)
    assert records[1][2] is None
    assert records[2] == (3 + record.count(b"\n"), "x,y\n", ["x", "y"])


@example(value="x" * (MAX_LINE_BYTES - 10))
@given(value=st.just("x" * 200_000))
def test_a_value_may_be_nearly_as_long_as_a_record(value: str) -> None:
    assert [values for _, _, values in read(f'a,"{value}"\n'.encode())] == [["a", value]]
