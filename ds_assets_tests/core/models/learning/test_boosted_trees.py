"""Boosted trees: missing values, threads, and what LightGBM needs."""

import sys
from pathlib import Path
from typing import Literal

import joblib
import numpy as np
import pytest

from ds_assets.core.models.learning import boosted_trees
from ds_assets.core.models.learning.boosted_trees import FEW_ROWS, fit_trees
from ds_assets.core.models.learning.onnx_export import as_onnx
from ds_assets.errors import InputError
from ds_assets_tests.core.models.tree_factories import make_matrix, make_trees


def test_a_missing_value_where_none_was_missing_counts_as_the_median() -> None:
    trees, unseen = make_trees(), make_matrix(200, 10)
    median = np.quantile(make_matrix(1_000)[:, 0], 0.5, method="lower")
    filled = unseen.copy()
    unseen[:, 0], filled[:, 0] = np.nan, median
    np.testing.assert_array_equal(trees.sums(unseen), trees.sums(filled))
    at_zero = filled.copy()
    at_zero[:, 0] = 100.0
    assert (trees.sums(at_zero) != trees.sums(filled)).any()


def test_what_a_missing_value_means_is_learnt_where_some_are_missing() -> None:
    matrix = make_matrix(1_000)
    labels = np.isnan(matrix[:, 5])
    trees = fit_trees("binary", matrix, labels, {"num_iterations": 20}, seed=0)
    assert trees.sums(matrix)[labels].min() > 1
    assert trees.sums(matrix)[~labels].max() < -1


def test_rows_stay_as_they_are_when_missing_values_are_replaced() -> None:
    trees, unseen = make_trees(), make_matrix(50, 10)
    unseen[:, 0] = np.nan
    before = unseen.copy()
    trees.sums(unseen)
    np.testing.assert_array_equal(unseen, before)


@pytest.mark.parametrize("objective", ["binary", "regression"])
def test_trees_without_a_split_say_the_mean(objective: Literal["binary", "regression"]) -> None:
    matrix = np.ones((100, 3), dtype=np.float32)
    trees = fit_trees(objective, matrix, np.arange(100) < 30, {"num_iterations": 5}, seed=0)
    expected = np.log(0.3 / 0.7) if objective == "binary" else 0.3
    np.testing.assert_allclose(trees.sums(make_matrix(5)[:, :3]), expected)


@pytest.mark.parametrize("objective", ["binary", "regression"])
def test_the_number_of_threads_does_not_matter(
    objective: Literal["binary", "regression"], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = as_onnx(make_trees(objective=objective, rows=5_000))
    monkeypatch.setattr(boosted_trees, "_threads", lambda _: 3)
    assert as_onnx(make_trees(objective=objective, rows=5_000)) == alone


def test_few_rows_get_one_thread_and_many_as_many_as_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(joblib, "cpu_count", lambda: 7)
    threads = [boosted_trees._threads(rows) for rows in (1, FEW_ROWS - 1, FEW_ROWS)]
    assert threads == [1, 1, 7]


def test_without_openmp_the_error_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    message = "libgomp.so.1: cannot open shared object file"
    (tmp_path / "lightgbm.py").write_text(f"raise OSError({message!r})")
    monkeypatch.delitem(sys.modules, "lightgbm", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=f"cannot be loaded: {message}.*libgomp1 on Debian"):
        make_trees(rows=100)
