"""Values from lists of keys, from JSON in texts and from several fields, in every file format."""

import json
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from ds_assets.core.events import MAX_NUMBER
from ds_assets.infra.engines.duckdb_reader import create_lines
from ds_assets.infra.engines.raw_files import RawFile
from ds_assets_tests.infra.engines.lines import (
    LEAST,
    NESTED,
    START,
    WRITERS,
    Line,
    make_game,
    read,
    read_files,
    values_of,
)


def param(key: str, **value: Any) -> dict[str, Any]:
    types = ("string_value", "int_value", "float_value", "double_value")
    return {"key": key, "value": {name: value.get(name) for name in types}}


@pytest.mark.parametrize("file_format", NESTED)
def test_the_value_of_a_key_is_the_one_of_its_types_that_is_set(
    file_format: str, tmp_path: Path
) -> None:
    lists: list[list[Line] | None] = [
        [param("level", int_value=7), param("name", string_value="x")],
        [param("name", string_value="x"), param("level", double_value=7.5)],
        [param("level", string_value="8")],
        [param("level")],
        [param("name", string_value="x")],
        None,
    ]
    game = make_game(file_format, properties={"level": "params[level]"})
    levels = values_of([{"params": it} for it in lists], game, tmp_path, "property_level")
    assert levels == [7, 7.5, 8, None, None, None]


@pytest.mark.parametrize("file_format", NESTED)
@pytest.mark.parametrize("name", ["key", "name"])
def test_a_value_of_a_key_may_have_no_type(file_format: str, name: str, tmp_path: Path) -> None:
    game = make_game(file_format, attributes={"country": {"field": "traits[the country]"}})
    lines = [{"traits": [{name: "x", "value": "y"}, {name: "the country", "value": "KR"}]}]
    assert values_of(lines, game, tmp_path, "attribute_country") == ["KR"]


@pytest.mark.parametrize("file_format", NESTED)
def test_a_key_may_be_that_of_an_object(file_format: str, tmp_path: Path) -> None:
    game = make_game(file_format, attributes={"country": {"field": "traits[country]"}})
    lines: list[Line] = [{"traits": {"country": "KR"}}, {"traits": {"country": None}}]
    assert values_of(lines, game, tmp_path, "attribute_country") == ["KR", None]


@pytest.mark.parametrize("file_format", NESTED)
def test_a_number_is_the_position_in_a_list_unless_it_is_a_key(
    file_format: str, tmp_path: Path
) -> None:
    paths = {"of_first": "items[0].level", "of_third": "items[2].level", "of_key": "params[1]"}
    game = make_game(file_format, properties=paths)
    params = [{"key": "0", "value": 5}, {"key": "1", "value": 6}]
    line = {"items": [{"level": 7}, {"level": 8}], "params": params}
    levels = [values_of([line], game, tmp_path, f"property_{name}") for name in paths]
    assert levels == [[7], [None], [6]]


@pytest.mark.parametrize("file_format", NESTED)
def test_keys_of_one_list_of_a_list_in_a_list_and_of_alternatives_are_independent(
    file_format: str, tmp_path: Path
) -> None:
    paths = {
        "a": "params[a]",
        "b": "params[b]",
        "inner": "nested[c][a]",
        "either": ["others[a]", "params[b]"],
    }
    game = make_game(file_format, properties=paths)
    line = {
        "params": [{"key": "a", "value": 1}, {"key": "b", "value": 2}],
        "nested": [{"key": "c", "value": [{"key": "a", "value": 3}]}],
    }
    values = [values_of([line], game, tmp_path, f"property_{name}") for name in paths]
    assert values == [[1], [2], [3], [2]]


def test_a_key_may_be_that_of_a_map_of_parquet(tmp_path: Path) -> None:
    kind = pa.map_(pa.string(), pa.string())
    columns = {name: pa.array([text]) for name, text in LEAST.items()}
    table = pa.table(columns | {"traits": pa.array([[("country", "KR"), ("x", "y")]], kind)})
    path = tmp_path / "raw"
    parquet.write_table(table, path)
    game = make_game("parquet", attributes={"country": {"field": "traits[country]"}})
    with duckdb.connect() as connection:
        create_lines(connection, {0: RawFile(START, "raw", path)}, game, "lines")
        assert connection.execute("SELECT attribute_country FROM lines").fetchall() == [("KR",)]


