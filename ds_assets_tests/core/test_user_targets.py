"""A user's predictions for a game's own targets, beside those of the built-in ones."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.tables import TARGET_PREDICTIONS
from ds_assets.core.user_targets import TARGETS, join_targets
from ds_assets_tests.infra.factories import DAYS, row, table, target


def target_table(*rows: tuple[str, dict[str, Any]]) -> pa.Table:
    """Rows of the long table: a user, and what is predicted of that user."""
    records = [{"as_of": DAYS[0], "user_id": user_id, **own} for user_id, own in rows]
    return pa.Table.from_pylist(records, schema=TARGET_PREDICTIONS.arrow_schema)


@given(
    users=st.dictionaries(st.text("aü🎮", min_size=1, max_size=3), st.sets(st.sampled_from("xyz"))),
    size=st.integers(1, 5),
    target_size=st.integers(1, 5),
)
def test_each_user_has_the_rows_of_that_user_however_tables_are_cut_into_batches(
    users: dict[str, set[str]], size: int, target_size: int
) -> None:
    own = {user: [target(name) for name in sorted(users[user])] for user in sorted(users)}
    rows = target_table(*((user, target) for user, targets in own.items() for target in targets))
    batches = join_targets(table(*map(row, own)).to_batches(size), rows.to_batches(target_size))
    joined_rows = [row for batch in batches for row in batch.to_pylist()]
    assert {row["user_id"]: row.pop(TARGETS, []) for row in joined_rows} == own
    assert joined_rows == [row(user) for user in own]


@pytest.mark.parametrize("stranger", ["a", "c", "z"])
def test_a_row_of_a_user_without_a_prediction_is_refused(stranger: str) -> None:
    predictions = table(row("b"), row("d")).to_batches()
    rows = target_table((stranger, target("level"))).to_batches()
    with pytest.raises(ValueError, match=f"rows of the user '{stranger}', who is not among"):
        list(join_targets(predictions, rows))
