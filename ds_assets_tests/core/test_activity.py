import datetime as dt
import random
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_assets.core.activity import daily_activity, day_totals
from ds_assets.core.attribute_texts import shorten
from ds_assets.core.game_tables import stored_activity_table, user_activity_table
from ds_assets.game import CustomTarget, Events, Game
from ds_assets.infra.engines.duckdb import DuckDBEngine, open_duckdb
from ds_assets_tests.core.factories import make_game

DAY = dt.date(2026, 3, 10)
NOON = dt.datetime(2026, 3, 10, 12, 0)  # noqa: DTZ001
SCHEMA = (
    "dt date, file bigint, line bigint, reason string, user_id string, event_time timestamp_ntz, "
    "event_date date, event_type string, event_key bigint, amount double, property_minutes double, "
    "attribute_country string, attribute_level double"
)


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    return open_duckdb(512, 2)


def a_game(**changes: Any) -> Game:
    """A game with amounts only where it has refunds."""
    meanings = {
        "activity": ("login", "battle"),
        "purchases": ("buy", "gift"),
        "sessions": ("login",),
        "counted": ("battle",),
    }
    amount = {"amount": "amount"} if "refunds" in changes else {}
    return make_game(
        events=Events(**(meanings | changes)),
        properties={"minutes": "minutes"},
        fields={"user_id": "user", "event_time": "time", "event_type": "type", **amount},
    )


def an_event(event_type: str = "login", **changes: Any) -> tuple[Any, ...]:
    time = changes.get("event_time", NOON)
    event = {
        "dt": DAY,
        "file": 0,
        "line": 0,
        "reason": None,
        "user_id": "u",
        "event_time": time,
        "event_date": time.date() if time else None,
        "event_type": event_type,
        "event_key": None,
        "amount": None,
        "property_minutes": None,
        "attribute_country": None,
        "attribute_level": None,
    }
    return tuple((event | changes).values())


def reduce(
    events: list[tuple[Any, ...]], engine: DuckDBEngine, game: Game | None = None
) -> pd.DataFrame:
    frame = engine.session.createDataFrame(events, SCHEMA)
    rows = engine.to_pandas(daily_activity(frame, game or a_game(), engine))
    return rows.sort_values(["dt", "user_id", "event_date"], ignore_index=True)


def test_the_rows_have_the_tables_columns(engine: DuckDBEngine) -> None:
    assert list(reduce([an_event()], engine).columns) == [
        "dt",
        *user_activity_table(a_game()).names,
    ]


def test_event_types_are_counted_by_what_they_mean(engine: DuckDBEngine) -> None:
    events = [an_event(kind) for kind in ("login", "battle", "battle", "buy", "gift", "chat")]
    row = reduce(events, engine).iloc[0]
    names = ["events", "activities", "sessions", "purchases", "count_battle"]
    assert [row[name] for name in names] == [6, 3, 1, 2, 2]


def test_every_type_is_activity_where_the_game_names_none(engine: DuckDBEngine) -> None:
    row = reduce([an_event("chat"), an_event("buy")], engine, a_game(activity=None)).iloc[0]
    assert row["activities"] == 2


def test_only_amounts_of_purchases_are_spent(engine: DuckDBEngine) -> None:
    events = [an_event("buy", amount=5.0), an_event("gift"), an_event("chat", amount=9.0)]
    assert reduce(events, engine).iloc[0]["spend"] == 5.0


REFUNDED = {"purchases": ("buy",), "refunds": ("refund",), "activity": None}


