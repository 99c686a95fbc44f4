"""A simulated game with more events or more users: copies of a day's logs, and of a lake.

Scope: what the points of `bench_growth` and the larger lake of `bench_training` are made of. The
ids of each copy are its own, so that no event repeats another one.
"""

import gzip
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.compute as pc
from isal import igzip
from pyarrow import parquet

from benchmarks.graph import record_days
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.tables import stored_days
from ds_assets.installation import Installation, load_installation

COPIED = ("user_activity", "user_features", "user_lifetimes", "clusters")
EVENT_IDS = "event_ids"
OF_EVENT, OF_USER = b'{"id":"e', b'{"id":"u'
"""Where the simulator writes the id of an event, and that of its user."""
COPIES_PER_FILE = 10
"""Of a day of 0.1 million events: a file has a million."""


def multiply_logs(day: Path, out: Path, times: int, marks: Sequence[bytes]) -> None:
    """Write so many copies of a day's log files, with other ids.

    Args:
        day: Folder with the files.
        out: Folder of the copies.
        times: Number of copies.
        marks: What becomes another one in each copy, `OF_EVENT` or `OF_USER`.
    """
    out.mkdir(parents=True)
    text = b"".join(gzip.decompress(file.read_bytes()) for file in sorted(day.iterdir()))
    for first in range(0, times, COPIES_PER_FILE):
        numbers = range(first, min(first + COPIES_PER_FILE, times))
        copies = b"".join(copy_lines(text, number, marks) for number in numbers)
        (out / f"events-{first:04}.jsonl.gz").write_bytes(igzip.compress(copies, 2, mtime=0))


def copy_lines(text: bytes, number: int, marks: Sequence[bytes]) -> bytes:
    """The lines with other ids: those of copy 3 begin with `03-`."""
    for mark in marks:
        text = text.replace(mark, b"%s%02d-%s" % (mark[:-1], number, mark[-1:]))
    return text


def link_folder(folder: Path, copy: Path) -> None:
    """Copy a folder without its bytes: a lake replaces its files and never changes one."""
    shutil.copytree(folder, copy, copy_function=os.link)


def multiply_event_ids(lake: Lake, copy: Lake, times: int) -> None:
    """Store in another lake so many times the event ids of each day, each of them another one."""
    _multiply(EVENT_IDS, lake, copy, times, _other_keys)


def multiply_users(installation: Installation, home: Path, times: int) -> None:
    """Make a lake in which each user of another one is there so many times, under other ids."""
    lake = installation.lake()
    settings = installation.settings
    overrides = {"home": home, "source": settings.source, "game": settings.game}
    copy = load_installation(overrides).lake()
    models = settings.lake / "models" / "clusters"
    shutil.copytree(models, home / "lake" / "models" / "clusters", dirs_exist_ok=True)
    for table in COPIED:
        _multiply(table, lake, copy, times, _other_users)
        record_days(table, list(stored_days(table, lake)), copy)


def _multiply(
    table: str, lake: Lake, copy: Lake, times: int, change: Callable[[pa.Table, int], pa.Table]
) -> None:
    """Store all days of a table in another lake, with so many changed copies of their rows."""
    for day, stored in stored_days(table, lake).items():
        rows = parquet.read_table(lake.local(stored.name), partitioning=None)
        with (
            copy.writing({day: stored.name}) as staged,
            parquet.ParquetWriter(staged[day], rows.schema, compression="zstd") as writer,
        ):
            for number in range(times):
                writer.write_table(change(rows, number))


def _other_users(rows: pa.Table, number: int) -> pa.Table:
    users = pc.binary_join_element_wise(f"{number:02d}", rows["user_id"], "-")
    return _replace(rows, "user_id", users)


def _other_keys(rows: pa.Table, number: int) -> pa.Table:
    # Keys are hashes of 63 bits, which this leaves as different from each other as they were.
    differing = Random(number).getrandbits(63) if number else 0  # noqa: S311  (no secret)
    return _replace(rows, "event_key", pc.bit_wise_xor(rows["event_key"], differing))


def _replace(rows: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    place = rows.schema.get_field_index(name)
    return rows.set_column(place, rows.schema.field(place), values)
