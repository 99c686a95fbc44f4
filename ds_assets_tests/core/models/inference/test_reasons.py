import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.encoding import Encoding, Feature, FeatureType, encode, fit_encoding
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.game_tables import user_features_table
from ds_assets.core.models.inference import reasons as module
from ds_assets.core.models.inference.reasons import (
    plan_reasons,
    reasons_of_frame,
    reasons_of_users,
    topic_of,
)
from ds_assets.core.models.inference.tree_shap import load_trees, shap_values
from ds_assets.core.models.learning.onnx_export import as_onnx
from ds_assets.game import Attribute, Events, Fields, Game
from ds_assets_tests.core.factories import make_features, make_game
from ds_assets_tests.core.models.tree_factories import make_trees

GAME = make_game(
    events=Events(counted={"battle": ("battle",), "level_up": ("level_up",)}),
    properties={"points": "points", "play_minutes": "minutes"},
)


DECLARED = declare_features(
    GAME.model_copy(
        update={
            "attributes": {
                **GAME.attributes,
                "ad_channel": Attribute(field="channel"),
                "zone": Attribute(field="zone"),
            }
        }
    )
)


def reasons(frame: pd.DataFrame, encoding: Encoding, values: Any) -> pa.StringArray:
    return reasons_of_frame(frame, plan_reasons(encoding, DECLARED, 0), values)


def reasons_of_few(users: Sequence[dict[str, Any]], encoding: Encoding, values: Any) -> list[str]:
    return reasons_of_users(users, plan_reasons(encoding, DECLARED, 0), values)


def code_of(feature: str, game: Game = GAME) -> str:
    return topic_of(feature, {feature.name: feature for feature in declare_features(game)}).code


def encoding_of(frame: pd.DataFrame) -> Encoding:
    def kind(column: pd.Series) -> FeatureType:
        if column.name == "cluster":
            return "id"
        return "number" if pd.api.types.is_numeric_dtype(column) else "text"

    return Encoding(
        features=tuple(Feature(name=str(name), type=kind(frame[name])) for name in frame)
    )


def explained(effects: dict[str, float] | None = None, /, **user: Any) -> list[dict[str, Any]]:
    """Reasons for one user, where each feature has its effect, or all of them a small one."""
    frame = pd.DataFrame({name: [value] for name, value in user.items()})
    given_effects = effects or dict.fromkeys(user, 0.1)
    values = np.array([[given_effects.get(str(name), 0.0) for name in frame]], dtype=np.float32)
    (text,) = reasons(frame, encoding_of(frame), values).to_pylist()
    reasons_of_user: list[dict[str, Any]] = json.loads(text)
    return reasons_of_user