@pytest.mark.parametrize(
    ("event_type", "amount", "purchases", "spend"),
    [
        ("buy", 5.0, 1, 5.0),
        ("buy", None, 1, 0.0),
        ("buy", 0.0, 0, 0.0),
        ("buy", -5.0, 0, -5.0),
        ("refund", 5.0, 0, -5.0),
        ("refund", -5.0, 0, -5.0),
        ("refund", None, 0, 0.0),
        ("chat", -5.0, 0, 0.0),
    ],
)
def test_a_purchase_has_an_amount_above_zero_or_none_and_a_refund_reduces_spend(
    event_type: str, amount: float | None, purchases: int, spend: float, engine: DuckDBEngine
) -> None:
    row = reduce([an_event(event_type, amount=amount)], engine, a_game(**REFUNDED)).iloc[0]
    assert (row["purchases"], row["spend"]) == (purchases, spend)


def test_a_purchase_for_nothing_counts_where_the_game_says_so(engine: DuckDBEngine) -> None:
    free = a_game(**REFUNDED, free_purchases=True)
    row = reduce([an_event("buy", amount=0.0), an_event("buy", amount=-1.0)], engine, free).iloc[0]
    assert row["purchases"] == 1


def test_every_type_but_the_passive_ones_is_activity(engine: DuckDBEngine) -> None:
    frame = [an_event("chat"), an_event("push_sent"), an_event("never seen before")]
    row = reduce(frame, engine, a_game(activity=None, passive=("push_sent",))).iloc[0]
    assert (row["events"], row["activities"]) == (3, 2)


def test_a_refund_is_no_activity_of_the_user(engine: DuckDBEngine) -> None:
    row = reduce([an_event("refund", amount=5.0)], engine, a_game(**REFUNDED)).iloc[0]
    assert (row["events"], row["activities"]) == (1, 0)


def test_the_time_of_activity_is_that_of_the_last_event_that_counts_as_such(
    engine: DuckDBEngine,
) -> None:
    events = [
        an_event("login", event_time=NOON),
        an_event("battle", event_time=NOON + dt.timedelta(hours=1)),
        an_event("chat", event_time=NOON + dt.timedelta(hours=2)),
        an_event("chat", user_id="v"),
    ]
    active, silent = (row for _, row in reduce(events, engine).iterrows())
    assert active["activity_time"] == NOON + dt.timedelta(hours=1)
    assert pd.isna(silent["activity_time"])


def test_a_refund_gives_no_time_of_activity(engine: DuckDBEngine) -> None:
    row = reduce([an_event("refund", amount=5.0)], engine, a_game(**REFUNDED)).iloc[0]
    assert pd.isna(row["activity_time"])


def test_types_in_their_own_spelling_have_counts_with_plain_names(engine: DuckDBEngine) -> None:
    game = a_game(counted={"fight": ["Battle Won", "battle lost!"]})
    targets = {"quest": CustomTarget.model_validate({"event": ["Quest Done"], "horizon": 7})}
    game = game.model_copy(update={"targets": targets})
    types = ["Battle Won", "battle lost!", "battle_won", "Quest Done", "quest done"]
    row = reduce([an_event(kind) for kind in types], engine, game).iloc[0]
    assert row["count_fight"] == 2
    assert row[f"count_{game.count_name('Quest Done')}"] == 1


def test_refunds_are_counted_for_labels_where_amounts_are_known(engine: DuckDBEngine) -> None:
    events = [an_event("buy", amount=amount) for amount in (5.0, -5.0)]
    game = a_game(**REFUNDED)
    rows = reduce([*events, an_event("refund", amount=1.0)], engine, game)
    assert list(rows["refunds"]) == [2]
    assert list(rows.columns) == ["dt", *stored_activity_table(game).names]


