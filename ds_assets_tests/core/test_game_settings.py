"""Every key of the game file says what its change means; versions differ by what takes effect."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.game_settings import (
    ACTIVITY,
    COHORTS,
    FEATURES,
    GAME_KEYS,
    LIFETIMES,
    Consequence,
    GameSettings,
    describe_key,
    find_changes,
    list_keys,
    needs_again,
    settings_of,
)
from ds_assets.core.lineage import lineage_of
from ds_assets.game import Game
from ds_assets_tests.core.factories import make_game

COMPLETE: dict[str, Any] = {
    "name": "Complete game",
    "first_day": "2026-01-01",
    "last_day": "2026-12-31",
    "closed_days": ["2026-03-03", "2026-02-02"],
    "time_zone": "Asia/Seoul",
    "logs": {
        "null_user_ids": ["0", "-1"],
        "duplicate_days": 7,
        "marker": "_SUCCESS",
        "kinds": {"revenue": {"files": "revenue*", "fields": {"user_id": ["a", "b"]}}},
    },
    "fields": {
        "user_id": "user.id",
        "event_time": "ts",
        "event_type": "type",
        "event_id": "id",
        "amount": "amount",
        "currency": "currency",
    },
    "events": {"activity": ["play", "login"], "purchases": ["buy"], "counted": ["win", "lose"]},
    "currencies": {"USD": 1, "KRW": 0.0007},
    "properties": {"score": "match.score"},
    "attributes": {"country": {"field": "country"}, "level": {"field": "lv", "type": "number"}},
    "targets": {"big": {"spend_at_least": 50, "horizon": 30}},
    "clusters": 4,
    "cohorts": {"by": "country", "cost_per_user": {"KR": 1.5, "S.Korea v2": 2}},
    "promotions": {
        "bundle": {
            "who": "churn_probability > 0.4",
            "value": {"cost": 0.5, "currency": "USD"},
            "as_before": {"offer": "old_bundle", "share": "20%"},
            "from": "2026-03-01",
        }
    },
    "holdout": "5%",
}
"""A game file with every kind of key."""

OTHER_VALUES: Mapping[str, Any] = {
    "logs": {**COMPLETE["logs"], "times_without_zone": "UTC"},
    "time_zone": "Europe/Berlin",
    "clock_skew_minutes": 60,
    "active_days": 14,
    "windows": [1, 7, 28],
    "grace_days": 2,
    "closed_days": ["2026-02-02"],
    "currencies": {"USD": 1, "KRW": 0.0008},
    "properties": {},
    "attributes": {"country": {"field": "country"}},
    "targets": {},
    "clusters": {"min": 3, "max": 4},
    "cohorts": {},
}


def version(**changes: Any) -> GameSettings:
    return settings_of(Game.model_validate(COMPLETE | changes))


def changes_to(**changes: Any) -> list[str]:
    return find_changes(version(), version(**changes))


def test_every_key_of_the_game_file_says_what_its_change_means() -> None:
    assert sorted(list_keys()) == sorted(declared.key for declared in GAME_KEYS)


def test_every_key_is_declared_once_with_a_reason() -> None:
    keys = [declared.key for declared in GAME_KEYS]
    assert len(set(keys)) == len(keys)
    assert all(declared.effect for declared in GAME_KEYS)


def test_every_value_of_a_game_file_belongs_to_a_declared_key() -> None:
    assert [key for key in version().values if describe_key(key) is None] == []


def test_keys_name_assets_of_the_graph_and_those_that_are_made_again_read_the_file() -> None:
    assets = {*lineage_of(Game.model_validate(COMPLETE)), "NAME_model"}
    for declared in GAME_KEYS:
        assert set(declared.assets) <= assets
        if declared.consequence is Consequence.AGAIN:
            assert declared.assets
            assert set(declared.assets) <= {ACTIVITY, LIFETIMES, FEATURES, COHORTS}


@pytest.mark.parametrize("key", OTHER_VALUES)
def test_a_changed_key_is_found_by_its_name(key: str) -> None:
    changes = changes_to(**{key: OTHER_VALUES[key]})
    assert changes
    assert all(change.startswith(key) for change in changes)


def test_an_attribute_that_is_added_is_found_by_its_name() -> None:
    attributes = COMPLETE["attributes"] | {"channel": {"field": "channel"}}
    assert changes_to(attributes=attributes) == ["attributes.channel.field"]


def test_the_order_of_fields_and_what_is_made_of_them_belong_to_the_key_of_the_field() -> None:
    fields = COMPLETE["fields"]
    for other in (["a", "b"], {"joined": ["a", "b"]}, {"constant": "a"}):
        changed = fields | {"event_type": other}
        assert changes_to(fields=changed) == ["fields.event_type"]
        assert needs_again("fields.event_type", ACTIVITY)
    ways = [version(fields=fields | {"user_id": list(order)}) for order in ("ab", "ba")]
    assert find_changes(*ways) == ["fields.user_id"]
    (key,) = changes_to(properties={"score": ["match.score", "score"]})
    assert key == "properties.score"


def test_weekdays_on_which_a_game_is_closed_belong_to_the_closed_days() -> None:
    assert changes_to(closed_days=[*COMPLETE["closed_days"], "saturday"]) == ["closed_days"]
    assert changes_to(closed_days=COMPLETE["closed_days"][::-1]) == []


def test_a_currency_may_have_a_dot_in_its_name() -> None:
    (key,) = changes_to(currencies=COMPLETE["currencies"] | {"gems.v2": 0.01})
    assert key == "currencies.gems.v2"
    assert needs_again(key, ACTIVITY)


def test_cohorts_are_made_again_for_another_attribute_and_keep_their_costs() -> None:
    by_all = {"cost_per_user": {"all": 2}}
    changes = changes_to(cohorts=by_all)
    assert changes == [
        "cohorts.by",
        "cohorts.cost_per_user.KR",
        "cohorts.cost_per_user.S.Korea v2",
        "cohorts.cost_per_user.all",
    ]
    assert [key for key in changes if needs_again(key, COHORTS)] == ["cohorts.by"]


def test_the_first_day_and_the_third_arm_of_a_promotion_are_keys_as_they_are_written() -> None:
    (bundle,) = COMPLETE["promotions"].values()
    other = {**bundle, "from": "2026-03-02", "as_before": {"offer": "old", "share": 0.2}}
    changes = changes_to(promotions={"bundle": other})
    assert changes == ["promotions.bundle.as_before", "promotions.bundle.from"]


def test_a_longer_window_has_duplicates_of_more_days_unless_their_number_is_given() -> None:
    assert changes_to(windows=[1, 28, 60]) == ["windows"]
    before = version(logs={})
    after = version(logs={}, windows=[1, 28, 60])
    assert find_changes(before, after) == ["logs.duplicate_days", "windows"]


def test_without_ids_no_event_is_a_duplicate_whatever_the_windows() -> None:
    fields = {name: path for name, path in COMPLETE["fields"].items() if name != "event_id"}
    before = version(fields=fields, logs={})
    assert find_changes(before, version(fields=fields, logs={}, windows=[1, 28])) == ["windows"]


@given(st.permutations(["play", "login", "win"]), st.permutations(["2026-03-03", "2026-02-02"]))
def test_the_order_of_a_list_and_repetition_of_the_default_change_nothing(
    activity: list[str], closed: list[str]
) -> None:
    before = version(events={"activity": ["login", "play", "win"]}, targets={})
    after = version(
        events={"activity": activity, "sessions": []},
        closed_days=closed,
        targets={},
        active_days=28,
        horizons={"churn": 14},
    )
    assert find_changes(before, after) == []
    assert before.fingerprint == after.fingerprint


@given(st.sets(st.sampled_from(sorted(version().values)), min_size=1))
def test_a_key_that_a_release_adds_differs_from_nothing_as_long_as_it_has_its_default(
    added: set[str],
) -> None:
    game = make_game()
    after = settings_of(game)
    defaults = {
        key
        for key in after.values
        if key not in {"name", "first_day"} and not key.startswith(("fields.", "attributes."))
    }
    older = {key: value for key, value in after.values.items() if key not in added & defaults}
    assert find_changes(GameSettings(json.dumps(older)), after) == []


def test_a_changed_default_is_a_change() -> None:
    before = dict(version().values) | {"clock_skew_minutes": 5}
    assert find_changes(GameSettings(json.dumps(before)), version()) == ["clock_skew_minutes"]


def test_a_key_of_another_release_makes_nothing_again() -> None:
    before = GameSettings(json.dumps(dict(version().values) | {"future.key": 1}))
    assert find_changes(before, version()) == ["future.key"]
    assert not needs_again("future.key", ACTIVITY)


@pytest.mark.parametrize(
    ("key", "asset"),
    [
        ("events.purchases", ACTIVITY),
        ("time_zone", ACTIVITY),
        ("active_days", FEATURES),
        ("currencies.KRW", ACTIVITY),
        ("attributes.country.type", FEATURES),
        ("clock_skew_minutes", ACTIVITY),
        ("events.activity", ACTIVITY),
    ],
)
def test_days_whose_meaning_a_key_changes_are_made_again(key: str, asset: str) -> None:
    assert needs_again(key, asset)


@pytest.mark.parametrize("key", ["name", "checks.min_event_share", "clusters.max", "user_groups"])
def test_other_keys_leave_stored_days_as_they_are(key: str) -> None:
    assert not any(needs_again(key, asset) for asset in lineage_of(make_game()))


def test_the_game_file_of_the_demo_is_understood() -> None:
    file = Path(__file__).parents[2] / "ds_assets" / "demo" / "game.yaml"
    game = Game.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    assert find_changes(settings_of(game), settings_of(game)) == []


def test_the_docs_list_every_key_with_what_its_change_means() -> None:
    docs = Path(__file__).parents[2] / "docs" / "operations.md"
    rows = [
        f"| `{it.key}` | {it.consequence} | {', '.join(f'`{asset}`' for asset in it.assets)} | "
        f"{it.effect} |"
        for it in GAME_KEYS
    ]
    start = "| key | a change is | assets | effect |\n|---|---|---|---|\n"
    _, _, table = docs.read_text(encoding="utf-8").partition(start)
    assert table.split("\n\n")[0].splitlines() == rows
