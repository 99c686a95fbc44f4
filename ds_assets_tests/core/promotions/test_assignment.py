"""Who gets which arm: stable, in the shares that were asked for, and never against a rule."""

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from ds_assets.core.contracts import conform
from ds_assets.core.open_days import add_open_days
from ds_assets.core.promotions.assignment import (
    ARMS,
    CONTROL,
    HOLDOUT,
    TREATED,
    arms_of,
    assign,
    runs_on,
    select_in_effect,
    shares_of,
    version_of,
)
from ds_assets.core.tables import PROMOTIONS
from ds_assets_tests.core.promotions.factories import (
    START,
    arms_by_user,
    assign_days,
    day_of,
    make_candidates,
    make_promoted_game,
    make_promotion,
    user_ids,
)

USERS = user_ids(2_000)
DAYS = [day_of(number) for number in range(6)]
NOTHING = pd.DataFrame(columns=PROMOTIONS.names)


def first_day(game_changes: dict[str, Any] | None = None, **keys: Any) -> pd.DataFrame:
    game = make_promoted_game({"bundle": keys}, **(game_changes or {}))
    return assign(START, {"bundle": make_candidates(USERS)}, NOTHING, game).rows


@settings(max_examples=30)
@given(control=st.floats(0.02, 0.6), name=st.sampled_from(["a", "bundle", "weekend_offer"]))
def test_the_share_of_the_control_is_within_binomial_noise(control: float, name: str) -> None:
    game = make_promoted_game({name: {"control": control, "as_before": None}})
    is_control = arms_of(USERS, game, name) == CONTROL
    assert binomtest(int(is_control.sum()), len(USERS), control).pvalue > 1e-6


@settings(max_examples=20)
@given(smaller=st.floats(0.01, 0.45), larger=st.floats(0.01, 0.45))
def test_a_larger_share_only_adds_users_to_an_arm(smaller: float, larger: float) -> None:
    smaller, larger = sorted([smaller, larger])
    by_share = [
        set(arms_by_user(first_day({"holdout": share}, control=share), "bundle").items())
        for share in (smaller, larger)
    ]
    for arm in (CONTROL, HOLDOUT):
        few, many = ({user for user, its in pairs if its == arm} for pairs in by_share)
        assert few - many <= {user for user, its in by_share[1] if its == HOLDOUT}


@settings(max_examples=10)
@given(order=st.permutations(DAYS), seed=st.randoms())
def test_an_arm_depends_on_no_day_no_order_and_no_version(order: list[dt.date], seed: Any) -> None:
    game = make_promoted_game({"bundle": {"control": 0.3}})
    shuffled = seed.sample(USERS, len(USERS))
    alone = {
        day: arms_by_user(assign(day, {"bundle": make_candidates(shuffled)}, NOTHING, game).rows)
        for day in order
    }
    assert all(arms == alone[START] for arms in alone.values())
    other = make_promoted_game({"bundle": {"control": 0.3, "who": "days_left < 3"}})
    assert version_of(other, "bundle") != version_of(game, "bundle")
    assert list(arms_of(USERS, other, "bundle")) == [alone[START][user] for user in USERS]


def test_promotions_games_and_the_holdout_divide_users_independently() -> None:
    game = make_promoted_game({"a": {}, "b": {}})
    shares = pd.DataFrame(
        {
            "a": shares_of(USERS, game, "a"),
            "b": shares_of(USERS, game, "b"),
            "holdout": shares_of(USERS, game, HOLDOUT),
            "other": shares_of(USERS, make_promoted_game({"a": {}}, name="Another"), "a"),
        }
    )
    correlations = shares.corr().to_numpy()
    assert abs(correlations[~pd.DataFrame(correlations).eq(1).to_numpy()]).max() < 0.1
    assert shares["a"].between(0, 1).all()


def test_arms_are_those_of_every_release() -> None:
    """Another hash would exchange treated users and control of promotions that run."""
    game = make_promoted_game({"bundle": {}}, name="A game")
    assert shares_of(["u1", "é"], game, "bundle").round(6).tolist() == SHARES_OF_RELEASE


SHARES_OF_RELEASE = [0.098347, 0.543117]


def test_three_arms_have_offers_that_clients_show_or_none() -> None:
    rows = first_day({"holdout": 0.1}, as_before={"offer": "old", "share": 0.3}, value={"cost": 2})
    assert set(rows["arm"]) == set(ARMS)
    shown = rows.groupby("arm")["offer"].unique().map(list).to_dict()
    assert shown == {
        "treated": ["bundle"],
        "as_before": ["old"],
        "control": [None],
        HOLDOUT: [None],
    }
    assert set(rows["cost"][rows["arm"] == TREATED]) == {2.0}
    assert set(rows["cost"][rows["arm"] != TREATED]) == {0.0}


