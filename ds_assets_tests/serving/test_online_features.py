"""Features by user, compared with the Parquet file that they were read from."""

import gc
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from ds_assets.serving import online_features
from ds_assets.serving.online_features import OnlineFeatures
from ds_assets_tests.core.factories import make_features


def stored(frame: pd.DataFrame, folder: Path) -> Path:
    file = folder / "user_features.parquet"
    parquet.write_table(pa.Table.from_pandas(frame, preserve_index=False), file)
    return file


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    plain = frame.astype(object).where(frame.notna(), None)
    rows: list[dict[str, Any]] = plain.to_dict("records")  # type: ignore[assignment]
    return rows


def without_nan(user: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value != value else value for name, value in user.items()}  # noqa: PLR0124


@pytest.mark.parametrize("batch", [7, 16_384])
def test_every_user_is_found_with_the_values_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(online_features, "_BATCH_ROWS", batch)
    frame = make_features(300).sample(frac=1, random_state=1)
    store = OnlineFeatures(stored(frame, tmp_path))
    assert len(store) == 300
    rows = store.find(frame["user_id"])
    assert [without_nan(user) for user in rows.values()] == [
        {name: row[name] for name in user}
        for user, row in zip(rows.values(), records(frame), strict=True)
    ]
    assert all(set(user) == set(frame) for user in rows.values())


def test_users_who_are_not_there_are_left_out_and_order_and_repetition_do_not_matter(
    tmp_path: Path,
) -> None:
    store = OnlineFeatures(stored(make_features(3), tmp_path))
    ids = ["user 0000002", "", "z", "user 0000000", "\ud800", "user 0000002", "user 0000000x"]
    assert list(store.find(ids)) == ["user 0000002", "user 0000000"]
    assert store.find([]) == {}


@given(st.sets(st.text(max_size=4), max_size=30), st.text(max_size=4))
@settings(max_examples=40)
def test_any_ids_are_found_and_no_others(ids: set[str], other: str) -> None:
    frame = pd.DataFrame(
        {"user_id": pd.Series([*ids], dtype="str"), "x": np.arange(len(ids)) * 1.0}
    )
    with tempfile.TemporaryDirectory() as folder:
        store = OnlineFeatures(stored(frame, Path(folder)))
    rows = store.find([*ids, other])
    assert {name: user["x"] for name, user in rows.items()} == {
        name: place for place, name in enumerate(ids)
    }


@pytest.mark.slow
def test_the_file_may_go_once_it_is_read_and_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passing = tmp_path / "passing"
    passing.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(passing))
    file = stored(make_features(3), tmp_path)
    store = OnlineFeatures(file)
    file.unlink()
    assert set(store.find(["user 0000001"])) == {"user 0000001"}
    assert list(passing.iterdir()) == []
    opened = store._file
    del store
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened)


def test_threads_share_a_store(tmp_path: Path) -> None:
    store = OnlineFeatures(stored(make_features(300), tmp_path))
    users = [f"user {number:07d}" for number in range(300)]
    expected = {name: without_nan(user) for name, user in store.find(users).items()}
    with ThreadPoolExecutor(8) as threads:
        for rows in threads.map(store.find, [users] * 30):
            assert {name: without_nan(user) for name, user in rows.items()} == expected


@pytest.mark.parametrize("content", [b"", b"PAR1 no parquet"])
def test_a_damaged_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "user_features.parquet"
    file.write_bytes(content)
    with pytest.raises((pa.ArrowInvalid, OSError)):
        OnlineFeatures(file)


def test_a_file_without_users_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(pa.ArrowInvalid, match="the column user_id is missing"):
        OnlineFeatures(stored(pd.DataFrame({"x": [1.0]}), tmp_path))
