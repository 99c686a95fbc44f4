"""User ids of requests: what is accepted, and what the message says of the rest."""

from typing import Any

import pytest

from ds_assets.errors import InputError
from ds_assets.serving.user_ids import check_user_id, check_user_ids


@pytest.mark.parametrize("user_id", ["a", "x" * 191, "🎮" * 191, " ", "\x00"])
def test_any_text_of_1_to_191_characters_is_accepted(user_id: str) -> None:
    check_user_id(user_id)
    check_user_ids([user_id] * 1_000)


@pytest.mark.parametrize(
    ("user_ids", "complaint"),
    [
        ("abc", "must be a list; found a single text"),
        ([""], "user id 1 is ''; accepted is a text of 1 to 191 characters"),
        (["a", "x" * 192], r"user id 2 is 'x+; accepted is a text of 1 to 191 characters"),
        (["\ud800"], r"user id 1 is '\\ud800'; accepted"),
        ([7], "user id 1 is 7; accepted is a text"),
        (["a"] * 1_001, "names 1,001 user ids; accepted are up to 1,000"),
    ],
)
def test_the_first_mistake_is_named_with_what_is_accepted(user_ids: Any, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        check_user_ids(user_ids)
