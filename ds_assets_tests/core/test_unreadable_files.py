import pytest

from ds_assets.core.unreadable_files import RawFileLines, estimate_lost_lines


def a_file(name: str, size: int, lines: int = 0, *, is_readable: bool = True) -> RawFileLines:
    return RawFileLines(name, size, lines, is_readable)


def test_a_file_holds_as_many_lines_as_its_bytes_among_those_of_its_kind() -> None:
    files = [
        a_file("a.gz", 1_000, 100),
        a_file("b.gz", 3_000, 300),
        a_file("c.jsonl", 9_000, 90),
        a_file("lost.GZ", 2_000, is_readable=False),
    ]
    assert estimate_lost_lines(files) == {"lost.GZ": 200}


def test_lines_that_were_read_are_not_lost() -> None:
    files = [a_file("a.gz", 1_000, 100), a_file("cut.gz", 1_000, 30, is_readable=False)]
    assert estimate_lost_lines(files) == {"cut.gz": 70}
    files = [a_file("a.gz", 1_000, 100), a_file("cut.gz", 1_000, 130, is_readable=False)]
    assert estimate_lost_lines(files) == {"cut.gz": 0}


def test_a_file_of_a_kind_of_its_own_is_compared_with_all_others() -> None:
    files = [a_file("a.gz", 1_000, 100), a_file("b.bz2", 500, is_readable=False)]
    assert estimate_lost_lines(files) == {"b.bz2": 50}


def test_a_day_without_a_readable_file_has_lost_lines_of_a_usual_length() -> None:
    assert estimate_lost_lines([a_file("b.bz2", 5_000, is_readable=False)]) == {"b.bz2": 50}


@pytest.mark.parametrize("files", [[], [a_file("a", 0)], [a_file("a", 10, 1)]])
def test_nothing_is_lost_in_readable_files(files: list[RawFileLines]) -> None:
    assert estimate_lost_lines(files) == {}


def test_empty_files_say_nothing_about_the_length_of_lines() -> None:
    files = [a_file("a.gz", 20), a_file("b.gz", 500, is_readable=False)]
    assert estimate_lost_lines(files) == {"b.gz": 5}
