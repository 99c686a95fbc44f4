import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ds_assets.core.decompression import DamagedFileError
from ds_assets.core.zip_archives import (
    archive_numbers,
    is_zip,
    list_members,
    member_number,
    read_member,
)
from ds_assets_tests.core.compression import COMPRESSIONS

TEXT = b"one\ntwo\n" * 9_000
KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def make_zip(members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def _read(archive: Path) -> dict[str, bytes]:
    return {it.filename: b"".join(read_member(archive, it)) for it in list_members(archive)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_log_of_an_archive_is_read(kind: int, archive: Path) -> None:
    members = {"b.log": TEXT, "folder/a.log": b"", "_SUCCESS": b"x", "__MACOSX/._b.log": b"y"}
    archive.write_bytes(make_zip(members, kind))
    assert is_zip(archive)
    assert _read(archive) == {"b.log": TEXT, "folder/a.log": b""}


def test_a_file_that_is_written_again_is_read_again(archive: Path) -> None:
    for name in "abc":
        archive.write_bytes(make_zip({name: TEXT}))
        assert _read(archive) == {name: TEXT}


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_log_in_an_archive_may_be_compressed(name: str, archive: Path) -> None:
    archive.write_bytes(make_zip({"a": COMPRESSIONS[name](TEXT)}, zipfile.ZIP_STORED))
    assert _read(archive) == {"a": TEXT}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (make_zip({}), "the zip archive has no log in it"),
        (make_zip({"folder/": b"", ".hidden": b"x"}), "the zip archive has no log in it"),
        (make_zip({"a": TEXT})[:-30], "the zip archive is damaged: File is not a zip file"),
    ],
)
def test_an_archive_whose_logs_cannot_be_listed_is_damaged(
    content: bytes, reason: str, archive: Path
) -> None:
    archive.write_bytes(content)
    assert is_zip(archive)
    with pytest.raises(DamagedFileError) as error:
        list_members(archive)
    assert str(error.value) == reason


def _encrypted(content: bytes) -> bytes:
    """Mark the members of an archive as encrypted."""
    changed = bytearray(content)
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        changed[content.index(header) + flags] |= 1
    return bytes(changed)


def _with_method(content: bytes, method: int) -> bytes:
    changed = bytearray(content)
    for header, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        changed[content.index(header) + place] = method
    return bytes(changed)


def _flipped(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[len(content) // 2] ^= 4
    return bytes(changed)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            _encrypted(make_zip({"a": TEXT})),
            "it is encrypted; use a zip archive without a password",
        ),
        (_with_method(make_zip({"a": TEXT}), 97), "it is damaged in the zip archive: "),
        (_flipped(make_zip({"a": TEXT}, zipfile.ZIP_STORED)), "it is damaged in the zip archive: "),
        (_flipped(make_zip({"a": TEXT * 40}, zipfile.ZIP_BZIP2)), "it is damaged in the zip "),
        (make_zip({"a": make_zip({"b": TEXT})}), "the file is zip within another file; unpack it"),
    ],
)
def test_a_log_that_cannot_be_read_says_why(content: bytes, reason: str, archive: Path) -> None:
    archive.write_bytes(content)
    (member,) = list_members(archive)
    with pytest.raises(DamagedFileError) as error:
        b"".join(read_member(archive, member))
    assert str(error.value).startswith(reason)


@pytest.mark.parametrize("content", [b"", b"PK", b"PK,a\n", b"PKPK"])
def test_another_file_is_no_archive(content: bytes, archive: Path) -> None:
    archive.write_bytes(content)
    assert not is_zip(archive)


def test_the_number_of_a_member_leads_to_its_archive() -> None:
    numbers = np.array([3, member_number(3, 0), member_number(3, 1), member_number(3, 70_000)])
    assert len({*numbers[1:].tolist()}) == 3
    assert archive_numbers(numbers).tolist() == [3, 3, 3, 3]
