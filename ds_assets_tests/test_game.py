import datetime as dt
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ds_assets.errors import InputError
from ds_assets.game import Csv, CustomTarget, Events, Game, Logs, load_game
from ds_assets.game_parts import IDENTIFIER
from ds_assets.settings import DEMO_GAME
from ds_assets_tests.core.factories import make_game

LEAST: dict[str, Any] = {
    "name": "A game",
    "first_day": dt.date(2026, 1, 1),
    "fields": {"user_id": "user", "event_time": "time", "event_type": "type"},
}
MONEY = LEAST["fields"] | {"amount": "amount", "currency": "currency"}
PAID = {"fields": {**LEAST["fields"], "amount": "a"}, "events": {"purchases": ["buy"]}}
"""What spend needs."""

on_one_file = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def load(content: object, folder: Path) -> Game:
    path = folder / "game.yaml"
    text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
    path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    return load_game(path)


def mistakes(content: object, folder: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(content, folder)
    head, *lines = str(caught.value).splitlines()
    count = f"{len(lines)} mistake{'s' if len(lines) > 1 else ''}:"
    assert head == f"the game file {folder / 'game.yaml'} has {count}"
    return [line.removeprefix("  - ") for line in lines]


def test_three_keys_are_a_game_and_everything_else_has_a_default(tmp_path: Path) -> None:
    game = load(LEAST, tmp_path)
    assert (game.name, game.first_day, game.last_day) == ("A game", dt.date(2026, 1, 1), None)
    assert (game.time_zone, game.active_days, game.windows) == ("UTC", 28, (1, 3, 7, 14, 28, 90))
    assert (game.horizons.churn, game.horizons.payment, game.grace_days) == (14, 14, 0)
    assert (game.logs.format, game.logs.path, game.events.activity) == (
        "jsonl",
        "dt=%Y-%m-%d",
        None,
    )


def test_the_demos_game_file_is_valid() -> None:
    assert load_game(DEMO_GAME).name


@pytest.mark.parametrize(("longest", "lookback"), [(30, 56), (57, 57)])
def test_the_lookback_is_the_longest_window_and_eight_weeks_at_least(
    longest: int, lookback: int, tmp_path: Path
) -> None:
    game = load(LEAST | {"windows": [7, longest]}, tmp_path)
    assert (game.lookback_days, game.duplicate_days) == (lookback, longest)


def test_maturity_is_the_horizon_with_the_grace(tmp_path: Path) -> None:
    assert load(LEAST | {"grace_days": 2}, tmp_path).maturity_days(14) == 16


def test_values_by_which_lines_are_left_out_are_compared_as_they_stand_in_a_line(
    tmp_path: Path,
) -> None:
    rule = {"field": "is_bot", "values": [True, 1, "yes"]}
    game = load(LEAST | {"logs": {"leave_out": [rule]}}, tmp_path)
    assert game.logs.leave_out[0].values == ("true", "1", "yes")


def test_one_number_of_clusters_fixes_it(tmp_path: Path) -> None:
    clusters = load(LEAST | {"clusters": 5}, tmp_path).clusters
    assert (clusters.min, clusters.max) == (5, 5)


def csv(**keys: object) -> dict[str, object]:
    return {"logs": {"format": keys.pop("format", "csv"), "csv": keys}}


def test_csv_may_be_written_in_many_ways(tmp_path: Path) -> None:
    keys = {"delimiter": "\t", "quote": "", "decimal": ",", "thousands": ".", "header": ["u", "t"]}
    assert load(LEAST | csv(**keys), tmp_path).logs.csv.model_dump() == keys | {
        "header": ("u", "t")
    }


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"name": ""}, "name: found ''; String should have at least 1"),
        ({"name": 5}, "name: found 5; Input should be a valid string"),
        ({"first_day": "soon"}, "first_day: found 'soon'; Input should be a valid date"),
        ({"first_day": 20260101}, "first_day: found 20260101; write a date, for example"),
        ({"first_day": 0}, "first_day: found 0; write a date, for example 2026-01-31"),
        ({"first_day": True}, "first_day: found True; write a date, for example 2026-01-31"),
        (
            {"closed_days": [1]},
            "closed_days: found [1]; 1 is no day; write a date such as 2026-01-31, or saturday",
        ),
        ({"closed_days": ["Caturday"]}, "closed_days: found ['Caturday']; 'Caturday' is no day"),
        ({"closed_days": 5}, "closed_days: found 5; must be a list"),
        (
            {"last_day": dt.date(2025, 12, 31)},
            "last_day: found 2025-12-31; must not be before first_day (2026-01-01)",
        ),
        ({"time_zone": "Mars"}, "time_zone: found 'Mars'; must be the name of a time zone, for"),
        ({"time_zone": "America"}, "time_zone: found 'America'; must be the name of a time zone"),
        ({"time_zone": ""}, "time_zone: found ''; must be the name of a time zone"),
        ({"logs": {"path": "%Y-%m"}}, "logs.path: found '%Y-%m'; must hold %Y, %m and %d, for"),
        ({"logs": {"path": "%y/%m"}}, "logs.path: found '%y/%m'; %y is not supported; use %Y"),
        ({"logs": {"path": "/a/%Y%m%d"}}, "logs.path: found '/a/%Y%m%d'; is relative to the log"),
        ({"logs": {"path": "../%Y%m%d"}}, "logs.path: found '../%Y%m%d'; '..' is not a name"),
        (csv(delimiter=""), "logs.csv.delimiter: found ''; use one character"),
        (csv(delimiter="::"), "logs.csv.delimiter: found '::'; use one character"),
        (csv(delimiter="\n"), "logs.csv.delimiter: found '\\n'; use one character"),
        (csv(delimiter=9), "logs.csv.delimiter: found 9"),
        (csv(quote="''"), "logs.csv.quote: found \"''\"; use one character"),
        (csv(quote=","), "logs.csv.quote: found ','; must be another character than delimiter"),
        (csv(decimal=";"), "logs.csv.decimal: found ';'; Input should be '.' or ','"),
        (csv(thousands="x"), "logs.csv.thousands: found 'x'; Input should be"),
        (csv(thousands="."), "logs.csv.thousands: found '.'; must be another character than"),
        (csv(decimal=",", thousands=","), "logs.csv.thousands: found ','; must be another"),
        (csv(header=[]), "logs.csv.header: found []; name every column, and each once"),
        (csv(header=["a", "a"]), "logs.csv.header: found ['a', 'a']; name every column"),
        (csv(header="a,b"), "logs.csv.header: found 'a,b'"),
        (csv(header=[1]), "logs.csv.header.0: found 1"),
        (csv(separator=";"), "logs.csv.separator"),
        (csv(format="jsonl", delimiter=";"), "logs.csv: found"),
        (
            {"logs": {"format": "xml"}},
            "logs.format: found 'xml'; Input should be 'jsonl', 'json', 'csv'",
        ),
        ({"logs": {"kinds": {"a": {}}}}, "logs.kinds.a.files: required"),
        (
            {"logs": {"kinds": {"a": {"files": "a*", "csv": {}}}}},
            "logs.kinds: found {'a': {'files': 'a*', 'csv': {}}}; a.csv requires a.format: csv",
        ),
        (
            {"logs": {"kinds": {"a": {"files": "a*", "fields": {"amount": "price"}}}}},
            "logs.kinds.a.fields.amount requires fields.amount; files of other kinds may lack it",
        ),
        (
            {
                "logs": {"kinds": {"a": {"files": "a*", "format": "csv"}}},
                "properties": {"x": "a[b]"},
            },
            "a[b]: a column of CSV has no keys",
        ),
        (
            {"logs": {"kinds": {"A b": {"files": "a*"}}}},
            "logs.kinds.A b.[key]: found 'A b'; use up to 48 lower-case letters",
        ),
        (
            {"logs": {"leave_out": {"type": ["page"]}}},
            "logs.leave_out: found {'type': ['page']}; must be a list",
        ),
        (
            {"logs": {"leave_out": [{"field": "type", "values": "page"}]}},
            "logs.leave_out.0.values: found 'page'; must be a list",
        ),
        (
            {"logs": {"leave_out": [{"field": "type", "values": []}]}},
            "logs.leave_out.0.values: found []; must have at least one entry",
        ),
        ({"logs": "jsonl"}, "logs: found 'jsonl'; must be keys with values"),
        ({"fields": MONEY}, "currencies: found {}; required with fields.currency, for example"),
        (
            {"currencies": {"USD": 1}},
            "currencies: found {'USD': 1}; requires fields.currency, the field with the currency",
        ),
        (
            {"currencies": {"USD": 1}, "fields": LEAST["fields"] | {"currency": "currency"}},
            "fields.currency: found 'currency'; requires fields.amount",
        ),
        (
            {"currencies": {"USD": 0}, "fields": MONEY},
            "currencies.USD: found 0; Input should be greater than 0",
        ),
        (
            {"currencies": {"USD": float("inf")}, "fields": MONEY},
            "currencies.USD: found inf; Input should be a finite number",
        ),
        (
            {"fields": LEAST["fields"] | {"user_id": "a..b"}},
            "fields.user_id: found 'a..b'; use a field name, or names joined by dots",
        ),
        (
            {"fields": LEAST["fields"] | {"user_id": "a'b"}},
            'fields.user_id: found "a\'b"; put a name with quotes',
        ),
        (
            {"fields": LEAST["fields"] | {"user_id": []}},
            "fields.user_id: found []; use a field name, or a list of names",
        ),
        (
            {"fields": LEAST["fields"] | {"user_id": ["a", "b["]}},
            "fields.user_id: found ['a', 'b[']; 'b[': use a field name",
        ),
        (
            {"fields": LEAST["fields"] | {"event_type": {"join": ["a", "b"]}}},
            "fields.event_type: found {'join': ['a', 'b']}; use a field, {joined: [FIELD, FIELD]}",
        ),
        (
            {"fields": LEAST["fields"] | {"amount": {"product": ["a"]}}},
            "fields.amount: found {'product': ['a']}; use a field, {product: [FIELD, FIELD]}",
        ),
        (
            {"logs": {"format": "csv"}, "properties": {"level": "params.x[level]"}},
            "params.x[level]: a column of CSV has no keys; for a column that holds JSON write",
        ),
        (
            {"logs": {"time_format": "epoch"}},
            "logs.time_format: found 'epoch'; use iso8601, epoch_seconds,",
        ),
        (
            {"logs": {"time_format": "%Y-%m"}},
            "logs.time_format: found '%Y-%m'; it must have a date",
        ),
        (
            {"logs": {"times_without_zone": "KST"}},
            "logs.times_without_zone: found 'KST'; must be the name of a time zone",
        ),
        (
            {"events": {"counted": {"Level": "LevelUp"}}},
            "events.counted.Level.[key]: found 'Level'; use up to 48",
        ),
        (
            {"events": {"counted": {"level_up": []}}},
            "events.counted.level_up: found []; must have at least one entry",
        ),
        (
            {"events": {"counted": "level_up"}},
            "events.counted: found 'level_up'; must be a list of types, or names with types",
        ),
        ({"events": {"activity": []}}, "events.activity: found []; must have at least one entry"),
        ({"events": {"activity": "play"}}, "events.activity: found 'play'; must be a list"),
        (
            {"events": {"counted": ["A b"]}},
            "events.counted: found ['A b']; 'A b' needs a plain name, as in {level_up: A b}",
        ),
        (
            {"events": {"counted": ["a", "b", "a"]}},
            "events.counted: found ['a', 'b', 'a']; list each type once",
        ),
        (
            {"events": {"activity": ["play"], "passive": ["push_sent"]}},
            "events.passive: found ['push_sent']; activity is given, too; remove one of the two",
        ),
        (
            {"events": {"promotion_shown": ["offer"]}},
            "events: found {'promotion_shown': ['offer']}; promotion_shown needs fields.promotion",
        ),
        (
            {"events": {"refunds": ["refund"]}},
            "events: found {'refunds': ['refund']}; refunds needs fields.amount, the field of what",
        ),
        (
            {"events": {"purchases": ["buy"], "refunds": ["buy"]}},
            "events.refunds: found ['buy']; buy is also in purchases; list it in one of them",
        ),
        ({"properties": {"a" * 49: "x"}}, f"properties.{'a' * 49}.[key]: found '{'a' * 49}'; use"),
        (
            {"attributes": {"time": {"field": "x"}}},
            "attributes.time.[key]: found 'time'; reserved: the table has a column last_time",
        ),
        (
            {"attributes": {"a": {"field": "x", "type": "date"}}},
            "attributes.a.type: found 'date'; Input should be 'text' or 'number'",
        ),
        ({"clock_skew_minutes": 1441}, "clock_skew_minutes: found 1441; Input should be less"),
        ({"active_days": 0}, "active_days: found 0; Input should be greater than or equal to 1"),
        ({"active_days": True}, "active_days: found True; Input should be a valid integer"),
        (
            {"active_days": 91},
            "windows: found (1, 3, 7, 14, 28, 90); the longest window must cover",
        ),
        ({"grace_days": 31}, "grace_days: found 31; Input should be less than or equal to 30"),
        ({"horizons": {"spend": [30, 0]}}, "horizons.spend.1: found 0; Input should be greater"),
        (
            {"horizons": {"spend": [90, 30]}},
            "horizons.spend: found [90, 30]; must be in ascending order without repetition",
        ),
        (
            {"horizons": {"spend": [30]}},
            "horizons: found {'spend': [30]}; spend needs fields.amount, the field of what is paid",
        ),
        (
            PAID | {"horizons": {"spend": [30]}, "events": {}},
            "horizons: found {'spend': [30]}; spend needs events.purchases, the types that are",
        ),
        (
            PAID
            | {
                "horizons": {"spend": [30]},
                "targets": {"spend_30": {"event": ["a"], "horizon": 7}},
            },
            "targets: found {'spend_30': {'event': ['a'], 'horizon': 7}}; spend_30 is a horizon of",
        ),
        (
            {"cohorts": {"by": "channel"}},
            "cohorts: found {'by': 'channel'}; by: found 'channel'; use a text attribute, of which",
        ),
        (
            {
                "attributes": {"level": {"field": "x", "type": "number"}, "ad": {"field": "y"}},
                "cohorts": {"by": "level"},
            },
            "cohorts: found {'by': 'level'}; by: found 'level'; use a text attribute: ad",
        ),
        (
            {"cohorts": {"cost_per_user": {"ads": 2}}},
            "cohorts.cost_per_user: found {'ads': 2}; requires cohorts.by, or the single key all",
        ),
        (
            {"cohorts": {"cost_per_user": {"all": 2}}},
            "cohorts: found {'cost_per_user': {'all': 2}}; cost_per_user needs fields.amount",
        ),
        (
            {"cohorts": {"cost_per_user": {"all": 0}}},
            "cohorts.cost_per_user.all: found 0; Input should be greater than 0",
        ),
        ({"horizons": {"churn": 0}}, "horizons.churn: found 0; Input should be greater than or"),
        ({"windows": []}, "windows: found []; must have at least one entry"),
        ({"windows": [28, 7]}, "windows: found [28, 7]; must be in ascending order without"),
        ({"windows": [7, 7, 28]}, "windows: found [7, 7, 28]; must be in ascending order without"),
        (
            {"windows": [1, 27]},
            "windows: found [1, 27]; the longest window must cover active_days ",
        ),
        ({"windows": [0, 28]}, "windows.0: found 0; Input should be greater than or equal to 1"),
        ({"windows": [28, 3651]}, "windows.1: found 3651; Input should be less than or equal to"),
        ({"clusters": 1}, "clusters: found 1; use a number from 2 to 50, or a range such as"),
        ({"clusters": 51}, "clusters: found 51; use a number from 2 to 50, or a range such as"),
        ({"clusters": True}, "clusters: found True; use a number from 2 to 50, or a range such as"),
        ({"clusters": {"min": 9}}, "clusters.max: found 8; must not be below min (9)"),
        ({"clusters": {"max": 51}}, "clusters.max: found 51; Input should be less than or equal"),
        ({"activ_days": 5}, "activ_days: unknown key"),
        (
            {"targets": {"churn": {"event": ["a"], "horizon": 7}}},
            "targets.churn.[key]: found 'churn'; choose a name other than churn, cluster, ",
        ),
        (
            {"targets": {"Boss": {"event": ["a"], "horizon": 7}}},
            "targets.Boss.[key]: found 'Boss'; use up to 48 lower-case letters",
        ),
        ({"targets": {"a": {"event": ["a"]}}}, "targets.a.horizon: required"),
        (
            {"targets": {"a": {"event": ["a"], "horizon": 0}}},
            "targets.a.horizon: found 0; Input should be greater than or equal to 1",
        ),
        (
            {"targets": {"a": {"event": [], "horizon": 7}}},
            "targets.a.event: found []; name one type at least, and each once",
        ),
        (
            {"targets": {"a": {"event": ["b", "b"], "horizon": 7}}},
            "targets.a.event: found ['b', 'b']; name one type at least, and each once",
        ),
        (
            {"targets": {"a": {"event": [""], "horizon": 7}}},
            "targets.a.event.0: found ''; String should have at least 1 character",
        ),
        (
            {"targets": {"a": {"horizon": 7}}},
            "targets.a: found {'horizon': 7}; use exactly one of event, spend_at_least",
        ),
        (
            {"targets": {"a": {"event": ["b"], "inactive": True, "horizon": 7}}},
            "targets.a: found {'event': ['b'], 'inactive': True, 'horizon': 7}; use exactly one of",
        ),
        (
            {"targets": {"a": {"event": ["b"], "population": "new", "horizon": 7}}},
            "targets.a.population: found 'new'; Input should be 'all', 'never_paid' or 'has_paid'",
        ),
        (
            {"targets": {"a": {"spend_at_least": 0, "horizon": 7}}},
            "targets.a.spend_at_least: found 0; Input should be greater than 0",
        ),
        (
            {"targets": {"a": {"spend_at_least": 5, "horizon": 7}}},
            "targets: found {'a': {'spend_at_least': 5, 'horizon': 7}}; a.spend_at_least needs",
        ),
        (
            {"targets": {"a": {"inactive": True, "population": "has_paid", "horizon": 7}}},
            "targets: found {'a': {'inactive': True, 'population': 'has_paid', 'horizon': 7}}; a ",
        ),
        (
            {"targets": {"a": {"inactive": True, "events": ["b"], "horizon": 7}}},
            "targets.a.events: unknown key",
        ),
        ({"logs": {"zone": "UTC"}}, "logs.zone: unknown key"),
        ({5: 5}, "5: found 5; Keys should be strings"),
    ],
)
def test_a_broken_rule_is_one_line_with_the_key_what_was_found_and_what_is_accepted(
    tmp_path: Path, change: dict[str, Any], line: str
) -> None:
    (message,) = mistakes(LEAST | change, tmp_path)
    assert message.startswith(line)


