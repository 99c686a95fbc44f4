"""What the kinds of files of a game have in common, and in what they differ."""

from typing import Any

from ds_assets.onboarding.kinds import CommonFields, GuessedKind, Kind, join_lines
from ds_assets.onboarding.samples import FileFormat
from ds_assets_tests.exports import Line
from ds_assets_tests.onboarding.games import make_lines, play


def make_kind(name: str, lines: list[Line], **more: Any) -> GuessedKind:
    return GuessedKind(Kind(FileFormat("jsonl"), make_lines(lines), name, **more), {})


def sell(count: int = 40, **more: Any) -> list[Line]:
    lines = play(count, price=4.99, **more)
    return [{key: value for key, value in line.items() if key != "type"} for line in lines]


def keys(common: CommonFields) -> dict[str, Any]:
    return {guess.key.removeprefix("fields."): guess.value for guess in common.guesses()}


def test_lines_without_a_type_have_the_name_of_their_kind_as_their_type() -> None:
    assert make_kind("sales", sell()).value("event_type") == {"constant": "sales"}
    assert make_kind("", sell()).value("event_type") == {"constant": "purchase"}
    assert make_kind("sales", play()).value("event_type") == "type"


def test_the_game_has_the_fields_of_its_first_kind_and_what_that_lacks() -> None:
    kinds = [make_kind("play", play()), make_kind("sales", sell(event_id=lambda n: f"e{n}"))]
    common = CommonFields(kinds)
    assert keys(common) == {
        "user_id": "user_id",
        "event_time": "time",
        "event_type": "type",
        "event_id": "event_id",
        "amount": "price",
    }
    assert list(common.differences(kinds[0])) == []
    assert [it.value for it in common.differences(kinds[1])] == [{"constant": "sales"}]
    assert common.value("amount", kinds[0]) == "price"
    assert common.value("currency", kinds[0]) is None


def test_an_id_of_events_that_others_have_in_several_lines_is_none() -> None:
    sessions = make_kind("sessions", play(session_id=lambda n: f"s{n}"))
    sales = make_kind("sales", sell(session_id=lambda n: f"s{n // 4}"))
    common = CommonFields([sessions, sales])
    assert "event_id" not in keys(common)
    assert common.ambiguous == "session_id"
    assert CommonFields([sessions, make_kind("sales", sell())]).ambiguous == ""


def test_the_same_lines_in_another_format_are_a_copy() -> None:
    first = make_kind("a", play())
    assert make_kind("b", play()).is_copy_of(first)
    assert not make_kind("b", sell()).is_copy_of(first)
    assert not make_kind("b", play(other=1)).is_copy_of(first)


def test_a_field_that_others_have_shown_has_the_user() -> None:
    lines = [{"who": f"u{n}", "friend": f"u{n % 3}", "time": "2026-02-01"} for n in range(9)]
    assert make_kind("a", lines, user_path="who").value("user_id") == "who"


def test_joined_lines_have_the_numbers_of_each_kind_as_it_writes_them() -> None:
    german = Kind(FileFormat("csv"), make_lines([{"p": "1,5"}], decimal=","), "a")
    plain = Kind(FileFormat("csv"), make_lines([{"p": "2.5"}, {"q": 1}]), "b")
    joined = join_lines([GuessedKind(german, {}), GuessedKind(plain, {})])
    assert joined.numbers("p").fillna(0).tolist() == [1.5, 2.5, 0]
    assert joined.numbers("q").fillna(0).tolist() == [0, 0, 1]
    assert joined.table["p"].tolist() == ["1,5", "2.5", None]
