"""The features of a stored day by user: found in microseconds, and not held in memory.

A Parquet file is read by column, and a user is a row. So its rows are laid out once, one after the
other, in a file without a name, which is gone with the store.

Belongs here: the layout, and finding users in it. Does not belong here: which day is laid out.
"""

import os
import struct
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import parquet

from ds_assets.core.encoding import USER_ID

_BATCH_ROWS = 4_096
"""Bounds memory to some 2 MB at 70 features, and is large enough that batches cost nothing."""


class OnlineStore:
    """Features of users by user id. Threads may share it.

    Args:
        file: A stored day of `user_features`; it may change or go once this is made.

    Raises:
        pyarrow.ArrowInvalid: the file is damaged, or holds no users.
    """

    def __init__(self, file: Path) -> None:
        with parquet.ParquetFile(file) as stored:
            schema = stored.schema_arrow
            if USER_ID not in schema.names:
                raise pa.ArrowInvalid(f"it has no column {USER_ID}")
            texts = [one.name for one in schema if _is_text(one) and one.name != USER_ID]
            self._numbers = [name for name in schema.names if name not in {USER_ID, *texts}]
            self._texts = {name: _encoded(stored, name) for name in texts}
            users = stored.read([USER_ID], use_threads=False)[USER_ID].combine_chunks()
            self._rows: NDArray[np.uint64] = pc.sort_indices(users).to_numpy()
            self._users = users.take(pa.array(self._rows))
            self._file = _laid_out(_matrices(stored, self._numbers))
        pa.default_memory_pool().release_unused()  # several times what is kept
        self._row = struct.Struct(f"={len(self._numbers)}d")
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return len(self._users)

    def find(self, user_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """User id and features of those users who are there, as `OnlineScorer` reads them."""
        places = {user_id: self._place(user_id) for user_id in user_ids}
        return {
            user_id: self._user(user_id, place)
            for user_id, place in places.items()
            if place is not None
        }

    def _place(self, user_id: str) -> int | None:
        """Row of a user, by halving: users stand in the order of their ids."""
        low, high = 0, len(self._users)
        while low < high:
            middle = (low + high) // 2
            if self._users[middle].as_py() < user_id:
                low = middle + 1
            else:
                high = middle
        is_there = low < len(self._users) and self._users[low].as_py() == user_id
        return int(self._rows[low]) if is_there else None

    def _user(self, user_id: str, row: int) -> dict[str, Any]:
        content = os.pread(self._file, self._row.size, row * self._row.size)
        user: dict[str, Any] = dict(zip(self._numbers, self._row.unpack(content), strict=True))
        user[USER_ID] = user_id
        for name, values in self._texts.items():
            user[name] = values[row].as_py()
        return user


def _is_text(field: pa.Field) -> bool:
    return bool(pa.types.is_string(field.type) or pa.types.is_large_string(field.type))


# One thread: several would hold as many batches, and it takes no longer with one.


def _encoded(stored: parquet.ParquetFile, name: str) -> pa.DictionaryArray:
    """A column of texts, each text once."""
    return stored.read([name], use_threads=False)[name].combine_chunks().dictionary_encode()


def _matrices(stored: parquet.ParquetFile, names: Sequence[str]) -> Iterator[NDArray[np.float64]]:
    """Numbers by row, some rows at a time; NaN where one is missing."""
    for batch in stored.iter_batches(_BATCH_ROWS, columns=names, use_threads=False):
        matrix = np.empty((batch.num_rows, len(names)))
        for place, name in enumerate(names):
            matrix[:, place] = batch[name].to_numpy(zero_copy_only=False)
        yield matrix


def _laid_out(matrices: Iterable[NDArray[np.float64]]) -> int:
    """A file of the rows, one after the other, that nobody else can open."""
    with tempfile.TemporaryFile(prefix="ds_assets_") as file:
        for matrix in matrices:
            file.write(matrix.data)
        file.flush()
        return os.dup(file.fileno())