def test_all_mistakes_of_a_target_are_shown_at_once_those_of_its_form_too(tmp_path: Path) -> None:
    targets = {
        "a": {"events": ["b"], "horizon": 0},
        "b": {"event": [""], "inactive": True, "horizon": 7},
    }
    lines = mistakes(LEAST | {"targets": targets}, tmp_path)
    assert [line.split(";")[0].partition(": found ")[0] for line in lines] == [
        "targets.a",
        "targets.a.horizon",
        "targets.a.events: unknown key",
        "targets.b",
        "targets.b.event.0",
    ]
    assert "use exactly one of event, spend_at_least and inactive" in lines[0]
    assert "use exactly one of event, spend_at_least and inactive" in lines[3]


@pytest.mark.parametrize(
    "change",
    [
        {"last_day": dt.date(2026, 1, 1)},
        {"first_day": "2026-01-01"},
        {"fields": MONEY, "currencies": {"USD": 1, "KRW": 0.00072}},
        {"active_days": 90},
        {"active_days": 3650, "windows": [3650]},
        {"windows": [28]},
        {"windows": [1, 28, 3650]},
        {"grace_days": 30, "clock_skew_minutes": 0, "horizons": {"churn": 1, "payment": 365}},
        {"clusters": 2},
        {"clusters": {"min": 50, "max": 50}},
        {"properties": {"a" * 48: "x.y"}},
        {"events": {"activity": None}},
        {"time_zone": "Asia/Seoul"},
    ],
)
def test_the_ends_of_what_is_accepted_are_accepted(tmp_path: Path, change: dict[str, Any]) -> None:
    load(LEAST | change, tmp_path)