def words(**user: Any) -> str:
    (reason,) = explained(**user)
    return str(reason["words"])


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (
            {"days_since_active": 6.0, "typical_gap": 1.4286},
            "last seen 6 days ago, usually every 1.4 days",
        ),
        (
            {"days_since_active": 0.0, "typical_gap": 1.0, "recency_in_gaps": 0.0},
            "last seen on the last day, usually every day",
        ),
        ({"days_since_active": 1.0, "typical_gap": np.nan}, "last seen on the day before"),
        ({"longest_gap": 3.0}, "last seen at an unknown time"),
        (
            {"active_days_7d": 2.0, "active_days_28d": 12.0, "active_days_90d": 30.0},
            "12 active days in the last 28, 2 in the last 7",
        ),
        (
            {"active_days_7d": 0.0, "active_days_28d": 1.0},
            "1 active day in the last 28, none in the last 7",
        ),
        (
            {"events_1d": 3.0, "events_7d": 40.0, "events_28d": 1340.0},
            "1,340 events in the last 28 days, 40 in the last 7",
        ),
        ({"sessions_7d": 0.0, "sessions_28d": 0.0}, "no session in the last 28 days"),
        ({"sessions_1d": 2.0}, "2 sessions on the last day"),
        (
            {"spend_28d": 9.99, "spend_7d": 0.0},
            "9.99 spent in the last 28 days, nothing in the last 7",
        ),
        ({"spend_28d": 0.0, "spend_7d": 0.0}, "nothing spent in the last 28 days"),
        ({"spend_14d": 5.0, "spend_14000d": 1.0}, "spend 14000d 1"),
        (
            {"count_level_up_7d": 1.0, "count_level_up_28d": 5.0},
            "5 level up events in the last 28 days, 1 in the last 7",
        ),
        (
            {"sum_play_minutes_7d": 30.255, "sum_play_minutes_28d": 120.0},
            "play minutes 120 in the last 28 days, 30.26 in the last 7",
        ),
        ({"sum_points_28d": 0.0}, "points 0 in the last 28 days"),
        (
            {"purchases_28d": 2.0, "purchases_90d": 4.0, "days_since_purchase": 3.0},
            "2 purchases in the last 28 days, the latest 3 days ago",
        ),
        (
            {"purchases_28d": 0.0, "purchases_90d": 1.0, "days_since_purchase": 40.0},
            "no purchase in the last 28 days, the latest 40 days ago",
        ),
        (
            {"purchases_28d": 0.0, "purchases_90d": 0.0, "days_since_purchase": np.nan},
            "no purchase in the last 90 days",
        ),
        ({"purchases_28d": 0.0, "purchases_90d": 1.0}, "no purchase in the last 28 days"),
        ({"purchases_28d": 3.0}, "3 purchases in the last 28 days"),
        (
            {"purchase_days_28d": 1.0, "purchases_28d": 10.0, "days_since_purchase": 3.0},
            "10 purchases in the last 28 days, the latest 3 days ago",
        ),
        ({"days_since_purchase": 3.0}, "purchases, the latest 3 days ago"),
        ({"days_since_purchase": np.nan}, "no purchase in the last 90 days"),
        ({"trend_7d_14d": 0.34}, "coming less often: a third of the usual"),
        ({"trend_7d_14d": 1.0, "trend_1d_3d": 0.0}, "coming as often as usual"),
        ({"trend_7d_14d": 2.0}, "coming more often: twice the usual"),
        ({"trend_7d_14d": 1.5}, "coming more often: 1.5 times the usual"),
        ({"trend_7d_14d": 0.0}, "not seen in the last 7 days"),
        ({"trend_7d_14d": np.nan}, "not seen in the last 14 days"),
        ({"tenure_days": 3.0}, "first seen 3 days ago"),
        ({"tenure_days": np.nan}, "first seen at an unknown time"),
        ({"last_country": "KR"}, "country KR"),
        ({"last_country": None}, "country unknown"),
        ({"last_level": 12.0}, "level 12"),
        ({"last_ad_channel": "tv"}, "ad channel tv"),
        ({"cluster": 3}, "in cluster 3"),
        ({"cluster": np.nan}, "in no cluster"),
        ({"user_group": "whales"}, "in group whales"),
        ({"user_group": None}, "in no group"),
    ],
)
def test_reasons_are_said_in_words_from_the_users_own_values(
    user: dict[str, Any], expected: str
) -> None:
    assert expected in {reason["words"] for reason in explained(**user)}


@pytest.mark.parametrize(
    ("feature", "value", "code", "expected"),
    [
        ("something_new", 0.126, "something_new", "something new 0.13"),
        ("events_21d", 4.0, "events_21d", "events 21d 4"),
        ("last_guild", "red", "last_guild", "last guild red"),
        ("last_guild", None, "last_guild", "last guild unknown"),
    ],
)
def test_a_feature_that_the_game_no_longer_declares_is_given_under_its_plain_name(
    feature: str, value: float | str | None, code: str, expected: str
) -> None:
    reasons_of_user = explained(
        {feature: 0.4, "events_7d": 0.1}, **{feature: value, "events_7d": 1.0}
    )
    assert [(reason["code"], reason["words"]) for reason in reasons_of_user] == [
        (code, expected),
        ("events", "1 event in the last 7 days"),
    ]


def test_a_first_day_at_the_edge_of_what_features_see_may_not_be_the_first() -> None:
    values = {"events_90d": 1.0}
    effects = {"tenure_days": 1.0}
    for days, expected in (
        (44.0, "first seen 44 days ago"),
        (80.0, "first seen 80 days ago or before"),
    ):
        (reason,) = explained(effects, tenure_days=days, **values)
        assert reason["words"] == expected


