"""Users scored one by one, beside the same users in a frame."""

import datetime as dt
import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_assets.core.cards import ModelFiles
from ds_assets.core.encoding import Encoding, mismatches
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.models.inference import batch
from ds_assets.core.models.inference.batch import DayModels, TargetModel, load_day
from ds_assets.core.models.inference.online import OnlineScorer, Record, User
from ds_assets.core.models.learning.early_model import FEATURES as EARLY_FEATURES
from ds_assets.core.models.learning.early_model import fit_early
from ds_assets.core.models.training.train import train
from ds_assets.core.tables import PREDICTED_NUMBERS, PREDICTIONS
from ds_assets.core.targets import EARLY_VERSION, Target
from ds_assets.errors import InputError
from ds_assets_tests.core.factories import (
    FEATURES,
    FIRST_DAY,
    make_features,
    make_game,
    make_small_snapshot,
    make_snapshots,
    make_target,
)
from ds_assets_tests.core.models.card_factories import make_lacking_card
from ds_assets_tests.core.models.day_factories import (
    NO_MODELS,
    churn_files,
    cluster_files,
    day_files,
    files_of,
    grouped,
    lacking_files,
    make_day_files,
    predict,
    sided_files,
)
from ds_assets_tests.core.models.learning.factories import (
    PLAYERS,
    draw_days,
    lifetime_features,
)

pytestmark = pytest.mark.usefixtures("few_trees")


@cache
def days() -> dict[str, DayModels]:
    """Days with all models, with groups that have their own, and with less and less."""
    return {
        "whole": load_day(day_files()),
        "sides": load_day(make_day_files(payment=sided_files())),
        "countries": grouped("country"),
        "of clusters": grouped("clusters"),
        "no clusters": load_day(make_day_files(churn=churn_files(), payment=lacking_files())),
        "clusters alone": load_day(make_day_files(clusters=cluster_files())),
        "nothing": NO_MODELS,
    }


DAYS = ["whole", "sides", "countries", "of clusters", "no clusters", "clusters alone", "nothing"]


def frame_of(day: str, users: int = 60) -> pd.DataFrame:
    if day != "sides":
        return make_features(users, seed=9)
    features = make_small_snapshot(FIRST_DAY, lambda frame: frame["x"], users).features
    sides = np.array(["left", "right", None, "up"], dtype=object)
    return features.assign(last_side=np.resize(sides, users)).drop(columns="user_group")


def records(frame: pd.DataFrame) -> list[Record]:
    plain = frame.astype(object).where(frame.notna(), None)
    rows: list[Record] = plain.to_dict("records")  # type: ignore[assignment]
    return rows


def alone(user: User) -> pd.DataFrame:
    """The frame of one user, in which each value is what it is."""
    return pd.DataFrame({name: pd.Series([value], dtype=object) for name, value in user.items()})


@pytest.mark.parametrize("day", DAYS)
def test_users_are_told_what_the_batch_says_bit_by_bit(day: str) -> None:
    frame, models = frame_of(day), days()[day]
    expected = records(predict(frame, models))
    assert OnlineScorer(models, FEATURES).score(records(frame), reasons=True) == expected
    assert all(list(prediction) == PREDICTIONS.names for prediction in expected)


def test_days_left_fall_as_the_chance_of_leaving_grows() -> None:
    users = records(frame_of("whole"))
    rows = OnlineScorer(days()["whole"], FEATURES).score(users, reasons=False)
    by_chance = sorted(rows, key=lambda row: row["churn_probability"])
    left = [math.inf if row["days_left"] is None else row["days_left"] for row in by_chance]
    assert left == sorted(left, reverse=True)
    assert len(set(left)) > 5
    assert all((row["churn_probability"] >= 0.5) is (row["days_left"] == 0) for row in rows)


@pytest.mark.parametrize("day", ["whole", "countries", "of clusters"])
def test_users_of_a_country_never_seen_are_told_what_the_batch_says(day: str) -> None:
    frame, models = frame_of(day).assign(last_country="XX"), days()[day]
    expected = records(predict(frame, models))
    assert OnlineScorer(models, FEATURES).score(records(frame), reasons=True) == expected
    assert not any("XX" in str(row["churn_reasons"]) for row in expected)


LEVEL = replace(make_target("payment"), name="level", definition="{}", amount_column=None)
OWN_TARGETS = [
    LEVEL,
    replace(LEVEL, name="first_level", population="never_paid"),
    replace(LEVEL, name="again", population="has_paid"),
    replace(LEVEL, definition="changed since"),
]


@cache
def own_files() -> ModelFiles:
    snapshots = make_snapshots(3, pays=True)
    return files_of(train(LEVEL, snapshots[-1].matured_on, snapshots))


