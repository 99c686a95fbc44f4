"""Paths are parsed as written, and a mistake in one is a sentence."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.field_paths import (
    Constant,
    Divided,
    Entry,
    Joined,
    JsonText,
    Member,
    Product,
    Step,
    describe_source,
    parse_path,
    paths_of,
    quote_name,
    read_amount,
    read_event_type,
    read_paths,
)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def written(steps: list[Step]) -> str:
    """A path with every name in quotes."""
    path = ""
    for step in steps:
        match step:
            case Member(name=name):
                path += f".{quoted(name)}" if path else quoted(name)
            case Entry(key=key):
                path += f"[{quoted(key)}]"
            case JsonText():
                path = f"json({path})"
    return path


NAMES = st.text(min_size=1)
PLAIN_NAMES = st.from_regex(r"[^.\"\[\]()'\\\n]+", fullmatch=True)
LATER = st.one_of(
    st.builds(Member, NAMES).map(lambda step: [step]),
    st.builds(Entry, NAMES).map(lambda step: [step]),
    st.builds(Member, NAMES).map(lambda step: [JsonText(), step]),
)
STEPS = st.tuples(st.builds(Member, NAMES), st.lists(LATER, max_size=4)).map(
    lambda it: [it[0], *(step for steps in it[1] for step in steps)]
)


@given(STEPS)
def test_a_path_whose_names_are_quoted_may_have_any_names(steps: list[Step]) -> None:
    assert parse_path(written(steps)) == tuple(steps)


@given(st.lists(PLAIN_NAMES, min_size=1, max_size=4))
def test_plain_names_need_no_quotes(names: list[str]) -> None:
    assert parse_path(".".join(names)) == tuple(map(Member, names))


@given(st.text())
def test_a_path_is_parsed_or_refused_with_a_sentence(path: str) -> None:
    try:
        steps = parse_path(path)
    except ValueError as error:
        steps, sentence = (), str(error)
    else:
        sentence = ""
    assert re.fullmatch("(use|put|name|close) .+", sentence) if not steps else not sentence
    assert not steps or parse_path(written([*steps])) == steps


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("a.b", (Member("a"), Member("b"))),
        ("a[b.c/d].e", (Member("a"), Entry("b.c/d"), Member("e"))),
        ('"user.id".name', (Member("user.id"), Member("name"))),
        ("Revenue (USD)", (Member("Revenue (USD)"),)),
        ("event_params[level]", (Member("event_params"), Entry("level"))),
        ('p["a]b"].c', (Member("p"), Entry("a]b"), Member("c"))),
        ("json(payload).level", (Member("payload"), JsonText(), Member("level"))),
        ("json(payload)[level]", (Member("payload"), JsonText(), Entry("level"))),
        ("json(p[x].y).z", (Member("p"), Entry("x"), Member("y"), JsonText(), Member("z"))),
        (
            "json(json(a.b).c).d",
            (Member("a"), Member("b"), JsonText(), Member("c"), JsonText(), Member("d")),
        ),
        ("json", (Member("json"),)),
    ],
)
def test_a_path_has_names_keys_and_texts_of_json(path: str, steps: tuple[Step, ...]) -> None:
    assert parse_path(path) == steps


@pytest.mark.parametrize(
    ("path", "mistake"),
    [
        ("", "use a field name"),
        ("a.", "use a field name"),
        (".a", "use a field name"),
        ('"a', "put a name with quotes"),
        ('a"b', "put a name with quotes"),
        ("a'b", "put a name with quotes"),
        ("a[", "use a field name"),
        ("a[]", "use a field name"),
        ("a]", "use a field name"),
        ("a[b", "close the bracket"),
        ("a[b]c", "put a name with quotes"),
        ("json(a)", "name a field of the text"),
        ("json(a", "name a field of the text"),
        ("json()", "put a name with quotes"),
        ("json(a)b", "name a field of the text"),
    ],
)
def test_a_wrong_path_is_refused(path: str, mistake: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(mistake)}"):
        parse_path(path)


def test_a_value_may_be_from_the_first_of_several_fields() -> None:
    assert read_paths("a") == "a"
    assert read_paths(["a", "b.c"]) == ("a", "b.c")
    wrong: object
    for wrong in ([], {"a": 1}, 5):
        with pytest.raises(ValueError, match="use a field name, or a list"):
            read_paths(wrong)
    with pytest.raises(ValueError, match=r"^5 is not the name of a field"):
        read_paths(["a", 5])
    with pytest.raises(ValueError, match=r"^'b\.': use a field name"):
        read_paths(["a", "b."])


def test_a_type_may_be_joined_or_constant() -> None:
    assert read_event_type("a") == "a"
    assert read_event_type({"joined": ["a", "b"]}) == Joined(("a", "b"))
    assert read_event_type({"constant": "buy"}) == Constant("buy")
    for wrong in ({"joined": ["a"]}, {"constant": ""}, {"joined": ["a", "b"], "x": 1}, {}):
        with pytest.raises(ValueError, match=r"use a field, {joined: "):
            read_event_type(wrong)


def test_an_amount_may_be_a_product() -> None:
    assert read_amount(["a", "b"]) == ("a", "b")
    assert read_amount({"product": ["quantity", "price"]}) == Product(("quantity", "price"))
    for wrong in ({"product": ["a"]}, {"product": ["a", "b", "c"]}, {"sum": ["a", "b"]}):
        with pytest.raises(ValueError, match=r"use a field, {product: "):
            read_amount(wrong)


def test_an_amount_may_be_divided() -> None:
    cents = {"field": "price", "divided_by": 100}
    assert read_amount(cents) == Divided("price", 100)
    assert read_amount(read_amount(cents)) == Divided("price", 100)
    assert read_amount({**cents, "field": ["a", "b"]}) == Divided(("a", "b"), 100)
    product = {"field": {"product": ["n", "price"]}, "divided_by": 1e6}
    assert read_amount(product) == Divided(Product(("n", "price")), 1e6)
    assert paths_of(read_amount(product)) == ("n", "price")
    for wrong in ({"divided_by": 100}, {**cents, "x": 1}, {**cents, "field": cents}):
        with pytest.raises(ValueError, match=r"use a field, "):
            read_amount(wrong)
    for divisor in ("100", True, None):
        with pytest.raises(ValueError, match=r"or {field: FIELD, divided_by: 100}"):
            read_amount({**cents, "divided_by": divisor})
    for number in (0, -100, math.inf, math.nan):
        with pytest.raises(ValueError, match="use a number above 0"):
            read_amount({**cents, "divided_by": number})


def test_fields_are_named_in_words() -> None:
    assert describe_source("a") == "a"
    assert describe_source(("a", "b")) == "a or b"
    assert describe_source(Product(("a", "b"))) == "a and b"
    assert describe_source(Divided(("a", "b"), 100)) == "a or b"


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_quoted_name_is_one_step_wherever_it_stands(name: str, key: str) -> None:
    path, inner = quote_name(name), quote_name(key)
    assert parse_path(path) == (Member(name),)
    assert parse_path(f"{path}[{inner}]") == (Member(name), Entry(key))
    assert parse_path(f"json({path}).{inner}") == (Member(name), JsonText(), Member(key))
    assert parse_path(f"json({path}[{inner}])[{inner}]") == (
        *(Member(name), Entry(key)),
        *(JsonText(), Entry(key)),
    )