def test_a_reason_has_a_code_an_effect_and_the_values_that_its_words_say() -> None:
    assert explained({"typical_gap": 0.5, "days_since_active": 0.3161}, days_since_active=6.0,
                     typical_gap=1.4286) == [
        {
            "code": "last_seen",
            "effect": 0.82,
            "values": [6, 1.4],
            "words": "last seen 6 days ago, usually every 1.4 days",
        }
    ]  # fmt: skip


def test_the_three_largest_effects_are_told_whatever_their_sign() -> None:
    user = {"events_7d": 1.0, "spend_7d": 1.0, "tenure_days": 1.0, "last_country": "KR"}
    effects = {"events_7d": -0.4, "spend_7d": 0.5, "tenure_days": 0.1, "last_country": -0.2}
    top_reasons = explained(effects, **user)
    assert [(reason["code"], reason["effect"]) for reason in top_reasons] == [
        ("spend", 0.5),
        ("events", -0.4),
        ("country", -0.2),
    ]


def test_equal_effects_stand_in_the_order_of_their_codes() -> None:
    user = {"tenure_days": 1.0, "spend_7d": 1.0, "last_zone": "x", "last_country": "KR"}
    effects = {"tenure_days": 0.2, "spend_7d": -0.2, "last_zone": 0.2004, "last_country": 0.2}
    assert [reason["code"] for reason in explained(effects, **user)] == [
        "country",
        "spend",
        "tenure",
    ]


def test_windows_of_one_thing_are_one_reason_with_the_sum_of_their_effects() -> None:
    user = {f"events_{days}d": 1.0 for days in (1, 3, 7, 14, 28)}
    (reason,) = explained(dict.fromkeys(user, 0.1), **user)
    assert (reason["code"], reason["effect"]) == ("events", 0.5)


def test_topics_that_move_together_are_one_reason_with_their_summed_effect() -> None:
    user = {"trend_7d_14d": 1.5, "active_days_28d": 9.0, "sessions_28d": 9.0, "spend_7d": 2.0}
    effects = {"trend_7d_14d": 0.4, "active_days_28d": -0.9, "sessions_28d": -0.1}
    (reason,) = explained(effects, **user)
    assert (reason["code"], reason["effect"]) == ("active_days", -0.6)


LEAVING: Final = -1
PAYING: Final = 1
MORE = (
    *("coming more often", "last seen on the last day, usually every day"),
    "28 active days in the last 28, 7 in",
    "the latest on the",
)
LESS = (
    *("coming less often", "not seen in", "no purchase in", "nothing spent", "no session in"),
    *("no event in", "no active day in", ", none in the last", ", nothing in the last"),
)


def say(words: str) -> int:
    """What the words say of a user who comes or pays more than others, or less."""
    if any(part in words for part in LESS):
        return -1
    return 1 if any(part in words for part in MORE) else 0


FAMILIES = {
    "trend_7d_14d": [0.0, 0.34, 1.0, 1.5, 2.0, np.nan],
    "active_days_7d": [0.0, 3.0, 7.0],
    "active_days_28d": [0.0, 1.0, 12.0, 28.0],
    "events_28d": [0.0, 40.0],
    "sessions_7d": [0.0, 2.0],
    "sessions_28d": [0.0, 4.0],
    "days_since_active": [0.0, 1.0, 6.0, 27.0],
    "typical_gap": [1.0, 4.0, np.nan],
    "purchases_28d": [0.0, 1.0, 5.0],
    "days_since_purchase": [0.0, 1.0, 40.0, np.nan],
    "spend_7d": [0.0, 9.99],
    "spend_28d": [0.0, 99.0],
    "count_battle_28d": [0.0, 3.0],
    "sum_points_28d": [0.0, 3.0],
    "tenure_days": [0.0, 30.0],
}


