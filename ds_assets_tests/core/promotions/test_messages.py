"""Messages about changes: what a receiver reads, and the same whenever they are made."""

import datetime as dt
import json

from ds_assets.core.promotions.changes import find_changes, offers_of_day
from ds_assets.core.promotions.messages import build_message, count_messages
from ds_assets.core.tables import PROMOTION_OFFERS
from ds_assets_tests.core.factories import make_game
from ds_assets_tests.infra.factories import DAYS, assignment, assignments

GAME = make_game(time_zone="Asia/Seoul")
CHANGES = find_changes(
    DAYS[1],
    offers_of_day(DAYS[0], assignments(assignment("b"))),
    offers_of_day(DAYS[1], assignments(*(assignment(user, DAYS[1]) for user in ("a", "c🎮")))),
)


def test_a_message_says_what_changed_and_names_nothing_that_is_missing() -> None:
    message = build_message(CHANGES, 1, 2, DAYS[1], GAME)
    entered = {"promotion": "bundle", "change": "entered", "offer": "bundle", "until": "2026-03-05"}
    assert json.loads(message.body) == {
        "type": "promotion.changes",
        "timestamp": "2026-03-03T00:00:00+09:00",
        "data": {
            "game": "Test game",
            "as_of": "2026-03-02",
            "message": 1,
            "messages": 2,
            "changes": [
                {"user_id": "a", "assignment_id": "a-1", **entered},
                {"user_id": "b", "assignment_id": "b-1", "promotion": "bundle", "change": "left"},
            ],
        },
    }
    last = json.loads(build_message(CHANGES, 2, 2, DAYS[1], GAME).body)["data"]
    assert [change["user_id"] for change in last["changes"]] == ["c🎮"]


def test_the_same_message_has_the_same_id_and_any_other_another() -> None:
    message = build_message(CHANGES, 1, 2, DAYS[1], GAME)
    assert message == build_message(CHANGES, 1, 2, DAYS[1], GAME)
    others = [
        build_message(CHANGES, 2, 2, DAYS[1], GAME),
        build_message(CHANGES, 1, 3, DAYS[1], GAME),
        build_message(CHANGES, 1, 2, DAYS[2], GAME),
        build_message(CHANGES, 1, 2, DAYS[1], make_game(name="Other")),
        build_message(CHANGES.slice(1), 1, 2, DAYS[1], GAME),
    ]
    assert len({message.id, *(other.id for other in others)}) == 6


def test_a_day_without_changes_has_no_message() -> None:
    nothing = PROMOTION_OFFERS.arrow_schema.empty_table()
    changes = find_changes(dt.date(2026, 3, 1), nothing, nothing)
    assert [count_messages(changes, 2), count_messages(CHANGES, 2)] == [0, 2]
    assert [count_messages(CHANGES, size) for size in (1, 3, 100)] == [3, 1, 1]
