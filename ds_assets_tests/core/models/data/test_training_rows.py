from dataclasses import replace

import numpy as np
import pytest

from ds_assets.core.encoding import encode
from ds_assets.core.models.data.training_rows import (
    complete_windows,
    encoding_of,
    groups_of,
    rows_of,
)
from ds_assets.errors import InputError
from ds_assets_tests.core.factories import FIRST_DAY, make_snapshot, make_snapshots


def test_rows_are_those_of_the_snapshots_one_after_the_other() -> None:
    snapshots = make_snapshots(3, users=20, groups="country", pays=True)
    encoding = encoding_of(snapshots)
    rows = rows_of(snapshots, encoding)
    assert rows.matrix.shape == (60, len(encoding.features))
    np.testing.assert_array_equal(rows.matrix[20:40], encode(snapshots[1].features, encoding))
    np.testing.assert_array_equal(rows.labels[20:40], snapshots[1].labels)
    np.testing.assert_array_equal(rows.groups[20:40], groups_of(snapshots[1]))
    assert rows.spend is not None
    assert snapshots[1].spend is not None
    np.testing.assert_array_equal(rows.spend[20:40], snapshots[1].spend)


def test_users_without_a_group_have_an_empty_text() -> None:
    assert set(groups_of(make_snapshot(FIRST_DAY, 50, groups="country"))) == {
        "",
        "country=KR",
        "country=US",
        "country=DE",
    }
    assert set(groups_of(make_snapshot(FIRST_DAY, 50))) == {""}


def test_rows_of_a_group_are_those_of_its_users() -> None:
    snapshot = make_snapshot(FIRST_DAY, 100, groups="country", pays=True)
    rows = rows_of([snapshot], encoding_of([snapshot]))
    own = rows.of_group("country=US")
    of_group = (snapshot.features["last_country"] == "US").to_numpy()
    np.testing.assert_array_equal(own.matrix, rows.matrix[of_group])
    np.testing.assert_array_equal(own.labels, rows.labels[of_group])
    assert set(own.groups) == {"country=US"}
    assert own.spend is not None
    assert len(own.spend) == of_group.sum()


def test_without_spend_in_one_snapshot_there_is_none() -> None:
    snapshots = make_snapshots(2, users=20, pays=True)
    encoding = encoding_of(snapshots)
    rows = rows_of([snapshots[0], replace(snapshots[1], spend=None)], encoding)
    assert rows.spend is None
    assert rows.chosen(np.ones(40, dtype=bool)).spend is None


def test_snapshots_with_other_columns_are_refused_by_name() -> None:
    earlier, later = make_snapshots(2, users=20)
    lacking = replace(later, features=later.features.drop(columns="spend_7d"))
    with pytest.raises(InputError, match="spend_7d: missing"):
        encoding_of([earlier, lacking])


def test_a_row_has_a_complete_window_where_its_snapshot_has() -> None:
    young, old = make_snapshots(2, users=3)
    young = replace(young, filling=frozenset({"spend_28d"}))
    ((name, rows),) = complete_windows([young, old]).items()
    assert name == "spend_28d"
    assert rows.tolist() == [False] * 3 + [True] * 3
    assert complete_windows([old]) == {}