def test_all_mistakes_are_told_at_once_also_of_keys_that_must_fit_each_other(
    tmp_path: Path,
) -> None:
    wrong = {
        "name": "",
        "last_day": dt.date(2025, 1, 1),
        "time_zone": "Mars",
        "windows": [1, 2],
        "clusters": {"min": 9, "max": 4},
        "currencies": {"USD": 1},
        "color": "blue",
    }
    keys = {line.split(":")[0] for line in mistakes(LEAST | wrong, tmp_path)}
    assert keys == {*wrong, "clusters.max"} - {"clusters"}


def test_an_empty_mapping_misses_what_is_needed(tmp_path: Path) -> None:
    assert mistakes({}, tmp_path) == [f"{key}: required" for key in LEAST]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "NoneType"),
        ("[1]", "list"),
        ("text", "str"),
        ("2026-01-01", "date"),
        ("!!set {a}", "set"),
    ],
)
def test_a_file_without_keys_says_what_it_holds(tmp_path: Path, text: str, kind: str) -> None:
    with pytest.raises(InputError, match=f"must contain keys and values; found {kind}"):
        load(text, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "a: [1",
        "a: *b",
        "a: 2026-02-30",
        "a: !!int ''",
        "a: !!bool maybe",
        "a: !!timestamp soon",
        "a: !!python/object:os.system x",
        "? [1]\n: 2",
        "[" * 900,
        f"a: {'[' * 5000}",
        "a: \0",
    ],
)
def test_what_is_not_yaml_is_a_plain_mistake(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"game\.yaml is not valid YAML: "):
        load(text, tmp_path)


