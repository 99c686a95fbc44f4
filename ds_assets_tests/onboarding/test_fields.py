"""The fields of an event are found by their names and values."""

from typing import Any

import pytest

from ds_assets.onboarding.exports import EXPORTS
from ds_assets.onboarding.fields import (
    find_coded_amounts,
    guess_fields,
    last_name,
    read_numbers,
    read_values,
)
from ds_assets_tests.onboarding.games import make_lines, play


def fields_of(lines: list[dict[str, Any]], **given: str) -> dict[str, Any]:
    guesses = guess_fields(make_lines(lines), None, given)
    return {it.key.removeprefix("fields."): it.value for it in guesses}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("User Id", "userid"),
        ("event.userId", "userid"),
        ("player.id", "userid"),
        ("event_params[level]", "level"),
        ("json(data).a-b", "ab"),
    ],
)
def test_the_last_name_of_a_path_has_letters_and_digits(path: str, name: str) -> None:
    assert last_name(path) == name


@pytest.mark.parametrize(
    "user", [lambda n: n % 7, lambda n: float(n % 7), lambda n: f"{n % 7:032x}"]
)
def test_users_are_numbers_or_texts(user: Any) -> None:
    assert fields_of(play(user_id=user))["user_id"] == "user_id"


def test_a_user_that_some_lines_lack_is_followed_by_the_device() -> None:
    lines = play(user_id=lambda n: f"u{n % 7}" if n % 3 else None, device_id=lambda n: f"d{n % 7}")
    assert fields_of(lines)["user_id"] == ["user_id", "device_id"]


@pytest.mark.parametrize("value", [True, None, [1, 2], "always the same"])
def test_what_is_the_same_or_no_id_is_no_user(value: Any) -> None:
    lines = [{**line, "user_id": value} for line in play()]
    if value is True:
        lines[0]["user_id"] = False
    assert "user_id" not in fields_of(lines)


def test_a_user_without_a_usual_name_has_values_that_recur() -> None:
    lines = [
        {"owner": f"o{n % 20}", "no": n, "time": line["time"], "kind": line["type"]}
        for n, line in enumerate(play(200))
    ]
    assert fields_of(lines)["user_id"] == "owner"


def test_the_time_of_the_event_counts_before_that_of_its_arrival() -> None:
    lines = play(received_at="2026-02-09T00:00:00Z", install_time="2020-01-01T00:00:00Z")
    assert fields_of(lines)["event_time"] == "time"


def test_a_type_without_a_usual_name_is_what_users_have_several_of() -> None:
    lines = [
        {"user_id": it["user_id"], "time": it["time"], "was": it["type"]}
        | {"land": f"l{number % 5}", "ok": ("true", "false")[number % 2]}
        for number, it in enumerate(play())
    ]
    assert fields_of(lines)["event_type"] == "was"


@pytest.mark.parametrize(("more", "kind"), [({}, "session"), ({"price": 2.5}, "purchase")])
def test_lines_of_one_type_are_sessions_or_purchases(more: dict[str, Any], kind: str) -> None:
    lines = [{"user_id": it["user_id"], "time": it["time"], **more} for it in play()]
    assert fields_of(lines)["event_type"] == {"constant": kind}


@pytest.mark.parametrize(
    ("more", "amount"),
    [
        ({"price": lambda n: n}, "price"),
        ({"price": "4.5", "quantity": 2}, {"product": ["quantity", "price"]}),
        ({"price_amount_micros": 4990000}, {"field": "price_amount_micros", "divided_by": 1000000}),
        ({"amountCents": 499}, {"field": "amountCents", "divided_by": 100}),
        ({"revenue_in_cents": "499"}, {"field": "revenue_in_cents", "divided_by": 100}),
        ({"usd_cents": 499}, {"field": "usd_cents", "divided_by": 100}),
        (
            {"price_cents": 499, "quantity": 2},
            {"field": {"product": ["quantity", "price_cents"]}, "divided_by": 100},
        ),
        ({"price_cents": 499, "price": 4.99}, "price"),
        ({"version_minor": 4, "latency_micros": 5, "scents": 6}, None),
        ({"prc": 4.99}, "prc"),
        ({"pri": 4, "percent": 5}, None),
        ({"revenue": 1.5, "revenue_usd": 2.5}, "revenue_usd"),
        ({"gold_price": 3}, None),
        ({"price": 0}, None),
        ({"price": True}, None),
        ({"price": "$4.99"}, None),
        ({"price": 10**400}, "price"),
    ],
)
def test_an_amount_is_a_number_that_is_paid(more: dict[str, Any], amount: Any) -> None:
    assert fields_of(play(**more)).get("amount") == amount


@pytest.mark.parametrize(
    ("currency", "field"), [("EUR", "currency"), ("eur", "currency"), ("gems", None)]
)
def test_a_currency_has_a_code_of_three_letters(currency: str, field: str | None) -> None:
    assert fields_of(play(amount=2, currency=currency)).get("currency") == field


@pytest.mark.parametrize("price", ["$4.99", "4,99 €", "USD 4.99", "-4.99 USD", "₩1,200"])
def test_amounts_with_signs_of_a_currency_are_found(price: str) -> None:
    assert find_coded_amounts(make_lines(play(price=price, amount=3))) == ["price"]


def test_numbers_are_read_with_their_marks() -> None:
    lines = make_lines([{"a": "1.234,5", "b": "2"}, {"b": "x"}], decimal=",", thousands=".")
    assert read_numbers(["a", "b"], lines).fillna(-1).tolist() == [1234.5, -1]
    product = {"product": ["a", "b"]}
    assert read_numbers(product, lines).fillna(-1).tolist() == [2469, -1]
    divided = {"field": product, "divided_by": 100}
    assert read_numbers(divided, lines).fillna(-1).tolist() == [24.69, -1]


def test_values_are_of_the_first_path_joined_or_constant() -> None:
    lines = make_lines([{"a": "x", "b": "y"}, {"b": "z"}])
    assert read_values(["a", "b"], lines).tolist() == ["x", "z"]
    assert read_values({"joined": ["a", "b"]}, lines).tolist() == ["x:y", "z"]
    assert read_values({"constant": "c"}, lines).tolist() == ["c", "c"]
    assert read_values("d", lines).isna().all()


def test_fields_of_an_export_are_those_that_the_lines_have() -> None:
    segment = next(it for it in EXPORTS if it.name.startswith("Segment"))
    lines = make_lines([{"anonymousId": f"a{n % 3}", "timestamp": "2026-02-01"} for n in range(9)])
    guesses = {it.key: it for it in guess_fields(lines, segment, {})}
    assert guesses["fields.user_id"].value == "anonymousId"
    assert "as in exports of Segment" in guesses["fields.user_id"].evidence