@pytest.mark.parametrize("targets", [OWN_TARGETS[:3], OWN_TARGETS[1:]])
def test_of_a_games_own_targets_users_are_told_what_the_batch_says(targets: list[Target]) -> None:
    frame = frame_of("whole")
    models = load_day(day_files(level=own_files(), first_level=own_files()))
    scorer = OnlineScorer(models, FEATURES, targets)
    own_targets = {
        (user["user_id"], own.pop("target")): own
        for user in scorer.score(records(frame), reasons=True)
        for own in user["targets"]
    }
    expected = pd.concat(batch.predict_targets(frame, models, targets, FEATURES))
    rows = records(expected.drop(columns="as_of"))
    assert own_targets == {(row.pop("user_id"), row.pop("target")): row for row in rows}
    assert len({own["probability"] for own in own_targets.values()}) > 20
    assert {name for _, name in own_targets} == {target.name for target in targets}
    plain = OnlineScorer(models, FEATURES).score(records(frame), reasons=True)
    assert plain == records(predict(frame, models))


def test_a_model_of_features_that_the_game_no_longer_declares_gives_their_plain_names() -> None:
    frame, models = frame_of("whole"), days()["whole"]
    fewer = declare_features(make_game(windows=(7, 28), attributes={}))
    rows = OnlineScorer(models, fewer).score(records(frame), reasons=True)
    assert rows == records(batch.predict(frame, models, fewer))
    reasons = [reason for row in rows for reason in json.loads(str(row["churn_reasons"]))]
    undeclared = {reason["code"] for reason in reasons} & {
        "events_90d",
        "active_days_90d",
        "last_level",
    }
    words = [reason["words"] for reason in reasons if reason["code"] in undeclared]
    assert words
    assert all(
        text.startswith(("events 90d ", "active days 90d ", "last level ")) for text in words
    )


@pytest.mark.parametrize("day", DAYS)
def test_a_user_alone_is_told_the_same_as_among_others(day: str) -> None:
    users, scorer = records(frame_of(day)), OnlineScorer(days()[day], FEATURES)
    together = scorer.score(users, reasons=True)
    assert [scorer.score([user], reasons=True)[0] for user in users] == together
    assert scorer.score(users[::-1], reasons=True) == together[::-1]


@pytest.mark.parametrize("day", DAYS)
def test_without_reasons_all_else_is_the_same(day: str) -> None:
    users, scorer = records(frame_of(day)), OnlineScorer(days()[day], FEATURES)
    for bare, full in zip(
        scorer.score(users, reasons=False), scorer.score(users, reasons=True), strict=True
    ):
        assert bare == {**full, "churn_reasons": None, "payment_reasons": None}


numbers = (
    st.none()
    | st.floats()
    | st.booleans()
    | st.integers(-(10**300), 10**300)
    | st.sampled_from([-0.0, 1e39, -1e39, 5e-324, 1e300, 0.1, 0.30000000000000004, 2.5, 16777217])
)
texts = st.none() | st.text(max_size=5) | st.sampled_from(["KR", "US", "left", "right"])


def of_types(scorer: OnlineScorer) -> dict[str, st.SearchStrategy[Any]]:
    return {
        feature.name: numbers if feature.type == "number" else texts for feature in scorer.features
    }


@pytest.mark.parametrize("day", ["whole", "sides", "countries"])
@given(st.data())
@settings(max_examples=40)
def test_any_values_are_told_what_the_batch_says(day: str, data: st.DataObject) -> None:
    models = days()[day]
    scorer = OnlineScorer(models, FEATURES)
    user = {"user_id": "a", **data.draw(st.fixed_dictionaries(of_types(scorer)))}
    assert scorer.score([user], reasons=True) == records(predict(alone(user), models))


odd = st.sampled_from(
    [
        *("", "7", b"7", [1.0], {}, (), Decimal(1), 1j, dt.date(2024, 1, 1), object()),
        *(np.float64(2.5), np.float32(0.1), np.int8(3), np.bool_(True), np.str_("KR")),
        *(np.float64("nan"), pd.NA, pd.NaT, pd.Timestamp(0), pd.Timedelta(1)),
    ]
)


@pytest.mark.parametrize("day", ["whole", "sides", "countries"])
@given(st.data())
@settings(max_examples=40)
def test_values_of_other_types_are_refused_or_scored_as_in_the_batch(
    day: str, data: st.DataObject
) -> None:
    models = days()[day]
    scorer = OnlineScorer(models, FEATURES)
    (first,) = records(frame_of(day, 1))
    changed = data.draw(
        st.dictionaries(
            st.sampled_from([feature.name for feature in scorer.features]),
            odd,
            min_size=1,
            max_size=3,
        )
    )
    user = {**first, **changed}
    expected = mismatches(alone(user), Encoding(features=scorer.features))
    if not expected:
        assert scorer.score([user], reasons=True) == records(predict(alone(user), models))
        return
    with pytest.raises(InputError) as caught:
        scorer.score([user], reasons=True)
    assert {line[4:] for line in str(caught.value).split("\n")[1:]} == {*expected}
    if day != "sides":  # whose groups are made of an attribute that no model reads
        with pytest.raises(InputError):
            predict(alone(user), models)