@pytest.mark.parametrize("file_format", NESTED)
@pytest.mark.parametrize(
    ("key", "level"),
    [
        ("iglu:com.acme/level", 1),
        ("iglu:com.acme/level/jsonschema/2-0-0", 2),
        ("iglu:com.acme/level/jsonschema/2", None),
        ("iglu:com.acme/lev", None),
    ],
)
def test_a_key_may_be_a_schema_of_any_version(
    file_format: str, key: str, level: int | None, tmp_path: Path
) -> None:
    game = make_game(file_format, properties={"level": f"contexts[{key}].level"})
    contexts = [
        {"schema": "iglu:com.acme/level_up/jsonschema/1-0-0", "data": {"level": 0}},
        {"schema": "iglu:com.acme/level/jsonschema/1-0-0", "data": {"level": 1}},
        {"schema": "iglu:com.acme/level/jsonschema/2-0-0", "data": {"level": 2}},
    ]
    values = values_of([{"contexts": contexts}], game, tmp_path, "property_level")
    assert values == [level]


@pytest.mark.parametrize("contexts", [None, [], {}, "x", [None, 1, {"schema": None}], {"a": 1}])
def test_without_the_schema_there_is_no_value(contexts: object, tmp_path: Path) -> None:
    game = make_game("jsonl", properties={"level": "contexts[iglu:com.acme/level].level"})
    assert values_of([{"contexts": contexts}], game, tmp_path, "property_level") == [None]


@pytest.mark.parametrize("file_format", NESTED)
def test_a_path_continues_after_a_key(file_format: str, tmp_path: Path) -> None:
    game = make_game(
        file_format,
        properties={"level": "params[level].int_value", "stage": "json(params[state]).stage"},
    )
    state = json.dumps({"stage": 3})
    lines = [{"params": [param("level", int_value=7), param("state", string_value=state)]}]
    (event,) = read(lines, game, tmp_path)
    assert (event["property_level"], event["property_stage"]) == (7, 3)


@pytest.mark.parametrize("file_format", WRITERS)
def test_a_text_that_holds_json_has_fields(file_format: str, tmp_path: Path) -> None:
    game = make_game(
        file_format,
        fields={"event_type": "json(payload).kind"},
        properties={"level": "json(payload).user.level", "hp": "json(payload)[hp]"},
        attributes={"deep": {"field": "json(json(payload).inner).x"}},
    )
    payload = {
        "kind": "win",
        "user": {"level": 7},
        "hp": 9,
        "inner": json.dumps({"x": "KR"}),
    }
    (event,) = read([{"payload": json.dumps(payload)}], game, tmp_path)
    assert event["reason"] is None
    assert event["event_type"] == "win"
    assert (event["property_level"], event["property_hp"]) == (7, 9)
    assert event["attribute_deep"] == "KR"


@pytest.mark.parametrize("file_format", WRITERS)
def test_a_text_of_broken_json_is_a_fault_and_other_texts_have_no_fields(
    file_format: str, tmp_path: Path
) -> None:
    game = make_game(
        file_format,
        properties={"level": "json(payload).level"},
        logs={"leave_out": [{"field": "e", "values": ["test"]}]},
    )
    texts = ['{"level": 1', '[{"level": 1}]', "level 1", "", '{"level": 1}']
    lines = [{"payload": text} for text in texts]
    events = read([*lines, {"payload": "{", "e": "test"}], game, tmp_path)
    broken = "the text in payload is broken JSON"
    assert [event["reason"] for event in events] == [broken, None, None, None, None, "left out"]
    assert [event["property_level"] for event in events[1:5]] == [None, None, None, 1]


@pytest.mark.parametrize("file_format", WRITERS)
def test_the_first_field_with_a_value_counts(file_format: str, tmp_path: Path) -> None:
    game = make_game(
        file_format,
        fields={"amount": ["usd", "value"]},
        properties={"level": ["a", "b"]},
        attributes={"country": {"field": ["x", "y"]}},
        logs={"leave_out": [{"field": ["x", "y"], "values": ["test"]}]},
    )
    lines: list[Line] = [
        {"usd": "", "value": "5", "a": None, "b": "2", "x": "", "y": "KR"},
        {"usd": "4", "value": "5", "a": "1", "b": "2", "x": "US", "y": "test"},
        {"usd": "", "value": "", "a": None, "b": None, "x": "", "y": None},
        {"usd": "", "value": "", "a": None, "b": None, "x": "", "y": "test"},
    ]
    events = read(lines, game, tmp_path)
    assert [event["reason"] for event in events] == [None, None, None, "left out"]
    facts = [
        (event["amount"], event["property_level"], event["attribute_country"])
        for event in events[:3]
    ]
    assert facts == [(5, 2, "KR"), (4, 1, "US"), (None, None, None)]