def test_a_cost_is_in_the_currency_of_the_reports() -> None:
    money = {
        "fields": {"user_id": "u", "event_time": "t", "event_type": "e", "currency": "c"}
        | {"amount": "a"},
        "currencies": {"USD": 1, "KRW": 0.001},
    }
    rows = first_day(money, value={"cost": 500, "currency": "KRW"})
    assert set(rows["cost"]) == {0.5, 0.0}


def test_rows_conform_to_the_contract_and_ids_are_the_same_again() -> None:
    rows = conform(PROMOTIONS, first_day())
    assert rows == conform(PROMOTIONS, first_day())
    assert len(set(rows["assignment_id"].to_pylist())) == rows.num_rows
    assert set(rows["until"].to_pylist()) == {day_of(14)}


def test_a_user_of_the_holdout_never_gets_any_promotion() -> None:
    game = make_promoted_game({"a": {}, "b": {"priority": 1}}, holdout=0.2)
    rows = pd.concat([it.rows for it in assign_days(game, USERS, DAYS).values()])
    held_out = set(rows["user_id"][rows["arm"] == HOLDOUT])
    assert binomtest(len(held_out), len(USERS), 0.2).pvalue > 1e-6
    assert set(rows["arm"][rows["user_id"].isin(held_out)]) == {HOLDOUT}


@pytest.mark.parametrize("per_day", [1, 37, 200])
def test_a_limit_holds_the_treated_users_and_their_control_comes_with_them(per_day: int) -> None:
    game = make_promoted_game({"bundle": {"per_day": per_day, "control": 0.25}}, holdout=0.1)
    by_day = assign_days(game, USERS, DAYS)
    for day in DAYS:
        counts = by_day[day].counts["bundle"]
        assert counts.arms[TREATED] == per_day
        assert sum(counts.arms.values()) + counts.waiting + counts.cooling_down == len(USERS)
    rows = pd.concat([it.rows for it in by_day.values()])
    assert not rows["user_id"].duplicated().any()
    controls = int((rows["arm"] == CONTROL).sum())
    assert binomtest(controls, max(len(rows), 1), 0.9 * 0.25).pvalue > 1e-6


def test_a_user_gets_a_promotion_again_when_the_cool_down_is_over() -> None:
    game = make_promoted_game({"bundle": {"cool_down": 20}}, closed_days=[day_of(2), day_of(9)])
    days = [day_of(number) for number in range(50)]
    assigned = [day for day, it in assign_days(game, ["u"], days).items() if len(it.rows)]
    assert assigned == [START, day_of(22), day_of(42)]
    assert assigned[1] == add_open_days(START, 20, game.closed_days)


def test_by_default_an_assignment_ends_as_the_next_one_begins() -> None:
    game = make_promoted_game()
    by_day = assign_days(game, ["u"], [day_of(number) for number in range(30)])
    rows = pd.concat([it.rows for it in by_day.values()])
    in_effect = [len(select_in_effect(rows, day)) for day in by_day]
    assert in_effect == [1] * 30


def test_promotions_of_a_group_exclude_each_other_whatever_the_arm() -> None:
    rules = {"a": {"group": "g"}, "b": {"group": "g", "control": 0.5}, "c": {"group": "h"}}
    game = make_promoted_game(rules, holdout=0.1)
    by_day = assign_days(game, USERS, [day_of(number) for number in range(20)])
    rows = pd.concat([it.rows for it in by_day.values()])
    for day in by_day:
        users = select_in_effect(rows[rows["promotion"].isin(["a", "b"])], day)["user_id"]
        assert not users.duplicated().any()
    assert by_day[START].counts["b"].in_group == len(USERS)
    assert len(by_day[START].rows) == 2 * len(USERS)


def test_the_promotion_with_the_larger_priority_chooses_first_and_then_that_of_the_file() -> None:
    rules = {"a": {}, "b": {"priority": 2}, "c": {"priority": 2}, "d": {"priority": -1}}
    assert make_promoted_game(rules).promotion_names == ("b", "c", "a", "d")
    fighting = {"first": {"group": "g"}, "second": {"group": "g", "priority": 1, "per_day": 100}}
    counts = assign_days(make_promoted_game(fighting), USERS, [START])[START].counts
    assert counts["second"].arms[TREATED] == 100
    assert counts["first"].in_group == sum(counts["second"].arms.values())
    assert sum(counts["first"].arms.values()) + counts["first"].in_group == len(USERS)


