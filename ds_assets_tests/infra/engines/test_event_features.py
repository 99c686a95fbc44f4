"""Features of lines in memory, beside those that the batch makes of the same logs."""

import datetime as dt
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ds_assets.core.events import RejectedLine
from ds_assets.core.game_tables import user_features_table
from ds_assets.game import Attribute, Events, Fields, Game, Logs
from ds_assets.infra.engines.duckdb import open_duckdb
from ds_assets.infra.engines.event_features import EventFeatures
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.tables import table_file
from ds_assets_tests.assets.factories import START, Installation, day, make_played
from ds_assets_tests.raw_text import read_text

LAST = day(19)
MESS: dict[str, Any] = {
    "broken": 0.01,
    "duplicates": 0.02,
    "late": 0.05,
    "skewed": 0.01,
    "unknown_types": 0.02,
}
Lines = dict[dt.date, list[str]]

pytestmark = pytest.mark.slow


def event_features(game: Game) -> EventFeatures:
    return EventFeatures(game, open_duckdb(256, threads=1))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Three weeks of a game with all kinds of a mess, up to the features."""
    home = tmp_path_factory.mktemp("played")
    installation, _ = make_played(home, users=150, days=20, seed=4, **MESS)
    installation.run(START, LAST, ("raw_logs", "user_activity", "user_features"))
    return installation


def raw_lines(lake: FolderLake) -> Iterator[tuple[dt.date, str]]:
    """Every line of the raw logs with its arrival day, in the order in which the batch reads."""
    for folder in sorted(lake.local("raw").iterdir()):
        for file in sorted(file for file in folder.iterdir() if not file.name.startswith("_")):
            for line in read_text(file).splitlines():
                yield dt.date.fromisoformat(folder.name.removeprefix("dt=")), line


def stored_features(lake: FolderLake) -> dict[str, dict[str, Any]]:
    frame = pd.read_parquet(lake.local(table_file("user_features", LAST)))
    plain = frame.astype(object).where(frame.notna(), None)
    users = [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]
    return {user["user_id"]: user for user in users}


def user_of(line: str) -> str | None:
    try:
        user_id = json.loads(line)["user"]["id"]
    except (ValueError, KeyError, TypeError):
        return None
    return user_id if isinstance(user_id, str) else None


@pytest.mark.slow
def test_features_are_those_of_the_batch_and_rejected_is_what_is_in_quarantine(
    played: Installation,
) -> None:
    lines: Lines = defaultdict(list)
    for arrived, line in raw_lines(played.lake):
        lines[arrived].append(line)
    computed = event_features(played.game).of(lines, LAST)
    assert {user["user_id"]: user for user in computed.users} == stored_features(played.lake)
    quarantine = pd.concat(
        pd.read_parquet(file).assign(day=dt.date.fromisoformat(file.parent.name[3:]))
        for file in played.lake.local("quarantine").rglob("*.parquet")
    )
    assert Counter((line.day, line.reason) for line in computed.rejected) == Counter(
        zip(quarantine["day"], quarantine["reason"], strict=True)
    )
    assert len(computed.rejected) > 20


@pytest.mark.slow
def test_some_users_alone_have_the_features_that_they_have_among_all(played: Installation) -> None:
    stored = stored_features(played.lake)
    by_user: dict[str, Lines] = defaultdict(lambda: defaultdict(list))
    for arrived, line in raw_lines(played.lake):
        if (user := user_of(line)) in stored:
            by_user[str(user)][arrived].append(line)
    features = event_features(played.game)

    def of(user: str) -> list[dict[str, Any]]:
        return features.of(by_user[user], LAST).users

    some = sorted(stored)[:24]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(of, some)) == [[stored[user]] for user in some]


FIRST = dt.date(2024, 3, 1)


def make_game(file_format: str = "jsonl", **logs: Any) -> Game:
    return Game(
        name="Test game",
        first_day=FIRST,
        logs=Logs.model_validate({"format": file_format, **logs}),
        fields=Fields(user_id="user", event_time="time", event_type="type", amount="amount"),
        events=Events(activity=("login",), purchases=("buy",)),
        attributes={"country": Attribute(field="country")},
        active_days=5,
        windows=(1, 7),
    )


def a_line(user: str = "a", day: dt.date = FIRST, **changes: Any) -> str:
    facts = {"user": user, "time": f"{day}T10:00:00Z", "type": "login", **changes}
    return json.dumps(facts)


def test_each_active_user_has_the_features_of_the_table() -> None:
    lines = [a_line("b"), a_line("a"), a_line("a", type="buy", amount=2.5, country="KR")]
    computed = event_features(make_game()).of({FIRST: lines}, FIRST)
    assert [user["user_id"] for user in computed.users] == ["a", "b"]
    assert list(computed.users[0]) == user_features_table(make_game()).names
    first, second = computed.users
    assert (first["spend_7d"], first["last_country"], first["events_1d"]) == (2.5, "KR", 2.0)
    assert (second["spend_7d"], second["last_country"]) == (0.0, None)


def test_each_line_that_is_no_event_is_named_with_its_reason() -> None:
    later = FIRST + dt.timedelta(days=1)
    lines = {
        later: ["", "?", a_line(day=later)],
        FIRST: [a_line(), a_line(amount="much"), "\x1f\x8b", "[\n]", "\ud800", a_line("")],
    }
    assert event_features(make_game()).of(lines, later).rejected == [
        RejectedLine(FIRST, 2, "the amount is not a number"),
        RejectedLine(FIRST, 3, "not JSON"),
        RejectedLine(FIRST, 4, "no user id"),
        RejectedLine(FIRST, 5, "not text: bad UTF-8 or longer than 1 MiB"),
        RejectedLine(FIRST, 6, "no user id"),
        RejectedLine(later, 2, "not JSON"),
    ]


@pytest.mark.parametrize("zone", ["Asia/Seoul", "America/New_York"])
def test_a_poisonous_event_is_named_and_other_users_have_their_features(zone: str) -> None:
    times = ["294247-01-10T04:00:54Z", "290309-12-22 (BC) 00:00:00+00", "9999-12-31"]
    lines = [a_line("a", time=time) for time in times]
    features = event_features(make_game().model_copy(update={"time_zone": zone}))
    computed = features.of({FIRST: [*lines, a_line("b")]}, FIRST)
    assert [user["user_id"] for user in computed.users] == ["b"]
    assert [rejected.line for rejected in computed.rejected] == [1, 2, 3]


@pytest.mark.parametrize("late_days", [0, 1])
@pytest.mark.parametrize("is_first_late", [True, False])
def test_the_latest_value_is_that_of_the_later_instant_when_the_clock_is_set_back(
    late_days: int, is_first_late: bool
) -> None:
    day = dt.date(2026, 11, 1)
    last = day + dt.timedelta(days=late_days)
    first_pass = a_line(time="2026-11-01T05:50:00Z", country="first")  # 1:50 in New York
    second_pass = a_line(time="2026-11-01T06:10:00Z", country="second")  # 1:10
    lines = [(day, first_pass), (day, second_pass)]
    if late_days:
        lines = [(last, first_pass), (day, second_pass)]
        if not is_first_late:
            lines = [(day, first_pass), (last, second_pass)]
    features = event_features(make_game().model_copy(update={"time_zone": "America/New_York"}))
    by_day = {arrival: [line for of, line in lines if of == arrival] for arrival in (day, last)}
    (user,) = features.of(by_day, last).users
    assert user["last_country"] == "second"


def test_a_line_over_several_lines_keeps_the_numbers_of_those_after_it() -> None:
    whole = json.dumps(json.loads(a_line("a")), indent=1)
    computed = event_features(make_game()).of({FIRST: [whole, "?"]}, FIRST)
    assert [user["user_id"] for user in computed.users] == ["a"]
    assert computed.rejected == [RejectedLine(FIRST, 2, "not JSON")]


@pytest.mark.parametrize("file_format", ["jsonl", "csv", "parquet"])
def test_an_event_that_a_rule_leaves_out_is_neither_counted_nor_rejected(file_format: str) -> None:
    game = make_game(file_format, leave_out=[{"field": "type", "values": ["page"]}])
    features = event_features(game).of({FIRST: [a_line(), a_line(type="page")]}, FIRST)
    assert features.rejected == []
    assert [user["events_1d"] for user in features.users] == [1.0]


def test_who_is_not_active_on_the_day_has_no_features() -> None:
    features = event_features(make_game())
    lines = {FIRST: [a_line("a"), a_line("b", type="other")]}
    for days, users in ((0, ["a"]), (4, ["a"]), (5, []), (-1, [])):
        computed = features.of(lines, FIRST + dt.timedelta(days=days))
        assert [user["user_id"] for user in computed.users] == users


def test_nothing_gives_nothing_also_after_something() -> None:
    features = event_features(make_game())
    assert len(features.of({FIRST: [a_line(), "?"]}, FIRST).users) == 1
    empty: list[Lines] = [{}, {FIRST: []}, {FIRST: [""]}]
    for nothing in empty:
        computed = features.of(nothing, FIRST)
        assert (computed.users, computed.rejected) == ([], [])


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_events_come_as_objects_of_json_whatever_the_format_of_files(file_format: str) -> None:
    lines = {FIRST: [a_line(), a_line(type="buy", amount=3)]}
    expected = event_features(make_game()).of(lines, FIRST)
    assert event_features(make_game(file_format)).of(lines, FIRST) == expected


def test_an_amount_of_an_event_is_divided_as_in_files() -> None:
    game = make_game()
    cents = Fields.model_validate(
        {**game.fields.model_dump(), "amount": {"field": "amount", "divided_by": 100}}
    )
    lines = {FIRST: [a_line(type="buy", amount=250), a_line()]}
    (user,) = event_features(game.model_copy(update={"fields": cents})).of(lines, FIRST).users
    assert user["spend_7d"] == 2.5


def test_an_event_of_a_game_with_kinds_of_files_names_its_own() -> None:
    kinds = {
        "sessions": {"files": "sessions/*", "format": "csv"},
        "revenue": {
            "files": "revenue/*",
            "fields": {"event_type": {"constant": "purchase"}, "amount": "price"},
        },
    }
    game = Game(
        name="a",
        first_day=START,
        logs=Logs.model_validate({"kinds": kinds}),
        fields=Fields(user_id="u", event_time="t", event_type="e", amount="amount"),
        events=Events(purchases=("purchase",)),
    )
    own = {"u": "u1", "t": f"{START}T10:00:00Z"}
    lines = [
        own | {"e": "play", "_kind": "sessions"},
        own | {"e": "play"},
        own | {"price": 2.5, "_kind": "revenue"},
        own | {"u": "", "_kind": "revenue"},
        own | {"_kind": "other"},
    ]
    computed = event_features(game).of({START: [json.dumps(it) for it in lines]}, START)
    assert computed.rejected == [
        RejectedLine(START, 2, "no _kind, one of revenue, sessions"),
        RejectedLine(START, 4, "no user id"),
        RejectedLine(START, 5, "no _kind, one of revenue, sessions"),
    ]
    (user,) = computed.users
    assert (user["events_1d"], user["spend_1d"]) == (2, 2.5)


def test_games_share_an_engine_and_nothing_else() -> None:
    utc = event_features(make_game())
    seoul = event_features(make_game().model_copy(update={"time_zone": "Asia/Seoul"}))
    late = {FIRST: [a_line(time=f"{FIRST}T20:00:00Z")]}
    for _ in range(2):
        assert [user["days_since_active"] for user in utc.of(late, FIRST).users] == [0.0]
        assert seoul.of(late, FIRST).rejected == [
            RejectedLine(FIRST, 1, "dated after its arrival day")
        ]


def test_no_file_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    event_features(make_game()).of({FIRST: [a_line()] * 1_000}, FIRST)
    assert list(tmp_path.iterdir()) == []