@pytest.mark.parametrize("file_format", WRITERS)
def test_the_first_user_id_counts_that_stands_for_a_user(file_format: str, tmp_path: Path) -> None:
    game = make_game(
        file_format,
        fields={"user_id": ["u", "device"]},
        logs={"null_user_ids": [0]},
    )
    users: list[str | None] = ["u1", "", "null", "0.0", None, " u2 "]
    lines: list[Line] = [{"u": user, "device": "d1"} for user in users]
    events = read([*lines, {"u": "NaN", "device": ""}], game, tmp_path)
    assert [event["user_id"] for event in events[:6]] == ["u1", "d1", "d1", "d1", "d1", "u2"]
    assert events[6]["reason"] == "no user id"


@pytest.mark.parametrize("path", ["json(p).id", ["json(p).id", "x"]])
@pytest.mark.parametrize("file_format", WRITERS)
def test_a_user_id_in_a_text_is_neither_an_object_nor_a_truth_value(
    file_format: str, path: object, tmp_path: Path
) -> None:
    game = make_game(file_format, fields={"user_id": path})
    ids: list[object] = [7, "é", [1], {"a": 1}, True]
    events = read([{"p": json.dumps({"id": it})} for it in ids], game, tmp_path)
    odd = "the user id is neither text nor a number"
    assert [event["reason"] for event in events] == [None, None, odd, odd, odd]
    assert [event["user_id"] for event in events[:2]] == ["7", "é"]


@pytest.mark.parametrize("file_format", WRITERS)
def test_a_type_may_be_joined_from_the_fields_that_have_a_value(
    file_format: str, tmp_path: Path
) -> None:
    game = make_game(file_format, fields={"event_type": {"joined": ["kind", "name"]}})
    pairs = [("event", "win"), ("install", ""), (None, "x"), ("", None)]
    events = read([{"kind": kind, "name": name} for kind, name in pairs], game, tmp_path)
    assert [event["event_type"] for event in events[:3]] == ["event:win", "install", "x"]
    assert events[3]["reason"] == "no event type"


@pytest.mark.parametrize("file_format", WRITERS)
def test_a_type_may_be_the_same_in_every_line(file_format: str, tmp_path: Path) -> None:
    game = make_game(file_format, fields={"event_type": {"constant": "it's a purchase"}})
    assert values_of([{}, {"e": ""}], game, tmp_path, "event_type") == ["it's a purchase"] * 2


@pytest.mark.parametrize("file_format", WRITERS)
def test_an_amount_may_be_the_product_of_two_fields(file_format: str, tmp_path: Path) -> None:
    game = make_game(
        file_format,
        fields={"amount": {"product": ["count", "price"]}, "currency": "c"},
        currencies={"USD": 1, "KRW": 0.001},
    )
    pairs = [("3", "0.1", "USD"), ("2", "100", "KRW"), ("", "5", ""), ("2", None, "USD")]
    lines = [{"count": count, "price": price, "c": code} for count, price, code in pairs]
    events = read([*lines, {"count": "two", "price": "5", "c": "USD"}], game, tmp_path)
    assert [event["amount"] for event in events[:4]] == [pytest.approx(0.3), 0.2, None, None]
    reasons = [event["reason"] for event in events]
    assert reasons == [None, None, None, None, "the amount is not a number"]


@pytest.mark.parametrize("file_format", WRITERS)
def test_an_amount_may_be_divided_by_a_number(file_format: str, tmp_path: Path) -> None:
    micros = {"field": ["price", "micros"], "divided_by": 1_000_000}
    game = make_game(file_format, fields={"amount": micros})
    lines = [
        {"price": "", "micros": "4990000"},
        {"price": "1000000", "micros": "2"},
        {"micros": ""},
        {},
    ]
    events = read([*lines, {"micros": "free"}], game, tmp_path)
    assert [event["amount"] for event in events] == [4.99, 1, None, None, None]
    assert [event["reason"] for event in events] == [None] * 4 + ["the amount is not a number"]


