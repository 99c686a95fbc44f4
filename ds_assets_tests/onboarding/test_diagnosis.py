"""Names of the game file that no line has are found with their key."""

import yaml

from ds_assets.game import Game
from ds_assets.infra.engines.log_sample import LogSample
from ds_assets.onboarding.diagnosis import find_unused_names

GAME = Game.model_validate(
    yaml.safe_load("""
    name: game
    first_day: 2026-01-01
    fields: {user_id: u, event_time: t, event_type: e, amount: amuont}
    events: {purchases: [buy], counted: [win_1]}
    properties: {score: match.score}
    attributes: {home_country: {field: geo.country}}
    targets: {level_10: {event: [level], horizon: 7}}
    """)
)
USED = {"user_id": 9, "event_time": 9, "event_type": 9, "amount": 9, "property_score": 9}


def test_each_field_is_named_by_its_key_and_its_path() -> None:
    values = dict.fromkeys([*USED, "attribute_home_country"], 0) | {"user_id": 1, "event_time": 1}
    sample = LogSample(1, values, frozenset({"buy", "win_1", "level"}))
    assert find_unused_names(GAME, sample) == [
        "fields.event_type: no line has the field e",
        "fields.amount: no line has the field amuont",
        "properties.score: no line has the field match.score",
        "attributes.home_country.field: no line has the field geo.country",
    ]


def test_each_event_type_is_named_by_its_key_and_the_most_similar_one() -> None:
    sample = LogSample(9, USED | {"attribute_home_country": 9}, frozenset({"by", "win-1"}))
    assert find_unused_names(GAME, sample) == [
        "events.purchases: no line has the event type buy; did you mean by?",
        "events.counted: no line has the event type win_1; did you mean win-1?",
        "targets.level_10.event: no line has the event type level",
    ]


def test_a_field_by_which_lines_are_left_out_is_named_if_no_line_has_it() -> None:
    rules = [{"field": "type", "values": ["page"]}, {"field": "realm", "values": ["test"]}]
    values = {"user_id": 9, "event_time": 9, "event_type": 9, "leave_out_0": 9, "leave_out_1": 0}
    game = Game.model_validate(
        {
            "name": "game",
            "first_day": "2026-01-01",
            "fields": {"user_id": "u", "event_time": "t", "event_type": "e"},
            "logs": {"leave_out": rules},
        }
    )
    assert find_unused_names(game, LogSample(9, values, frozenset())) == [
        "logs.leave_out.1.field: no line has the field realm"
    ]


def test_nothing_is_found_where_every_name_is_used() -> None:
    sample = LogSample(
        9, USED | {"attribute_home_country": 1}, frozenset({"buy", "win_1", "level"})
    )
    assert find_unused_names(GAME, sample) == []
