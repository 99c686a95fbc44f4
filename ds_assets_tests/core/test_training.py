import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ds_assets.core import training
from ds_assets.core.encoding import encode
from ds_assets.core.model_card import ModelCard, card_text, check_card, read_card
from ds_assets.core.scoring import load_model, probabilities
from ds_assets.core.training import LabelledSnapshot, TrainedModel, judging_split, train
from ds_assets.errors import InputError
from ds_assets_tests.core.factories import (
    FIRST_DAY,
    leavers,
    make_features,
    make_snapshot,
    make_snapshots,
)

AS_OF = FIRST_DAY + dt.timedelta(weeks=8)


def weeks(count: int) -> dt.date:
    return FIRST_DAY + dt.timedelta(weeks=count)


def trained(snapshots: list[LabelledSnapshot], **changes: Any) -> TrainedModel:
    facts: dict[str, Any] = {"target": "churn", "as_of": AS_OF, "horizon": 14} | changes
    return train(facts.pop("target"), facts.pop("as_of"), snapshots, **facts)


def with_leavers(snapshot: LabelledSnapshot, count: int) -> LabelledSnapshot:
    """The first `count` users left, the others stayed."""
    labels = pd.Series(
        np.arange(len(snapshot.labels)) < count, index=pd.Index(snapshot.labels.index)
    )
    return replace(snapshot, labels=labels)


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return trained(make_snapshots(5))


def test_a_model_says_what_it_was_trained_on_and_how_it_was_judged(model: TrainedModel) -> None:
    card = model.card
    assert (card.state, card.reasons, card.target, card.horizon) == ("ready", (), "churn", 14)
    assert card.snapshots == tuple(weeks(n) for n in range(5))
    assert card.rows == 1500
    assert card.base_rate == card.positives / card.rows
    evaluation = card.evaluation
    assert evaluation is not None
    assert (evaluation.snapshot, evaluation.rows) == (weeks(4), 300)
    assert evaluation.trained_on == (weeks(0), weeks(1), weeks(2))


def test_a_model_is_better_than_the_recency_rule_where_there_is_more_to_know() -> None:
    evaluation = trained(make_snapshots(5, users=1_000)).card.evaluation
    assert evaluation is not None
    assert evaluation.measures.auc.low > evaluation.measures.recency_auc.high


def test_the_card_fits_the_features_and_survives_json(model: TrainedModel) -> None:
    check_card(model.card, make_features(3))
    assert read_card(ModelCard, card_text(model.card), "card.json") == model.card


def test_labels_that_have_not_matured_are_refused() -> None:
    snapshots = make_snapshots(5)
    last = snapshots[-1].matured_on
    assert trained(snapshots, as_of=last).card.state == "ready"
    with pytest.raises(ValueError, match=f"snapshot {weeks(4)} mature on {last}, after"):
        trained(snapshots, as_of=last - dt.timedelta(days=1))


def test_labels_that_claim_to_be_known_within_their_window_are_refused() -> None:
    early = replace(make_snapshot(FIRST_DAY), matured_on=FIRST_DAY + dt.timedelta(days=13))
    with pytest.raises(ValueError, match="cannot have matured on 2024-01-14"):
        trained([early])


def test_a_snapshot_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="once"):
        trained([make_snapshot(FIRST_DAY), make_snapshot(FIRST_DAY)])


@pytest.mark.parametrize("keep", [slice(1, None), [0, *range(300)]])
def test_labels_of_other_users_than_the_features_are_refused(keep: Any) -> None:
    snapshot = make_snapshot(FIRST_DAY)
    with pytest.raises(ValueError, match="one label for each of its users"):
        trained([replace(snapshot, labels=snapshot.labels.iloc[keep])])


def test_a_user_who_is_twice_in_a_snapshot_is_refused() -> None:
    snapshot = make_snapshot(FIRST_DAY)
    doubled = pd.concat([snapshot.features, snapshot.features[:1]])
    with pytest.raises(ValueError, match="found 301 rows and 300 labels"):
        trained([replace(snapshot, features=doubled)])


def test_snapshots_with_other_columns_are_refused_by_name() -> None:
    snapshots = make_snapshots(5)
    snapshots[1] = replace(snapshots[1], features=snapshots[1].features.drop(columns="spend_7d"))
    with pytest.raises(InputError, match="spend_7d: missing"):
        trained(snapshots)