@pytest.mark.parametrize("file_format", WRITERS)
def test_a_product_may_be_divided_by_a_number(file_format: str, tmp_path: Path) -> None:
    amount = {"field": {"product": ["count", "cents"]}, "divided_by": 100}
    game = make_game(
        file_format, fields={"amount": amount, "currency": "c"}, currencies={"KRW": 0.5}
    )
    lines = [{"count": "3", "cents": "499", "c": "KRW"}, {"count": "", "cents": "5", "c": "KRW"}]
    events = read(lines, game, tmp_path)
    assert [event["amount"] for event in events] == [pytest.approx(7.485), None]
    assert [event["reason"] for event in events] == [None, None]


@pytest.mark.slow
@given(st.integers(-(10**12), 10**12), st.sampled_from([100, 1_000, 1_000_000, 0.5, 1e-05]))
def test_a_quotient_is_the_nearest_number(amount: int, divisor: float) -> None:
    game = make_game("csv", fields={"amount": {"field": "p", "divided_by": divisor}})
    with tempfile.TemporaryDirectory() as folder:
        (event,) = read([{"p": f"{amount}"}], game, Path(folder))
    is_usual = abs(amount / divisor) <= MAX_NUMBER
    assert not is_usual or event["amount"] == amount / divisor
    assert (event["reason"] is None) == is_usual


@pytest.mark.parametrize("file_format", WRITERS)
def test_an_empty_text_is_no_number(file_format: str, tmp_path: Path) -> None:
    game = make_game(
        file_format,
        fields={"amount": "a", "currency": "c"},
        currencies={"USD": 1},
        properties={"minutes": "m"},
        attributes={"level": {"field": "l", "type": "number"}},
    )
    (event,) = read([{"a": "", "c": "", "m": "", "l": ""}], game, tmp_path)
    columns = ("reason", "amount", "property_minutes", "attribute_level")
    assert [event[column] for column in columns] == [None] * 4


@pytest.mark.parametrize("file_format", WRITERS)
def test_a_name_in_quotes_may_have_dots(file_format: str, tmp_path: Path) -> None:
    game = make_game(file_format, fields={"user_id": '"user.id"', "event_type": '"a ""b"""'})
    (event,) = read([{"user.id": "x", 'a "b"': "win"}], game, tmp_path)
    assert (event["user_id"], event["event_type"]) == ("x", "win")


def test_a_dot_in_a_path_is_one_in_the_name_of_a_column_of_csv(tmp_path: Path) -> None:
    game = make_game("csv", fields={"user_id": "user.id"}, properties={"x": "json(a.b).x"})
    (event,) = read([{"user.id": "x", "a.b": '{"x": 5}'}], game, tmp_path)
    assert (event["user_id"], event["property_x"]) == ("x", 5)


def test_a_quotient_is_one_of_numbers_with_the_marks_of_the_game(tmp_path: Path) -> None:
    logs = {"csv": {"delimiter": ";", "decimal": ",", "thousands": "."}}
    fields = {"amount": {"field": "price", "divided_by": 1000}}
    game = make_game("csv", fields=fields, logs=logs)
    (tmp_path / "raw").write_text("u;t;e;price\na;2026-02-01;x;1.000,5\na;2026-02-01;x;1000.25\n")
    events = read_files([tmp_path / "raw"], game)
    assert [(event["amount"], event["reason"]) for event in events] == [
        (1.0005, None),
        (None, "the amount is not a number"),
    ]


def test_a_product_is_one_of_numbers_with_the_marks_of_the_game(tmp_path: Path) -> None:
    amount = {"product": ["n", "price"]}
    logs = {"csv": {"delimiter": ";", "decimal": ",", "thousands": "."}}
    game = make_game("csv", fields={"amount": amount}, logs=logs)
    (tmp_path / "raw").write_text(
        "u;t;e;n;price\na;2026-02-01;x;2;1.000,25\na;2026-02-01;x;2;1000.25\n"
    )
    events = read_files([tmp_path / "raw"], game)
    assert [(event["amount"], event["reason"]) for event in events] == [
        (2000.5, None),
        (None, "the amount is not a number"),
    ]
