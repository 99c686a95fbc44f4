"""A prediction as JSON: whatever a row holds, the JSON says the same, and can be told apart."""

import datetime as dt
import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.prediction_json import (
    COLUMNS,
    NOTHING,
    has_probability,
    last_seen,
    members,
    members_of,
)
from ds_assets.core.tables import PREDICTIONS
from ds_assets_tests.infra.factories import row, table, told

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXTS,
    "json": JSON.map(lambda value: json.dumps(value, ensure_ascii=False)),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "real": st.floats(),
    "date": st.dates(),
}


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """Any row that the contract allows."""
    return {
        column.name: draw(
            st.none() | VALUES[column.type] if column.nullable else VALUES[column.type]
        )
        for column in PREDICTIONS.columns
    }


def says(given_row: dict[str, Any]) -> dict[str, Any]:
    """What the JSON of a row must say: a real that JSON cannot hold is missing."""
    expected = {column.name: given_row[column.name] for column in COLUMNS}
    for column in COLUMNS:
        value = expected[column.name]
        if column.type == "real" and value is not None and not math.isfinite(value):
            expected[column.name] = None
        if column.type == "date" and value is not None:
            expected[column.name] = value.isoformat()
        if column.type == "json" and value is not None:
            expected[column.name] = json.loads(value)
    return expected


@given(many=st.lists(rows(), max_size=4))
def test_the_json_of_a_row_says_what_the_row_says_in_the_order_of_the_columns(
    many: list[dict[str, Any]],
) -> None:
    found = [
        json.loads(b"{" + one) for batch in table(*many).to_batches() for one in members(batch)
    ]
    assert found == [says(one) for one in many]
    assert all(list(one) == [column.name for column in COLUMNS] for one in found)


@given(one=rows())
def test_a_single_row_of_plain_values_says_the_same(one: dict[str, Any]) -> None:
    found = json.loads(b"{" + members_of(one))
    assert found == says(one)
    assert list(found) == [column.name for column in COLUMNS]


@given(one=rows())
def test_whether_there_is_a_probability_and_when_the_user_was_seen_can_be_told(
    one: dict[str, Any],
) -> None:
    (found,) = members(table(one).to_batches()[0])
    said = says(one)
    probabilities = (said["churn_probability"], said["payment_probability"])
    assert has_probability(found) is (probabilities != (None, None))
    assert last_seen(found) == one["last_seen"]
    assert has_probability(members_of(one)) is has_probability(found)
    assert last_seen(members_of(one)) == one["last_seen"]


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_a_real_comes_back_to_its_last_bit(number: float) -> None:
    (found,) = members(table(row("a", expected_spend=number)).to_batches()[0])
    assert json.loads(b"{" + found)["expected_spend"] == number


def test_a_part_of_a_batch_is_told_as_itself() -> None:
    whole = table(*(row(f"u{n}", cluster=n, cluster_name=f"c{n}") for n in range(5)))
    (batch,) = whole.to_batches()
    assert members(batch.slice(3, 2)) == members(batch)[3:]
    assert members(batch.slice(0, 0)) == []


def test_of_nobody_nothing_is_said() -> None:
    assert told(NOTHING) == dict.fromkeys(PREDICTIONS.names[1:])
    assert not has_probability(NOTHING)
    assert last_seen(NOTHING) is None


def test_a_reason_that_speaks_of_the_last_visit_is_not_taken_for_it() -> None:
    one = row("a", last_seen=None, churn_reasons='[{"last_seen":"2026-01-01"}]')
    (found,) = members(table(one).to_batches()[0])
    assert last_seen(found) is None
    assert last_seen(members(table(row("a", dt.date(2026, 3, 1))).to_batches()[0])[0]) is not None
