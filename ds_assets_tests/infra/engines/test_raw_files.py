import datetime as dt
from pathlib import Path

from ds_assets.core.zip_archives import member_number
from ds_assets.infra.engines.raw_files import DamagedArchive, RawFile, RawLines, number_files
from ds_assets_tests.core.test_zip_archives import make_zip

DAY = dt.date(2026, 3, 10)


def test_the_logs_of_an_archive_stand_in_its_place(tmp_path: Path) -> None:
    contents = {"a.log": b"1\n", "b.zip": make_zip({"x/y": b"2\n", "z": b"3\n"}), "c": make_zip({})}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    lines = RawLines(DAY, "lines", ["4"])
    files = [RawFile(DAY, name, tmp_path / name) for name in contents]
    numbered = number_files([lines, *files], start=5)
    first, second = member_number(7, 0), member_number(7, 1)
    assert {number: file.name for number, file in numbered.items()} == {
        5: "lines",
        6: "a.log",
        first: "b.zip/x/y",
        second: "b.zip/z",
        8: "c",
    }
    assert [b"".join(numbered[n].content()) for n in (5, 6, first, second)] == [
        b"4\n",
        b"1\n",
        b"2\n",
        b"3\n",
    ]
    assert numbered[8] == DamagedArchive(DAY, "c", "the zip archive has no log in it")
