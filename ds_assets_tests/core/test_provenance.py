"""Records of what a stored day was made from, and their names."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.provenance import (
    Provenance,
    Summary,
    fingerprint,
    fingerprint_of_inputs,
    summary_of,
)

DAY = dt.date(2026, 1, 31)
INPUTS = st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=5)


@given(INPUTS)
def test_the_name_of_a_record_says_its_day_content_and_inputs(inputs: dict[str, str]) -> None:
    record = Provenance(asset="clusters", day=DAY, content="abc", inputs=inputs)
    assert summary_of(record.name) == Summary(DAY, "abc", fingerprint_of_inputs(inputs))


@given(st.text())
def test_any_other_name_is_no_record(name: str) -> None:
    assert summary_of(name) is None


@given(INPUTS, INPUTS)
def test_inputs_have_the_same_fingerprint_only_if_they_are_the_same(
    inputs: dict[str, str], other: dict[str, str]
) -> None:
    assert (fingerprint_of_inputs(inputs) == fingerprint_of_inputs(other)) is (inputs == other)


def test_the_order_of_inputs_does_not_matter() -> None:
    assert fingerprint_of_inputs({"a": "1", "b": "2"}) == fingerprint_of_inputs(
        {"b": "2", "a": "1"}
    )


def test_texts_that_are_divided_otherwise_have_another_fingerprint() -> None:
    assert fingerprint(["ab", "c"]) != fingerprint(["a", "bc"])


def test_a_record_says_by_which_version_it_was_made() -> None:
    assert Provenance(asset="clusters", day=DAY, inputs={}).package
