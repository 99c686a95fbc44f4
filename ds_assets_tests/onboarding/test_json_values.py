"""JSON is parsed, and anything else is nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.onboarding.json_values import parse_json


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_of_every_alphabet_is_kept(text: str) -> None:
    assert parse_json(json.dumps(text)) == text
    assert parse_json(json.dumps(text).encode()) == text


@pytest.mark.parametrize("text", ["", "{", '"\\ud800"', '{"\\uDC00": 1}', "[" * 100_000])
def test_what_cannot_be_read_is_nothing(text: str) -> None:
    assert parse_json(text) is None
    assert parse_json(text.encode()) is None