@pytest.mark.parametrize("engagement", [LEAVING, PAYING])
@given(
    user=st.fixed_dictionaries({name: st.sampled_from(of) for name, of in FAMILIES.items()}),
    effects=st.lists(
        st.sampled_from([0.0, 0.1, -0.1, 0.3, -0.3, 1.0]),
        min_size=len(FAMILIES),
        max_size=len(FAMILIES),
    ),
)
def test_no_reason_says_the_opposite_of_its_effect(
    engagement: Any, user: dict[str, float], effects: list[float]
) -> None:
    frame = pd.DataFrame({name: [value] for name, value in user.items()})
    encoding = encoding_of(frame)
    plan = plan_reasons(encoding, DECLARED, engagement)
    values = np.array([effects], dtype=np.float32)
    (text,) = reasons_of_frame(frame, plan, values).to_pylist()
    for reason in json.loads(text):
        assert say(reason["words"]) * engagement * reason["effect"] >= 0, reason
    for users in (1, 20):  # few are explained one by one
        repeated = values.repeat(users, axis=0)
        assert reasons_of_users(plain(frame) * users, plan, repeated) == [text] * users


def test_words_that_would_say_the_opposite_make_room_for_others_of_the_family() -> None:
    user = {"trend_7d_14d": 1.5, "active_days_28d": 9.0, "spend_28d": 0.0}
    frame = pd.DataFrame({name: [value] for name, value in user.items()})
    plan = plan_reasons(encoding_of(frame), DECLARED, LEAVING)
    values = np.array([[0.5, 0.1, -0.4]], dtype=np.float32)
    (text,) = reasons_of_frame(frame, plan, values).to_pylist()
    (reason,) = json.loads(text)
    assert (reason["code"], reason["effect"]) == ("active_days", 0.6)


def test_spend_is_said_in_the_currency_of_the_reports() -> None:
    fields = Fields(
        user_id="u", event_time="t", event_type="e", amount="amount", currency="currency"
    )
    for currencies, unit in (({"USD": 1, "KRW": 0.0007}, " USD"), ({"USD": 1, "EUR": 1}, "")):
        game = make_game(fields=fields, currencies=currencies)
        frame = pd.DataFrame({"spend_28d": [9.99]})
        plan = plan_reasons(encoding_of(frame), declare_features(game), 0)
        (text,) = reasons_of_frame(frame, plan, np.ones((1, 1), np.float32)).to_pylist()
        assert json.loads(text)[0]["words"] == f"9.99{unit} spent in the last 28 days"


def test_what_moves_nothing_is_no_reason() -> None:
    user = {"events_7d": 1.0, "tenure_days": 2.0, "spend_7d": 1.0, "spend_28d": 1.0}
    assert explained({"tenure_days": 0.004}, **user) == []
    top_reasons = explained({"events_7d": 0.1, "spend_7d": 0.3, "spend_28d": -0.3}, **user)
    assert [reason["code"] for reason in top_reasons] == ["events"]


def test_every_feature_of_the_table_has_a_stable_code() -> None:
    names = [name for name in user_features_table(GAME).names if name != "user_id"]
    assert {code_of(name) for name in [*names, "cluster", "user_group"]} == {
        *("last_seen", "active_days", "events", "sessions", "purchases", "spend", "trend"),
        *("tenure", "country", "level", "cluster", "user_group"),
        *("count_battle", "count_level_up", "sum_points", "sum_play_minutes"),
    }


@pytest.mark.parametrize(
    ("feature", "code"),
    [
        ("last_events", "last_events"),
        ("last_seen", "seen"),
        ("last_last_seen", "last_last_seen"),
        ("last_count_battle", "last_count_battle"),
        ("last_trend_7d_14d", "trend_7d_14d"),
        ("last_cluster", "last_cluster"),
    ],
)
def test_an_attribute_has_a_code_of_its_own_whatever_its_name(feature: str, code: str) -> None:
    attribute = Attribute(field="field")
    game = make_game(attributes={feature.removeprefix("last_"): attribute})
    assert code_of(feature, game) == code


attribute_names = st.from_regex(r"[a-z][a-z0-9_]{0,47}", fullmatch=True) | st.sampled_from(
    ["events", "last_events", "seen", "last_seen", "tenure", "count_x", "last_count_x", "cluster"]
)


