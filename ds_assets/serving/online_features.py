"""An online store of a day's features: lookups by user in microseconds, without a copy in memory.

Parquet is stored by column, and a lookup needs a row. So the rows are written once, one after the
other, to an unnamed temporary file, which disappears with the store.

Scope: the layout and the lookup. Which day is loaded is decided in `live_model.py`.
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
"""Bounds memory to about 2 MB at 70 features; larger batches are no faster."""


class OnlineFeatures:
    """Features by user id. Threads can share it.

    Args:
        file: A stored day of `user_features`; it is not needed afterwards.

    Raises:
        pyarrow.ArrowInvalid: the file is damaged, or has no user ids.
    """

    def __init__(self, file: Path) -> None:
        with parquet.ParquetFile(file) as stored:
            schema = stored.schema_arrow
            if USER_ID not in schema.names:
                raise pa.ArrowInvalid(f"the column {USER_ID} is missing")
            text_fields = [field for field in schema if _is_text(field)]
            texts = [field.name for field in text_fields if field.name != USER_ID]
            self._numbers = [name for name in schema.names if name not in {USER_ID, *texts}]
            self._texts = {name: _read_texts(stored, name) for name in texts}
            users = stored.read([USER_ID], use_threads=False)[USER_ID].combine_chunks()
            self._rows: NDArray[np.uint64] = pc.sort_indices(users).to_numpy()
            self._users = users.take(pa.array(self._rows))
            self._file = _write_rows(_read_matrices(stored, self._numbers))
        pa.default_memory_pool().release_unused()  # reading took several times what is kept
        self._row = struct.Struct(f"={len(self._numbers)}d")
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return len(self._users)

    def find(self, user_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Find the features of those users that are stored, as `OnlineScorer` reads them."""
        rows = {user_id: self._find_row(user_id) for user_id in user_ids}
        return {
            user_id: self._read_user(user_id, row)
            for user_id, row in rows.items()
            if row is not None
        }

    def _find_row(self, user_id: str) -> int | None:
        """Find the row of a user by binary search in the sorted ids."""
        low, high = 0, len(self._users)
        while low < high:
            middle = (low + high) // 2
            if self._users[middle].as_py() < user_id:
                low = middle + 1
            else:
                high = middle
        is_stored = low < len(self._users) and self._users[low].as_py() == user_id
        return int(self._rows[low]) if is_stored else None

    def _read_user(self, user_id: str, row: int) -> dict[str, Any]:
        content = os.pread(self._file, self._row.size, row * self._row.size)
        user: dict[str, Any] = dict(zip(self._numbers, self._row.unpack(content), strict=True))
        user[USER_ID] = user_id
        for name, values in self._texts.items():
            user[name] = values[row].as_py()
        return user


def _is_text(field: pa.Field) -> bool:
    return bool(pa.types.is_string(field.type) or pa.types.is_large_string(field.type))


def _read_texts(stored: parquet.ParquetFile, name: str) -> pa.DictionaryArray:
    """Read a column of texts, dictionary-encoded.

    Reading with several threads would hold as many batches in memory, and is no faster.
    """
    return stored.read([name], use_threads=False)[name].combine_chunks().dictionary_encode()


def _read_matrices(
    stored: parquet.ParquetFile, names: Sequence[str]
) -> Iterator[NDArray[np.float64]]:
    """Read numbers by row, in batches of shape (rows, columns); NaN if missing."""
    for batch in stored.iter_batches(_BATCH_ROWS, columns=names, use_threads=False):
        matrix = np.empty((batch.num_rows, len(names)))
        for position, name in enumerate(names):
            matrix[:, position] = batch[name].to_numpy(zero_copy_only=False)
        yield matrix


def _write_rows(matrices: Iterable[NDArray[np.float64]]) -> int:
    """Write rows one after the other to an unnamed file, and return its descriptor."""
    with tempfile.TemporaryFile(prefix="ds_assets_") as file:
        for matrix in matrices:
            file.write(matrix.data)
        file.flush()
        return os.dup(file.fileno())