@settings(max_examples=5, derandomize=True)  # each plans its queries
@given(amounts=st.lists(st.integers(-8, 8), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_purchases_and_spend_are_the_same_in_any_order(
    amounts: list[int], seed: int, engine: DuckDBEngine
) -> None:
    kinds = ("buy", "refund", "chat")
    events = [an_event(kinds[n % 3], amount=amount / 4) for n, amount in enumerate(amounts)]
    shuffled = random.Random(seed).sample(events, len(events))
    game = a_game(**REFUNDED)
    pd.testing.assert_frame_equal(reduce(events, engine, game), reduce(shuffled, engine, game))
    paid = [amount / 4 for amount in amounts[::3]]
    taken_back = [abs(amount) / 4 for amount in amounts[1::3]]
    row = reduce(events, engine, game).iloc[0]
    assert row["spend"] == sum(paid) - sum(taken_back)
    assert row["purchases"] == len([amount for amount in paid if amount > 0])


def test_properties_are_summed_and_missing_ones_are_nothing(engine: DuckDBEngine) -> None:
    events = [an_event(property_minutes=1.5), an_event(), an_event(property_minutes=2.0)]
    assert reduce(events, engine).iloc[0]["sum_minutes"] == 3.5
    assert reduce([an_event()], engine).iloc[0]["sum_minutes"] == 0.0


def test_the_latest_known_attribute_stays(engine: DuckDBEngine) -> None:
    hours = [NOON + dt.timedelta(hours=n) for n in range(3)]
    events = [
        an_event(event_time=hours[1], attribute_country="KR", attribute_level=2.0),
        an_event(event_time=hours[0], attribute_country="US", attribute_level=9.0),
        an_event(event_time=hours[2], attribute_level=3.0),
    ]
    row = reduce(events, engine).iloc[0]
    assert (row["last_country"], row["last_level"], row["last_time"]) == ("KR", 3.0, hours[2])


def test_of_attributes_at_one_time_the_greatest_stays_in_any_order(engine: DuckDBEngine) -> None:
    events = [an_event(attribute_country=name) for name in ("JP", "US", "DE")]
    for order in (events, events[::-1]):
        assert reduce(order, engine).iloc[0]["last_country"] == "US"


def test_a_long_attribute_is_cut_and_those_of_two_users_stay_different(
    engine: DuckDBEngine,
) -> None:
    texts = {"u": "X" * 300 + "a", "v": "X" * 300 + "b"}
    events = [an_event(user_id=user, attribute_country=text) for user, text in texts.items()]
    rows = reduce(events, engine).set_index("user_id")
    assert rows["last_country"].to_dict() == {user: shorten(text) for user, text in texts.items()}
    assert rows["last_country"].nunique() == 2


def test_an_attribute_that_no_event_had_is_none(engine: DuckDBEngine) -> None:
    row = reduce([an_event()], engine).iloc[0]
    assert pd.isna(row["last_country"])
    assert pd.isna(row["last_level"])


def test_lines_that_are_not_valid_are_not_counted(engine: DuckDBEngine) -> None:
    events = [an_event(), an_event(reason="no time"), an_event(reason="", user_id=None)]
    assert list(reduce(events, engine)["events"]) == [1]


def test_a_late_event_is_a_row_of_its_own_date(engine: DuckDBEngine) -> None:
    events = [an_event(), an_event(event_time=NOON - dt.timedelta(days=3)), an_event()]
    rows = reduce(events, engine)
    assert list(rows["event_date"].dt.date) == [DAY - dt.timedelta(days=3), DAY]
    assert list(rows["events"]) == [1, 2]


def test_days_and_users_are_kept_apart(engine: DuckDBEngine) -> None:
    tomorrow = DAY + dt.timedelta(days=1)
    events = [an_event(), an_event(user_id="U"), an_event(dt=tomorrow), an_event()]
    assert list(reduce(events, engine)["events"]) == [1, 2, 1]


def test_a_days_totals_tell_late_events_apart(engine: DuckDBEngine) -> None:
    late = an_event(event_time=NOON - dt.timedelta(days=1))
    frame = engine.session.createDataFrame([an_event(), an_event(user_id="v"), late, late], SCHEMA)
    rows = daily_activity(frame, a_game(), engine)
    (totals,) = engine.to_pandas(day_totals(rows, engine)).to_dict("records")
    del totals["dt"]
    assert totals == {"rows": 3, "users": 2, "events": 4, "late_events": 2}