@given(
    st.sets(st.integers(0, 200), min_size=1, max_size=30),
    st.integers(1, 60),
    st.integers(0, 10),
)
def test_a_model_is_never_judged_by_days_that_its_labels_have_seen(
    offsets: set[int], horizon: int, grace: int
) -> None:
    empty, nobody = pd.DataFrame(), pd.Series()
    days = [FIRST_DAY + dt.timedelta(days=offset) for offset in sorted(offsets)]
    wait = dt.timedelta(days=horizon + grace)
    snapshots = [LabelledSnapshot(day, empty, nobody, day + wait) for day in days]
    earlier, latest = judging_split(snapshots)
    assert latest.day == max(days)
    seen = {one.day + dt.timedelta(days=n) for one in earlier for n in range(horizon + 1)}
    judged = {latest.day + dt.timedelta(days=n) for n in range(1, horizon + 1)}
    assert not seen & judged
    left_out = set(days) - {one.day for one in earlier} - {latest.day}
    assert all(day + wait > latest.day for day in left_out)


@settings(max_examples=6, deadline=None)
@given(st.sets(st.integers(0, 60), min_size=3, max_size=6), st.integers(5, 25))
def test_a_card_never_claims_training_days_whose_labels_overlap_the_judging_days(
    offsets: set[int], horizon: int
) -> None:
    days = [FIRST_DAY + dt.timedelta(days=offset) for offset in offsets]
    snapshots = [make_snapshot(day, 150, horizon) for day in days]
    card = trained(snapshots, horizon=horizon, as_of=dt.date(2025, 1, 1)).card
    possible = {day for day in days if day + dt.timedelta(days=horizon) <= max(days)}
    if card.evaluation is None:
        assert card.state == "not_enough_data"
    else:
        assert card.evaluation.snapshot == max(days)
        assert set(card.evaluation.trained_on) == possible


def test_what_happened_since_the_judging_day_does_not_change_the_judged_model() -> None:
    """Snapshots whose labels overlap the judging window train the delivered model alone."""
    snapshots = make_snapshots(5)
    changed = list(snapshots)
    changed[3] = replace(snapshots[3], features=make_features(300, 99), labels=~snapshots[3].labels)
    first, second = trained(snapshots), trained(changed)
    assert first.card.evaluation == second.card.evaluation
    assert first.onnx != second.onnx


def test_the_delivered_model_learns_from_the_snapshot_that_judged_it() -> None:
    snapshots = make_snapshots(5)
    upside_down = [*snapshots[:4], replace(snapshots[4], labels=~snapshots[4].labels)]
    assert trained(snapshots).onnx != trained(upside_down).onnx


def test_without_snapshots_there_is_not_enough_data() -> None:
    model = trained([], missing=[weeks(1), weeks(0)])
    assert model.onnx is None
    assert model.card.state == "not_enough_data"
    assert model.card.reasons == (
        "0 matured snapshots, 2 are needed: one to train on and a later one to judge by",
    )
    assert model.card.missing_snapshots == (weeks(0), weeks(1))
    assert (model.card.rows, model.card.base_rate, model.card.evaluation) == (0, None, None)


def test_a_model_that_nobody_can_judge_is_not_delivered() -> None:
    model = trained([make_snapshot(weeks(0)), make_snapshot(weeks(1))])
    assert model.onnx is None
    assert model.card.evaluation is None
    (reason,) = model.card.reasons
    assert reason.startswith("no snapshot whose labels were known on 2024-01-08")
    assert reason.endswith("one of 2023-12-25 or before is needed")


def test_what_is_missing_is_said_in_users_and_not_in_rows() -> None:
    snapshots = [with_leavers(one, 41) for one in make_snapshots(5)]
    model = trained(snapshots)
    assert model.onnx is None
    assert model.card.positives == 5 * 41
    assert model.card.reasons == (
        "41 users who left in the training snapshots up to 2024-01-15, 50 are needed",
    )


def test_too_few_users_to_judge_by_are_too_few() -> None:
    snapshots = make_snapshots(5)
    snapshots[4] = with_leavers(snapshots[4], 300 - 19)
    assert trained(snapshots).card.reasons == (
        "19 users who stayed in the judging snapshot 2024-01-29, 20 are needed",
    )


def test_exactly_enough_is_enough() -> None:
    snapshots = [with_leavers(one, 50) for one in make_snapshots(5)]
    snapshots[4] = with_leavers(snapshots[4], 20)
    assert trained(snapshots).card.state == "ready"


def test_one_outcome_alone_is_not_enough_and_everything_missing_is_told_at_once() -> None:
    model = trained([with_leavers(one, 0) for one in make_snapshots(5)], target="payment")
    assert model.card.base_rate == 0.0
    assert model.card.reasons == (
        "0 users who paid in the training snapshots up to 2024-01-15, 50 are needed",
        "0 users who paid in the judging snapshot 2024-01-29, 20 are needed",
    )