@given(attribute_names, attribute_names)
def test_two_attributes_never_share_a_code_with_each_other_or_with_other_features(
    name: str, other: str
) -> None:
    game = make_game(
        attributes=dict.fromkeys((name, other), Attribute(field="field")),
        events=Events(counted={"x": ("x",)}),
        properties={"x": "field"},
    )
    mine, others_code = (code_of(f"last_{name}", game) for name in (name, other))
    attributes = {f"last_{name}", f"last_{other}"}
    others = {*user_features_table(game).names, "cluster", "user_group"} - attributes
    assert mine not in {code_of(name, game) for name in others}
    assert (mine == others_code) == (name == other)


anything = st.one_of(st.floats(), st.sampled_from([0.0, 1.0, -1.0, 1e15, 1e300, -1e-300]))


@given(st.dictionaries(st.text(max_size=20) | st.sampled_from(user_features_table(GAME).names),
                       anything, min_size=1, max_size=9))  # fmt: skip
def test_any_numbers_of_any_features_are_said_without_missing_ones(user: dict[str, float]) -> None:
    user_reasons = explained(None, **user)
    assert 1 <= len(user_reasons) <= 3
    for reason in user_reasons:
        assert reason["words"]
        for part in ("nan", "inf", "none"):
            names = " ".join(user).lower().replace("_", " ")
            words_without_none = (
                reason["words"].lower().replace("none in the last", "").replace("none on the", "")
            )
            assert part in names or part not in words_without_none


@given(st.text())
def test_any_text_of_an_attribute_is_json(text: str) -> None:
    (reason,) = explained(last_country=text)
    shown = text if len(text) <= 60 else text[:59] + "…"
    assert reason["values"] == [shown]
    assert reason["words"] == f"country {shown}"


def test_half_of_a_character_pair_is_said_as_a_question_mark() -> None:
    frame = pd.DataFrame({"last_country": pd.Series(["a\ud800"], dtype=object)})
    encoding = Encoding(features=(Feature(name="last_country", type="text"),))
    (text,) = reasons(frame, encoding, np.ones((1, 1), np.float32)).to_pylist()
    assert json.loads(text)[0]["values"] == ["a?"]


@pytest.mark.parametrize("dtype", ["str", "string", "object", "category"])
def test_text_is_read_from_any_dtype_and_may_be_missing(dtype: str) -> None:
    frame = pd.DataFrame({"last_country": pd.Series(["KR", None], dtype=dtype)})
    encoding = Encoding(features=(Feature(name="last_country", type="text"),))
    reason_texts = reasons(frame, encoding, np.ones((2, 1), np.float32)).to_pylist()
    assert [json.loads(text)[0]["words"] for text in reason_texts] == [
        "country KR",
        "country unknown",
    ]


@pytest.mark.parametrize("dtype", ["float64", "Int64", "object"])
def test_numbers_are_read_from_any_dtype_and_may_be_missing(dtype: Any) -> None:
    frame = pd.DataFrame({"cluster": pd.Series([3, None], dtype="Int64").astype(dtype)})
    encoding = Encoding(features=(Feature(name="cluster", type="id"),))
    reason_texts = reasons(frame, encoding, np.ones((2, 1), np.float32)).to_pylist()
    assert [json.loads(text)[0]["words"] for text in reason_texts] == [
        "in cluster 3",
        "in no cluster",
    ]


def users(count: int, seed: int) -> tuple[pd.DataFrame, Encoding, Any]:
    frame = make_features(count, seed, GAME).assign(cluster=lambda table: table.index % 4)
    encoding = fit_encoding([frame])
    chance = np.random.default_rng(seed)
    values = chance.normal(0, 0.2, (count, len(encoding.features))).astype(np.float32)
    return frame, encoding, values


