from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ds_assets.errors import (
    INPUT_ERROR,
    UNAVAILABLE,
    InputError,
    describe_mistakes,
    exit_on_error,
)
from ds_assets.infra.cache.connection import CacheRefused, CacheUnavailable
from ds_assets.infra.lake.base import LakeUnavailable
from ds_assets.infra.log_source.base import SourceUnavailable
from ds_assets.infra.results.errors import ResultsRefused, ResultsUnavailable


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    count: int = Field(ge=1)


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    inner: Inner = Inner(count=1)
    names: tuple[str, ...] = ()
    address: int = 0


def mistakes(content: Any, **how: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(content)
    return describe_mistakes("the file", caught.value, **how).splitlines()


def test_a_mistake_is_a_line_with_the_key_what_was_found_and_what_is_accepted() -> None:
    head, line = mistakes({"inner": {"count": 0}})
    assert head == "the file has 1 mistake:"
    assert line == "  - inner.count: found 0; Input should be greater than or equal to 1"


def test_all_mistakes_are_told_at_once() -> None:
    assert mistakes({"inner": {}, "names": "a", "adress": 1}) == [
        "the file has 3 mistakes:",
        "  - inner.count: required",
        "  - names: found 'a'; must be a list",
        "  - adress: unknown key",
    ]


def test_keys_are_named_as_their_user_knows_them() -> None:
    assert mistakes({"address": "x"}, rename=str.upper)[1].startswith("  - ADDRESS: found 'x'; ")


@pytest.mark.parametrize("content", [5, None, ["a"], "text"])
def test_something_without_keys_is_told_too(content: object) -> None:
    assert mistakes(content)[1] == "  - must be keys with values"


def test_what_was_found_is_shown_shortened() -> None:
    (line,) = mistakes({"names": "a" * 10_000})[1:]
    assert len(line) < 150


def test_a_number_with_too_many_digits_to_show_is_still_a_plain_mistake() -> None:
    (line,) = mistakes({"names": 10**5000})[1:]
    assert line == "  - names: found a value of type int, too large to show; must be a list"


def test_something_too_deep_to_show_is_still_a_plain_mistake() -> None:
    deep: list[Any] = []
    for _ in range(20_000):
        deep = [deep]
    assert "too large to show" in mistakes({"address": deep})[1]


@given(user=st.text(), rest=st.text())
def test_no_address_shows_more_than_its_scheme(user: str, rest: str) -> None:
    for address in (
        f"mysql://{user}:hunter2{rest}@host/name",
        f"mysql://host/name?password=hunter2{rest}",
        f"redis://:hunter2{rest}@host",
    ):
        text = "\n".join(mistakes({"address": address}))
        assert "hunter2" not in text
        assert "://…" in text


@given(rest=st.text())
def test_a_secret_is_not_shown_whatever_it_looks_like(rest: str) -> None:
    for form in ("{}", "user:{}@host", "Postgres://{}", "redis://{}", "{}://"):
        secret = form.format(f"Hunter2 {rest}")
        assert "Hunter2" not in "\n".join(mistakes({"address": secret}, secrets=["address"]))
    (line,) = mistakes({"address": f"redis://{rest}"}, secrets=["address"])[1:]
    assert line.startswith("  - address: found redis://…; ")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("a mistake"), INPUT_ERROR),
        (ResultsRefused("a wrong password"), INPUT_ERROR),
        (CacheRefused("a wrong password"), INPUT_ERROR),
        (ResultsUnavailable("no connection"), UNAVAILABLE),
        (CacheUnavailable("no connection"), UNAVAILABLE),
        (LakeUnavailable("no connection"), UNAVAILABLE),
        (SourceUnavailable("no connection"), UNAVAILABLE),
    ],
)
def test_a_refused_password_ends_a_command_as_a_mistake_and_a_lost_server_does_not(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, exit_on_error():
        raise error
    assert ended.value.code == code
    assert capsys.readouterr().err == f"ds-assets: {error}\n"