@pytest.mark.parametrize("number", [10**400, -(10**400)])
def test_a_whole_number_beyond_all_others_counts_as_the_largest(number: int) -> None:
    scorer = OnlineScorer(days()["whole"], FEATURES)
    user, other = records(frame_of("whole", 2))
    enormous = {**user, "spend_28d": number}
    largest = {**user, "spend_28d": 1e300 if number > 0 else -1e300}
    assert scorer.score([enormous, other], reasons=True) == scorer.score(
        [largest, other], reasons=True
    )


def test_every_feature_that_does_not_fit_is_named_once_with_the_first_user() -> None:
    users = records(frame_of("whole", 4))
    wrong = [{**user, "spend_7d": "much"} for user in users]
    del wrong[2]["last_country"]
    wrong[3]["tenure_days"] = "long"
    with pytest.raises(InputError) as caught:
        OnlineScorer(days()["whole"], FEATURES).score([users[0], *wrong[1:]], reasons=False)
    assert str(caught.value) == (
        "the features do not fit in 3 of their columns:\n"
        "  - spend_7d: found text; numbers are needed (user 2 and 2 more)\n"
        "  - last_country: missing; text are needed (user 3)\n"
        "  - tenure_days: found text; numbers are needed (user 4)"
    )


def test_what_no_model_reads_need_not_be_known() -> None:
    scorer = OnlineScorer(days()["clusters alone"], FEATURES)
    user = {feature.name: None for feature in scorer.features}
    assert "last_country" not in user
    (prediction,) = scorer.score([user], reasons=True)
    assert (prediction["user_id"], prediction["cluster"] is None) == (None, False)


def test_a_group_is_made_of_an_attribute_that_no_model_reads() -> None:
    scorer = OnlineScorer(days()["sides"], FEATURES)
    assert ("last_side", "text") in {(feature.name, feature.type) for feature in scorer.features}
    user = {feature.name: None for feature in scorer.features}
    with pytest.raises(InputError, match="last_side: found numbers; text"):
        scorer.score([{**user, "last_side": 1.5}], reasons=False)


def test_nobody_is_nobody() -> None:
    for models in days().values():
        assert OnlineScorer(models, FEATURES).score([], reasons=True) == []


def test_half_of_a_character_pair_is_a_value_that_was_never_seen() -> None:
    (user,) = records(frame_of("whole", 1))
    user = {**user, "last_country": "\ud800"}
    expected = records(predict(alone(user), days()["whole"]))
    assert OnlineScorer(days()["whole"], FEATURES).score([user], reasons=True) == expected


def test_users_are_left_as_they_are() -> None:
    users = records(frame_of("whole", 3))
    before = [dict(user) for user in users]
    OnlineScorer(days()["whole"], FEATURES).score(users, reasons=True)
    assert users == before


def test_threads_share_a_scorer() -> None:
    scorer, users = OnlineScorer(days()["whole"], FEATURES), records(frame_of("whole"))
    expected = scorer.score(users, reasons=True)
    with ThreadPoolExecutor(8) as threads:
        score_lists = threads.map(lambda _: scorer.score(users, reasons=True), range(40))
        assert all(predictions == expected for predictions in score_lists)


def early_models() -> tuple[DayModels, pd.DataFrame]:
    """Early models of churn and payment, and the features that they were fitted to."""
    came = draw_days(PLAYERS, 200, 15)
    features = lifetime_features(came, np.random.default_rng(1).random(came.shape) < 0.2)
    targets = {
        name: TargetModel(
            make_lacking_card(
                target=name, user_groups="none", early=fit_early(make_target(name), features)
            ),
            None,
        )
        for name in ("churn", "payment")
    }
    return DayModels(FIRST_DAY, None, targets), features


def test_early_models_say_of_users_what_they_say_in_the_batch() -> None:
    models, features = early_models()
    scorer = OnlineScorer(models, ())
    scored = pd.DataFrame(scorer.score(records(features), reasons=True))
    expected = pd.DataFrame(records(predict(features, models)))
    for name in PREDICTED_NUMBERS:
        np.testing.assert_allclose(
            scored[name].astype(float), expected[name].astype(float), rtol=1e-12
        )
    others = [name for name in PREDICTIONS.names if not name.startswith(PREDICTED_NUMBERS)]
    assert scored[others].to_dict("records") == expected[others].to_dict("records")
    assert {feature.name for feature in scorer.features} == set(EARLY_FEATURES)
    assert scored["churn_model"].str.startswith(EARLY_VERSION).all()
    assert scored["churn_reasons"].isna().all()
    assert scored["payment_missing"].str.startswith("not enough data").all()


def test_an_early_model_has_no_prediction_of_a_user_without_lifetimes() -> None:
    models, features = early_models()
    user = records(features)[0] | dict.fromkeys(EARLY_FEATURES)
    (record,) = OnlineScorer(models, ()).score([user], reasons=True)
    assert record["churn_probability"] is None
    assert record["expected_spend"] is None
    assert record["churn_probability_low"] is None
