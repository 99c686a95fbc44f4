import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.user_ids import BLANKS, normalize_user_id


@pytest.mark.parametrize("written", ["123", "123.0", "123.00", "1.23e2", "1.23E+02", " 123.0 "])
def test_a_whole_number_has_one_form(written: str) -> None:
    assert normalize_user_id(written) == "123"


@pytest.mark.parametrize(
    "user_id",
    ["0123", "1e2", "12e3", "+5.0", "1.5", "1.25e1", "9" * 15 + "9.0", "1.5e300", "1.0e999", "a.0"],
)
def test_what_is_no_whole_number_or_too_long_for_a_float_is_kept(user_id: str) -> None:
    assert normalize_user_id(user_id) == user_id


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_every_number_of_up_to_15_digits_has_the_form_of_an_integer(number: int) -> None:
    assert normalize_user_id(str(number)) == str(number)
    assert normalize_user_id(f"{number}.0") == str(number)


@given(st.text())
def test_the_form_of_a_form_is_itself(text: str) -> None:
    form = normalize_user_id(text)
    assert normalize_user_id(form) == form
    assert normalize_user_id(f"\ufeff{text}\t") == form


def test_all_white_space_is_blank() -> None:
    white = "".join(chr(code) for code in range(0x3100) if chr(code).isspace())
    # Python counts four separators of ASCII as white space, which Unicode does not.
    assert set(white) - set("\x1c\x1d\x1e\x1f") <= set(BLANKS)
