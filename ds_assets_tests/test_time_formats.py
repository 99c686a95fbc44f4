import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.time_formats import DIRECTIVES, TICKS_PER_SECOND, read_time_format


@pytest.mark.parametrize(
    "text",
    [
        *("iso8601", *TICKS_PER_SECOND),
        *("%m/%d/%Y %I:%M:%S %p", "%Y-%m-%d", "%y%j", "%d %b %Y %H:%M:%S.%f %z", "100%% %Y %B %d"),
    ],
)
def test_a_name_or_a_format_with_a_date_is_accepted(text: str) -> None:
    assert read_time_format(text) == text


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("iso", "use iso8601, epoch_seconds, "),
        ("", "use iso8601, "),
        ("%s", "%s is not supported; use %a %A "),
        ("%Y-%m-%d %", "% is not supported"),
        ("%Y-%m-%d %Y", "%Y is there twice"),
        ("%H:%M", "it must have a date"),
        ("%m/%d", "it must have a date"),
        ("%Y-%m", "it must have a date"),
        ("%Y-%m-%d %I:%M", "%I, the hour from 1 to 12, and %p"),
        ("%Y-%m-%d %H:%M %p", "%I, the hour from 1 to 12, and %p"),
    ],
)
def test_a_format_that_says_no_time_is_refused(text: str, mistake: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(mistake)}"):
        read_time_format(text)


@given(st.text(alphabet=f"%{DIRECTIVES}Qs 1"))
def test_a_format_is_accepted_as_it_is_or_refused_with_a_sentence(text: str) -> None:
    try:
        accepted = read_time_format(text)
    except ValueError as error:
        accepted = ""
        assert " " in str(error)  # noqa: PT017  (texts of both outcomes are compared)
    assert accepted in {text, ""}