@pytest.mark.parametrize("few", [1, 1_000])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_user_has_the_same_reasons_alone_and_among_others(
    few: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MIN_ROWS_TO_GROUP", few)
    frame, encoding, values = users(150, seed)
    together = reasons(frame, encoding, values).to_pylist()
    for at in range(len(frame)):
        alone = reasons(frame[at : at + 1], encoding, values[at : at + 1])
        assert alone.to_pylist() == together[at : at + 1]
    order = np.random.default_rng(seed).permutation(len(frame))
    turned = reasons(frame.iloc[order], encoding, np.asfortranarray(values[order])).to_pylist()
    assert turned == [together[at] for at in order]


@given(st.lists(st.tuples(anything, anything), min_size=1, max_size=20))
def test_saying_the_same_once_changes_no_word(pairs: list[tuple[float, float]]) -> None:
    frame = pd.DataFrame(pairs, columns=["spend_28d", "spend_7d"])
    values = np.ones(frame.shape, dtype=np.float32)
    reason_lists = []
    for few in (1, 1_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_MIN_ROWS_TO_GROUP", few)
            reason_lists.append(reasons(frame, encoding_of(frame), values).to_pylist())
    assert reason_lists[0] == reason_lists[1]


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in user.items()} for user in rows]


@pytest.mark.parametrize("seed", [0, 1])
def test_few_users_are_told_the_same_without_a_frame(seed: int) -> None:
    frame, encoding, values = users(150, seed)
    expected = reasons(frame, encoding, values).to_pylist()
    assert reasons_of_few(plain(frame), encoding, values) == expected
    for at in range(10):
        alone = reasons_of_few(plain(frame)[at : at + 1], encoding, values[at : at + 1])
        assert alone == expected[at : at + 1]


texts = st.none() | st.text(max_size=70)
NAMES = [*user_features_table(GAME).names[1:], "cluster"]


@given(
    st.fixed_dictionaries(
        {name: texts if name == "last_country" else anything | st.none() | st.integers(-9, 9)
         for name in NAMES}
    ),
    st.lists(st.sampled_from([0.0, 0.004, 0.1, -0.1, 0.3, -3.25]),
             min_size=len(NAMES), max_size=len(NAMES)),
)  # fmt: skip
def test_any_values_are_told_the_same_without_a_frame(
    user: dict[str, Any], effects: list[float]
) -> None:
    frame = pd.DataFrame({name: pd.Series([value], dtype=object) for name, value in user.items()})
    encoding = Encoding(features=tuple(
        Feature(name=name, type="text" if name == "last_country" else "number") for name in user
    ))  # fmt: skip
    values = np.array([effects], dtype=np.float32)
    expected = reasons(frame, encoding, values).to_pylist()
    assert reasons_of_few([user], encoding, values) == expected


def test_nobody_and_a_model_without_features_have_no_reasons_without_a_frame_either() -> None:
    _, encoding, values = users(3, 0)
    assert reasons_of_few([], encoding, values[:0]) == []
    nothing = np.empty((2, 0), dtype=np.float32)
    assert reasons_of_few([{}, {}], Encoding(features=()), nothing) == ["[]", "[]"]


def test_reasons_of_a_model_are_those_that_move_it_most() -> None:
    frame = make_features(600, 3, GAME)
    encoding = fit_encoding([frame])
    matrix = encode(frame, encoding)
    values, _ = shap_values(load_trees(as_onnx(make_trees(matrix=matrix))), matrix)
    reason_texts = reasons(frame, encoding, values).to_pylist()
    topics = [topic_of(name, {it.name: it for it in DECLARED}) for name in encoding.names]
    families = {topic.code: topic.family or topic.code for topic in topics}
    sums = pd.DataFrame(values.T).groupby([families[topic.code] for topic in topics]).sum().T
    for (_, effects), text in zip(sums.iterrows(), reason_texts, strict=True):
        first, *_ = json.loads(text)
        assert abs(first["effect"]) == pytest.approx(effects.abs().max(), abs=0.006)
        assert first["effect"] == pytest.approx(effects[families[first["code"]]], abs=0.006)


def test_no_users_have_no_reasons() -> None:
    frame, encoding, values = users(3, 0)
    assert reasons(frame[:0], encoding, values[:0]).to_pylist() == []


def test_a_model_without_features_has_no_reasons() -> None:
    frame = pd.DataFrame({"user_id": ["a", "b"]})
    nothing = np.empty((2, 0), dtype=np.float32)
    assert reasons(frame, Encoding(features=()), nothing).to_pylist() == ["[]", "[]"]