def test_a_file_that_is_not_there_says_how_to_name_another(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no game file at .*; .*DS_ASSETS_GAME"):
        load_game(tmp_path / "game.yaml")


def test_a_file_that_cannot_be_read_is_a_plain_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_game(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("name: é".encode("latin-1"))
    with pytest.raises(InputError, match="cannot be read"):
        load_game(tmp_path / "latin.yaml")


@pytest.mark.parametrize("twice", ["name: Another\n", "windows: [1]\nwindows: [2]\n"])
def test_a_key_that_is_there_twice_is_named_with_its_line(tmp_path: Path, twice: str) -> None:
    text = yaml.safe_dump(LEAST) + twice
    (tmp_path / "game.yaml").write_text(text, encoding="utf-8")
    key = twice.split(":", maxsplit=1)[0]
    with pytest.raises(InputError, match=rf"duplicate key {key}\n.*line {len(text.splitlines())}"):
        load_game(tmp_path / "game.yaml")


def test_a_number_too_long_to_show_is_a_plain_mistake(tmp_path: Path) -> None:
    text = yaml.safe_dump(LEAST) + f"active_days: 0x{'f' * 5000}\n"
    (line,) = mistakes(text, tmp_path)
    assert line.startswith("active_days: found a value of type int, too large to show; ")


def test_a_file_that_holds_itself_is_a_plain_mistake(tmp_path: Path) -> None:
    lines = mistakes("&a\nname: *a\nfields: *a\nattributes: {x: *a}", tmp_path)
    assert any(line.startswith("name: found {'name': {...}") for line in lines)


@on_one_file
@given(text=st.text())
def test_no_text_makes_anything_but_a_plain_mistake(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as caught:
        load(text, tmp_path)
    assert str(caught.value).encode()


YAML_WORDS = st.sampled_from(
    ["a", "1", "- ", ": ", "? ", "\n", "  ", "[", "]", "{", "}", ", ", "&x ", "*x", "<<", "|", ">"]
    + ["'", '"', "#", "%", "---", "...", "~", "yes", "1:2", "0x", "0o", "1e9", ".inf", "-", "+"]
    + ["2026-01-01", "T1:1:1", "+99:99", "\\ud800", "\t", "=", "@"]
    + [
        f"!!{tag} "
        for tag in ("int", "float", "bool", "timestamp", "binary", "set", "omap", "null")
    ]
    + [*LEAST, "windows", "clusters", "events", "attributes"]
)


@on_one_file
@given(words=st.lists(YAML_WORDS, max_size=12), before=st.sampled_from(["", "a: ", "windows: "]))
def test_no_yaml_makes_anything_but_a_plain_mistake(
    tmp_path: Path, words: list[str], before: str
) -> None:
    with pytest.raises(InputError):
        load(before + "".join(words), tmp_path)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.dates()
    | st.datetimes()
    | st.binary(max_size=4)
    | st.sampled_from([28, [1, 28], "UTC", "%Y%m%d", {"a": {"field": "b"}}])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["field", "min", "amount", "a"])
            | SCALARS.filter(lambda key: not isinstance(key, list | dict)),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@pytest.mark.slow
@on_one_file
@given(changes=st.dictionaries(st.sampled_from([*Game.model_fields]), VALUES, max_size=5))
def test_no_content_makes_anything_but_a_game_or_a_plain_mistake(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    with suppress(InputError):
        load(LEAST | changes, tmp_path)


def test_targets_need_the_events_that_are_not_counted_yet_each_once() -> None:
    game = make_game(
        events=Events(counted={"raid": ("raid",)}),
        targets={
            "a": CustomTarget(event=("duel", "raid"), horizon=7),
            "b": CustomTarget(event=("quest", "duel"), horizon=3),
        },
    )
    assert game.target_event_types == {"duel": "duel", "quest": "quest"}
    assert make_game().target_event_types == {}


def test_a_count_has_a_name_and_types_in_their_own_spelling() -> None:
    events = Events.model_validate({"counted": {"level_up": "Level Up", "win": ["Win", "win!"]}})
    assert events.counted == {"level_up": ("Level Up",), "win": ("Win", "win!")}
    assert Events.model_validate({"counted": ["a", "b"]}).counted == {"a": ("a",), "b": ("b",)}


def test_a_target_names_counts_or_types_in_any_spelling() -> None:
    events = Events.model_validate({"counted": {"level_up": "Level Up", "win": ["Win", "win!"]}})
    names = ["level_up", "Level Up", "win", "Win", "quest", "Quest", "QUEST!"]
    target = CustomTarget.model_validate({"event": names, "horizon": 7})
    game = make_game(events=events, targets={"progress": target})
    counts = {name: game.count_name(name) for name in names}
    assert counts["level_up"] == counts["Level Up"] == "level_up"
    assert counts["win"] == "win"
    assert counts["quest"] == "quest"
    assert len(set(counts.values())) == len(names) - 1
    assert all(IDENTIFIER.fullmatch(name) for name in counts.values())
    assert list(game.target_event_types.values()) == ["Win", "quest", "Quest", "QUEST!"]
    named = game.event_types["targets.progress.event"]
    assert named == ("Level Up", "Level Up", "Win", "win!", "Win", "quest", "Quest", "QUEST!")


@given(st.text(min_size=1))
def test_every_type_has_a_count_with_a_plain_name(event: str) -> None:
    assert IDENTIFIER.fullmatch(make_game().count_name(event))


def test_files_of_a_kind_are_written_as_it_says_and_else_as_all_are(tmp_path: Path) -> None:
    logs = {
        "format": "csv",
        "time_format": "epoch_seconds",
        "csv": {"delimiter": ";"},
        "kinds": {
            "sessions": {"files": "sessions/*"},
            "revenue": {
                "files": "*revenue*",
                "format": "jsonl",
                "times_without_zone": "Asia/Seoul",
                "fields": {"user_id": "player"},
            },
        },
    }
    game = load(LEAST | {"logs": logs}, tmp_path)
    sessions, revenue = map(game.of_kind, ("sessions", "revenue"))
    assert sessions == game.model_copy(update={"logs": game.logs.model_copy(update={"kinds": {}})})
    assert revenue.logs.model_dump(include={"format", "time_format", "times_without_zone"}) == {
        "format": "jsonl",
        "time_format": "epoch_seconds",
        "times_without_zone": "Asia/Seoul",
    }
    assert revenue.logs.csv == Csv()
    assert revenue.fields == game.fields.model_copy(update={"user_id": "player"})


@pytest.mark.parametrize(
    ("file", "kinds"),
    [
        ("sessions/dt=2026-01-01/a.csv", ["sessions"]),
        ("revenue.csv.gz", ["revenue"]),
        ("sessions/revenue", ["sessions", "revenue"]),
        ("Sessions/a", []),
    ],
)
def test_the_kind_of_a_file_is_found_by_its_name(file: str, kinds: list[str]) -> None:
    logs = {"kinds": {"sessions": {"files": "sessions/*"}, "revenue": {"files": "*revenue*"}}}
    assert Logs.model_validate(logs).find_kinds(file) == kinds


def test_a_day_needs_files_of_each_kind_that_is_not_optional() -> None:
    kinds = {
        "a": {"files": "a*"},
        "b": {"files": "b*"},
        "c": {"files": "c*", "optional": True},
    }
    logs = Logs.model_validate({"kinds": kinds})
    assert logs.missing_kinds(["a1", "a2"]) == ["b"]
    assert logs.missing_kinds(["a1", "b"]) == []
    assert Logs().missing_kinds(["a1"]) == []
