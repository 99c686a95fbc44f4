"""Whole game files are guessed right: of exports, of the logs of studios, and of anything."""

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ds_assets.errors import InputError
from ds_assets.game import load_game
from ds_assets.onboarding.exclusions import is_left_out
from ds_assets.onboarding.fields import read_values
from ds_assets_tests.exports import EXPORTS, Export, write_export
from ds_assets_tests.exports import play as play_export
from ds_assets_tests.infra.engines.lines import read_files
from ds_assets_tests.onboarding.games import (
    guess,
    guess_folder,
    look,
    make_lines,
    make_source,
    play,
    put,
    value_at,
    write,
)
from ds_assets_tests.onboarding.more_studios import MORE_STUDIOS
from ds_assets_tests.onboarding.studios import STUDIOS
from ds_assets_tests.onboarding.tables import SEVERAL, write_tables

USERS, DAYS = 120, 45
LOGS = {**EXPORTS, **STUDIOS, **MORE_STUDIOS}


@pytest.mark.slow
@pytest.mark.parametrize("name", LOGS)
def test_every_key_of_a_plausible_log_is_guessed_right(name: str, tmp_path: Path) -> None:
    export = LOGS[name]
    write_export(export, USERS, DAYS, tmp_path / "logs")
    game = guess_folder(tmp_path / "logs")
    assert {key: value_at(game, key) for key in export.keys} == export.keys


@pytest.mark.slow
@pytest.mark.parametrize("name", SEVERAL)
def test_every_key_of_several_tables_is_guessed_right(name: str, tmp_path: Path) -> None:
    tables = SEVERAL[name]
    write_tables(tables, 300, 30, tmp_path / "logs")
    game = guess_folder(tmp_path / "logs")
    assert {key: value_at(game, key) for key in tables.keys} == tables.keys


def types_of(export: Export, game: dict[str, Any]) -> Counter[str]:
    """How many lines of each type are written, of those that are not left out."""
    lines = make_lines([export.line(event) for event in play_export(60, 2)])
    rules = value_at(game, "logs.leave_out") or []
    types = read_values(game["fields"]["event_type"], lines)[~is_left_out(lines.table, rules)]
    return Counter(types.tolist())


@pytest.mark.parametrize("name", LOGS)
def test_the_real_reader_takes_every_line_by_the_guessed_game_file(
    name: str, tmp_path: Path
) -> None:
    write_export(LOGS[name], 60, 2, tmp_path / "logs")
    game = guess_folder(tmp_path / "logs")
    paths = sorted(path for path in (tmp_path / "logs").rglob("*") if path.is_file())
    read = read_files(paths, load_game(tmp_path / "game.yaml"))
    events = [it for it in read if it["reason"] != "left out"]
    assert {it["reason"] for it in events} == {None}
    assert Counter(it["event_type"] for it in events) == types_of(LOGS[name], game)


NAMES = st.one_of(
    st.sampled_from(["user_id", "time", "type", "amount", "currency", "level", "env", "country"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        st.sampled_from(["USD", "EUR", "2026-02-01", "purchase", "refund", "push_sent", "test"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=5,
)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(lines=st.lists(st.dictionaries(NAMES, VALUES, max_size=5), min_size=1, max_size=6))
def test_what_is_written_is_a_game_file_whatever_lines_hold(
    tmp_path: Path, lines: list[dict[str, Any]]
) -> None:
    whole = [
        {**line, "user_id": f"u{n}", "time": n + 1_770_000_000} for n, line in enumerate(lines)
    ]
    write(guess(make_source(whole)), tmp_path / "game.yaml")


def test_a_field_that_is_named_counts() -> None:
    game = guess(make_source(play(owner="a")), **{"fields.user_id": "owner"})
    assert {it.key: it.value for it in game.guesses()}["fields.user_id"] == "owner"


def test_an_amount_that_is_named_is_in_the_unit_that_its_name_says() -> None:
    source = make_source(play(price=4.99, tax_price_cents=99))
    guesses = {it.key: it for it in guess(source, **{"fields.amount": "tax_price_cents"}).guesses()}
    assert guesses["fields.amount"].value == "tax_price_cents"
    source = make_source(play(price=4.99, price_cents=499))
    guesses = {it.key: it for it in guess(source, **{"fields.amount": "price_cents"}).guesses()}
    assert guesses["fields.amount"].value == {"field": "price_cents", "divided_by": 100}
    assert guesses["fields.amount"].evidence == (
        "as you said; price_cents in 100.0% of lines: 499; in the unit that its name says"
    )


@pytest.mark.parametrize(
    ("lines", "given_keys", "message"),
    [
        ([{"time": "2026-02-01"}], {}, "no field looks like the user; name it with --user-id"),
        ([{"user_id": "a"}], {}, "no field looks like the time of an event"),
        (play(), {"fields.amount": "cost"}, "no line has a field cost; the fields are user_id"),
        (play(), {"fields.event_time": "type"}, "the times in type are in no format"),
        (play(), {"currencies": {"USD": 1}}, "no field looks like the currency"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(
    lines: list[dict[str, Any]], given_keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        guess(make_source(lines), **given_keys).guesses()


def test_currencies_are_asked_for_if_there_are_several() -> None:
    paid = play(type="purchase", amount=2, currency=lambda n: ("USD", "EUR")[n % 2])
    assert [it.key for it in guess(make_source(paid)).questions()] == ["time_zone", "currencies"]
    answered = guess(make_source(paid), time_zone="Asia/Seoul", currencies={"USD": 1, "EUR": 1.1})
    assert list(answered.questions()) == []


def test_an_amount_with_the_sign_of_a_currency_is_mentioned() -> None:
    game = guess(make_source(play(price="$4.99")))
    assert list(game.notes()) == [
        "price is not read as an amount, as its values are no numbers: $4.99."
    ]


def test_an_id_that_identifies_events_of_some_files_alone_is_mentioned(tmp_path: Path) -> None:
    write_tables(SEVERAL["the_tables_of_intendo"], 60, 9, tmp_path / "logs")
    first, *_ = guess(look(tmp_path / "logs").source).notes()
    assert first.startswith("session_id is not read as the id of an event")


def test_kinds_of_files_without_a_common_user_are_mentioned(tmp_path: Path) -> None:
    strangers = [{**line, "user_id": f"x{line['user_id']}", "price": 1} for line in play()]
    for line in strangers:
        del line["type"]
    put(tmp_path / "a" / "2026-02-01.jsonl", play())
    put(tmp_path / "b" / "2026-02-01.jsonl", strangers)
    (note,) = guess(look(tmp_path).source).notes()
    assert "No user of b is one of a" in note


def test_a_game_without_late_logs_has_ended(tmp_path: Path) -> None:
    for day in (1, 2):
        put(tmp_path / "logs" / f"2025-02-0{day}.jsonl", play())
    assert guess_folder(tmp_path / "logs")["last_day"] == dt.date(2025, 2, 2)
