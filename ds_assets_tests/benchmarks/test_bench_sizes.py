"""Bytes per row of logs and tables."""

from pathlib import Path

import pytest
from pyarrow import parquet

from benchmarks import bench_sizes
from benchmarks.bench_growth import simulate_game
from benchmarks.bench_sizes import (
    COPIES,
    MYSQL,
    RAW_LOGS,
    TABLES,
    copy_users,
    measure_mysql,
    size_rows,
)
from benchmarks.make_predictions import predictions
from benchmarks.measuring import Circumstances

QUICK = Circumstances(repetitions=1, logs=Path(), scratch=Path(), quick=True)


def test_copies_of_predictions_have_users_of_their_own() -> None:
    rows = predictions(20)
    copied = copy_users(rows)
    assert len(set(copied["user_id"].to_pylist())) == COPIES * 20
    assert copied.schema == rows.schema
    assert copied["as_of"].unique() == rows["as_of"].unique()


@pytest.mark.server
def test_a_delivered_row_takes_more_than_its_probabilities(tmp_path: Path) -> None:
    file = tmp_path / "predictions.parquet"
    parquet.write_table(predictions(1_000), file)
    assert 100 < measure_mysql(file, tmp_path / "mysql") < 2_000


@pytest.mark.slow
def test_each_table_of_a_day_has_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_sizes, "measure_mysql", lambda *_: 500.0)
    game = simulate_game(tmp_path, 4_000, 40, QUICK)
    sizes = {row.name.partition(":")[0]: row.value or 0 for row in size_rows(game)}
    assert set(sizes) == {RAW_LOGS, *TABLES, MYSQL}
    assert all(1 < size < 5_000 for size in sizes.values())