def test_snapshots_without_users_are_too_little_and_no_error() -> None:
    snapshots = [replace(one, features=one.features[:0], labels=one.labels[:0])
                 for one in make_snapshots(5)]  # fmt: skip
    assert trained(snapshots).card.state == "not_enough_data"


def test_the_same_input_gives_the_same_bytes_and_card(model: TrainedModel) -> None:
    again = trained(make_snapshots(5))
    assert again.onnx == model.onnx
    assert again.card == model.card


def test_the_order_of_rows_labels_and_snapshots_does_not_matter(model: TrainedModel) -> None:
    shuffled = [
        replace(
            one,
            features=one.features.sample(frac=1, random_state=1),
            labels=one.labels.sample(frac=1, random_state=2),
        )
        for one in reversed(make_snapshots(5))
    ]
    again = trained(shuffled)
    assert again.card == model.card
    assert again.onnx == model.onnx


def test_the_number_of_threads_does_not_matter(
    model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "FEW_ROWS", 0)
    with threadpool_limits(limits=2):
        assert trained(make_snapshots(5)).onnx == model.onnx


@pytest.mark.parametrize(
    "changes",
    [{"seed": 1}, {"as_of": AS_OF + dt.timedelta(days=1)}, {"target": "payment"}],
)
def test_another_way_of_making_it_gives_another_version(
    model: TrainedModel, changes: dict[str, Any]
) -> None:
    assert trained(make_snapshots(5), **changes).card.version != model.card.version


def test_one_changed_label_gives_another_fingerprint(model: TrainedModel) -> None:
    snapshots = make_snapshots(5)
    labels = snapshots[0].labels.copy()
    labels.iloc[0] = not labels.iloc[0]
    changed = trained([replace(snapshots[0], labels=labels), *snapshots[1:]]).card
    assert changed.data_fingerprint != model.card.data_fingerprint
    assert changed.version != model.card.version


def test_leaves_grow_with_the_rows() -> None:
    assert training._hyper_parameters(1_000)["min_samples_leaf"] == 20
    assert training._hyper_parameters(100_000)["min_samples_leaf"] == 500


def peculiar(users: int) -> LabelledSnapshot:
    """Neighbouring float32 values, enormous, tiny, constant, and missing ones."""
    chance = np.random.default_rng(3)
    features = make_features(users).assign(
        sum_points_7d=2.0**24 + chance.integers(0, 6, users),
        sum_huge_7d=chance.choice([-1e300, -1e38, 0.0, 3e38, 1e300, np.inf, np.nan], users),
        sum_tiny_7d=chance.choice([0.0, 1e-45, 1e-40, -1e-45], users),
        sum_none_7d=np.nan,
        sum_same_7d=4.2,
        sum_once_7d=np.where(np.arange(users) == 0, 1.0, np.nan),
        cluster=pd.array(chance.choice([1, 2, 30], users), dtype="Int64"),
    )
    score = features["sum_points_7d"].mod(6).gt(2) ^ features["sum_huge_7d"].gt(0)
    labels = pd.Series((score ^ (chance.random(users) < 0.1)).to_numpy(), features["user_id"])
    return LabelledSnapshot(FIRST_DAY, features, labels, weeks(2))


@pytest.mark.parametrize(
    "snapshot", [make_snapshot(FIRST_DAY, 1_000), peculiar(1_000)], ids=["usual", "peculiar"]
)
def test_the_onnx_model_says_what_the_trees_say(snapshot: LabelledSnapshot) -> None:
    later = replace(snapshot, day=weeks(2), matured_on=weeks(4))
    model = trained([snapshot, later])
    assert model.onnx is not None
    rows = training._training_rows([snapshot, later])
    expected = training._fit(rows, seed=0).predict_proba(encode(snapshot.features, rows.encoding))
    found = probabilities(load_model(model.onnx, model.card), snapshot.features)
    np.testing.assert_allclose(found, expected[:, 1], atol=1e-5)


def test_leaving_is_learnt_out_of_time_as_well_as_the_noise_allows() -> None:
    """A model of 300 users a week reaches what the labels' own chances reach, less a little."""
    model = trained(make_snapshots(6), as_of=weeks(9))
    assert model.onnx is not None
    unseen = make_features(2_000, seed=7)
    found = probabilities(load_model(model.onnx, model.card), unseen)
    labels = leavers(unseen, seed=7).to_numpy()
    assert found[labels].mean() > found[~labels].mean() + 0.2
    assert found.mean() == pytest.approx(labels.mean(), abs=0.05)