def test_a_promotion_of_a_group_waits_for_what_is_in_effect_of_another() -> None:
    game = make_promoted_game({"a": {"group": "g", "until": START}, "b": {"group": "g"}})
    by_day = assign_days(game, ["u"], [day_of(number) for number in range(16)])
    assert [day for day, it in by_day.items() if len(it.rows)] == [START, day_of(14)]


def test_few_users_may_all_be_of_one_arm() -> None:
    game = make_promoted_game({"bundle": {"per_day": 5}})
    assert len(assign(START, {"bundle": make_candidates([])}, NOTHING, game).rows) == 0
    (row,) = assign_days(game, ["u"], [START])[START].rows.to_dict("records")
    assert row["arm"] in {TREATED, CONTROL}
    assert assign(START, {}, NOTHING, game).counts == {}


def test_users_whom_the_policy_leaves_out_are_explored_and_arms_are_drawn_from_all_chosen() -> None:
    game = make_promoted_game({"bundle": {"explore": 0.2, "control": 0.3}})
    treats = [number % 4 == 0 for number in range(len(USERS))]
    candidates = {"bundle": make_candidates(USERS, treats=treats)}
    day = assign(START, candidates, NOTHING, game)
    rows, counts = day.rows, day.counts["bundle"]
    is_explored = rows["chosen_by"] == "exploration"
    of_policy = set(rows["user_id"][rows["chosen_by"] == "policy"])
    assert of_policy == {it for it, treated in zip(USERS, treats, strict=True) if treated}
    assert binomtest(int(is_explored.sum()), len(USERS) - len(of_policy), 0.2).pvalue > 1e-6
    assert counts.left_out == len(USERS) - len(rows) > 0
    assert set(rows["weight"][is_explored]) == {5.0}
    assert set(rows["weight"][~is_explored]) == {1.0}
    for some in (rows[is_explored], rows[~is_explored]):
        controls = int((some["arm"] == CONTROL).sum())
        assert binomtest(controls, len(some), 0.3).pvalue > 1e-6


def test_a_policy_that_explores_everybody_leaves_nobody_out() -> None:
    game = make_promoted_game({"bundle": {"explore": "100%"}})
    candidates = {"bundle": make_candidates(USERS, treats=[False] * len(USERS))}
    rows = assign(START, candidates, NOTHING, game).rows
    assert arms_by_user(rows) == arms_by_user(first_day())
    assert set(rows["weight"]) == {1.0}


def test_users_who_wait_or_cool_down_are_not_counted_as_left_out_by_the_policy() -> None:
    game = make_promoted_game({"bundle": {"per_day": 3}})
    candidates = {"bundle": make_candidates(USERS[:40], treats=[True, False] * 20)}
    first = assign(START, candidates, NOTHING, game)
    second = assign(day_of(1), candidates, first.rows, game).counts["bundle"]
    assert second.cooling_down == len(first.rows)
    assert (
        second.qualified
        == len(USERS[:40])
        == sum((second.cooling_down, second.left_out, second.waiting, *second.arms.values()))
    )


def test_arms_from_outside_are_taken_as_they_are_but_for_the_holdout() -> None:
    game = make_promoted_game({"bundle": {"who": None, "assigned_by": "a.csv"}}, holdout=0.5)
    arms = ["treated", "as_before", "control"] * 20
    users = user_ids(60)
    rows = assign(START, {"bundle": make_candidates(users, arms)}, NOTHING, game).rows
    assert set(rows["chosen_by"]) == {"outside"}
    given_arms = dict(zip(users, arms, strict=True))
    kept = rows[rows["arm"] != HOLDOUT]
    assert 0 < len(kept) < 60
    assert all(given_arms[user] == arm for user, arm in arms_by_user(kept).items())
    assert set(rows["offer"][rows["arm"] == "as_before"]) == {None}


def test_a_version_is_of_who_is_compared_with_whom() -> None:
    def version(**keys: Any) -> str:
        return version_of(make_promoted_game({"bundle": keys}), "bundle")

    unchanged = version()
    others = {
        version(who="days_left < 3"),
        version(control=0.2),
        version(target="payment"),
        version(as_before={"offer": "old", "share": 0.1}),
        version_of(make_promoted_game(horizons={"churn": 10}), "bundle"),
    }
    assert len(others - {unchanged}) == 5
    assert version(priority=3, per_day=5, who="churn_probability  >\n 0.4") == unchanged


def test_a_promotion_runs_from_its_first_to_its_last_day() -> None:
    promotion = make_promotion(**{"from": str(day_of(1)), "until": str(day_of(3))})
    assert [runs_on(promotion, day) for day in DAYS] == [False, True, True, True, False, False]
    assert runs_on(make_promotion(), START)
