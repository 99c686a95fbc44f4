import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_assets.core.cards import ModelFiles, card_text, read_card, sha256_of
from ds_assets.core.encoding import encode, require_features
from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.card.model_card import AMOUNTS, CHOICE_MODEL, VALIDATION_MODEL, ModelCard
from ds_assets.core.models.data import sufficiency
from ds_assets.core.models.data.snapshots import LabelledSnapshot
from ds_assets.core.models.data.training_rows import rows_of
from ds_assets.core.models.inference.onnx_model import load_prediction_model, probabilities
from ds_assets.core.models.learning import boosted_trees
from ds_assets.core.models.learning.calibration import (
    LEVEL_SNAPSHOTS,
    Calibration,
    recency_weights,
    sigmoid,
)
from ds_assets.core.models.learning.learner import fit_classifier
from ds_assets.core.models.training.champion import Champion
from ds_assets.core.models.training.plan import TrainedModel
from ds_assets.core.models.training.train import train
from ds_assets.errors import InputError
from ds_assets_tests.core.factories import (
    FIRST_DAY,
    Rule,
    leavers,
    make_features,
    make_small_snapshots,
    make_snapshot,
    make_snapshots,
    make_target,
)

pytestmark = pytest.mark.usefixtures("few_trees")

AS_OF = FIRST_DAY + dt.timedelta(weeks=8)
TARGET_FACTS = {"name", "horizon", "grace", "first_day", "user_groups"}


def weeks(count: int) -> dt.date:
    return FIRST_DAY + dt.timedelta(weeks=count)


def trained(snapshots: Iterable[LabelledSnapshot], **changes: Any) -> TrainedModel:
    target = make_target(**{name: changes.pop(name) for name in TARGET_FACTS & set(changes)})
    return train(target, changes.pop("as_of", AS_OF), snapshots, **changes)


def steady(_: int) -> Rule:
    return lambda features: 3 * features["x"]


def opposite(_: int) -> Rule:
    """What the one side does for a reason, the other does not; the side is no feature."""
    return lambda features: 3 * features["x"] * features["side"]


def small(count: int = 5, **facts: Any) -> list[LabelledSnapshot]:
    return make_small_snapshots(count, steady, **facts)


def with_spend(snapshot: LabelledSnapshot) -> LabelledSnapshot:
    drawn = np.random.default_rng(snapshot.day.toordinal()).lognormal(1, 0.5, len(snapshot.labels))
    return replace(snapshot, spend=snapshot.labels * drawn)


def flipped(snapshot: LabelledSnapshot) -> LabelledSnapshot:
    return replace(snapshot, labels=~snapshot.labels)


def with_leavers(snapshot: LabelledSnapshot, count: int) -> LabelledSnapshot:
    """The first `count` users left, the others stayed."""
    labels = pd.Series(
        np.arange(len(snapshot.labels)) < count, index=pd.Index(snapshot.labels.index)
    )
    return replace(snapshot, labels=labels)


def champion_of(trained_model: TrainedModel) -> Champion:
    return Champion(
        trained_model.card,
        ModelFiles(
            card_text(trained_model.card), trained_model.onnx, (*trained_model.parts.items(),)
        ),
    )


def predicted(trained_model: TrainedModel, features: pd.DataFrame) -> Floats:
    assert trained_model.onnx is not None
    return probabilities(
        load_prediction_model(trained_model.onnx, trained_model.parts, trained_model.card), features
    )


def whole_of_it(**changes: Any) -> list[LabelledSnapshot]:
    """Snapshots of users with groups that differ, and with spend."""
    snapshots = make_small_snapshots(5, opposite, 600, groups="clusters", **changes)
    return [with_spend(snapshot) for snapshot in snapshots]


PAYMENT: dict[str, Any] = {"name": "payment", "user_groups": "clusters"}


@cache
def payment_model() -> TrainedModel:
    return trained(whole_of_it(), **PAYMENT)


@pytest.fixture(scope="module")
def model(few_trees: None) -> TrainedModel:  # noqa: ARG001  # it is made of them
    return trained(make_snapshots(5))


def test_a_model_says_what_it_was_trained_on_and_how_it_was_judged(model: TrainedModel) -> None:
    card = model.card
    assert (card.state, card.reasons, card.target, card.horizon) == ("ready", (), "churn", 14)
    assert card.snapshots == tuple(weeks(n) for n in range(5))
    assert card.rows == 1500
    assert card.base_rate == card.positives / card.rows
    assert (card.as_of, card.trained, card.twin_trained) == (AS_OF, AS_OF, weeks(4))
    assert card.enough_on is None
    evaluation = card.evaluation
    assert evaluation is not None
    assert (evaluation.snapshot, evaluation.users) == (weeks(4), 300)
    assert evaluation.trained_on == (weeks(0), weeks(1), weeks(2))
    assert [fold.snapshot for fold in card.folds] == [weeks(4), weeks(3), weeks(2)]
    assert [len(fold.trained_on) for fold in card.folds] == [3, 2, 1]


def test_a_card_names_every_choice_and_every_file() -> None:
    card, parts = payment_model().card, payment_model().parts
    assert card.decision is not None
    assert (card.decision.kept, card.decision.champion) == ("challenger", None)
    assert card.memory is not None
    assert card.calibration is not None
    assert card.first_week is not None
    assert card.first_week.snapshot == weeks(4)
    assert card.spend is not None
    assert {group.group: group.model for group in card.groups} == {
        "cluster=1": "group",
        "cluster=2": "group",
    }
    assert set(card.distributions) == set(card.encoding.names)
    own = {group.file for group in card.groups}
    assert own == {"group_1.onnx", "group_2.onnx"}
    earlier = {f"{prefix}{name}" for name in own for prefix in ("twin_", "choice_")}
    assert set(parts) == own | earlier | {AMOUNTS, VALIDATION_MODEL, CHOICE_MODEL}
    assert card.parts == {name: sha256_of([file]) for name, file in parts.items()}
    assert payment_model().onnx is not None


@pytest.mark.slow
def test_a_model_is_better_than_the_recency_rule_where_there_is_more_to_know() -> None:
    evaluation = trained(make_snapshots(3, users=1_000)).card.evaluation
    assert evaluation is not None
    assert evaluation.measures.auc.low > evaluation.contenders["recency"].auc.high


def test_contenders_are_the_model_and_the_simple_rules() -> None:
    evaluation = trained(small()).card.evaluation
    assert evaluation is not None
    assert set(evaluation.contenders) == {"delivered", "logistic_regression", "recency"}
    of_groups = payment_model().card.evaluation
    assert of_groups is not None
    assert set(of_groups.contenders) == {"delivered", "global", "logistic_regression", "recency"}
    assert of_groups.measures.auc.low > of_groups.contenders["global"].auc.high


def test_the_card_fits_the_features_and_survives_json(model: TrainedModel) -> None:
    require_features(make_features(3), model.card.encoding, "the features")
    for card in (model.card, payment_model().card):
        assert read_card(ModelCard, card_text(card), "card.json") == card


def test_labels_that_have_not_matured_are_refused() -> None:
    snapshots = small()
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


def test_labels_of_other_users_than_the_features_are_refused() -> None:
    snapshot = make_snapshot(FIRST_DAY)
    with pytest.raises(ValueError, match="one label for each of its users"):
        trained([replace(snapshot, labels=snapshot.labels[1:])])


def test_snapshots_with_other_columns_are_refused_by_name() -> None:
    snapshots = small()
    snapshots[1] = replace(snapshots[1], features=snapshots[1].features.drop(columns="x"))
    with pytest.raises(InputError, match="x: missing"):
        trained(snapshots)


@pytest.mark.slow
@settings(max_examples=8)
@given(st.sets(st.integers(0, 60), min_size=3, max_size=6), st.integers(5, 25), st.integers(0, 5))
def test_a_card_never_claims_training_days_whose_labels_overlap_the_validation_days(
    offsets: set[int], horizon: int, grace: int
) -> None:
    days = sorted(FIRST_DAY + dt.timedelta(days=offset) for offset in offsets)
    wait = dt.timedelta(days=horizon + grace)
    snapshots = [replace(make_snapshot(day, 150, horizon), matured_on=day + wait) for day in days]
    card = trained(snapshots, horizon=horizon, grace=grace, as_of=dt.date(2025, 1, 1)).card
    if card.evaluation is None:
        assert card.state == "not_enough_data"
    else:
        assert card.evaluation.snapshot == max(days)
    for fold in card.folds:
        possible = [day for day in days if day + wait <= fold.snapshot]
        assert fold.trained_on
        assert list(fold.trained_on) == possible[-len(fold.trained_on) :]  # all it remembers


def test_what_happened_since_the_validation_day_does_not_change_the_validated_model() -> None:
    """Snapshots whose labels overlap the validation window train the delivered model alone."""
    snapshots = small()
    changed = list(snapshots)
    changed[3] = flipped(snapshots[3])
    first, second = trained(snapshots), trained(changed)
    assert first.card.evaluation == second.card.evaluation
    assert first.parts[VALIDATION_MODEL] == second.parts[VALIDATION_MODEL]
    assert first.onnx != second.onnx


def test_the_delivered_model_learns_from_the_snapshot_that_judged_it() -> None:
    snapshots = small()
    assert trained(snapshots).onnx != trained([*snapshots[:4], flipped(snapshots[4])]).onnx


@pytest.mark.slow
def test_the_delivered_model_learns_from_what_it_remembers_alone() -> None:
    rules: Callable[[int], Rule] = lambda n: lambda features: (3 if n < 5 else -3) * features["x"]  # noqa: E731
    trained_model = trained(make_small_snapshots(11, rules), as_of=weeks(14))
    assert trained_model.card.memory is not None
    assert trained_model.card.memory.snapshots == 2
    assert trained_model.card.snapshots == (weeks(9), weeks(10))
    assert trained_model.card.rows == 800


def test_without_snapshots_there_is_not_enough_data() -> None:
    model = trained([], as_of=weeks(1))
    assert (model.onnx, model.parts) == (None, {})
    assert model.card.state == "not_enough_data"
    (reason,) = model.card.reasons
    assert reason.startswith("0 matured snapshots; the first model needs two")
    assert model.card.enough_on == weeks(4)
    assert (model.card.rows, model.card.base_rate, model.card.evaluation) == (0, None, None)
    assert read_card(ModelCard, card_text(model.card), "card.json") == model.card


def test_a_model_that_nobody_can_judge_is_not_delivered() -> None:
    model = trained([make_snapshot(weeks(0)), make_snapshot(weeks(1))], as_of=weeks(3))
    assert model.onnx is None
    assert model.card.evaluation is None
    assert model.card.rows == 600
    (reason,) = model.card.reasons
    assert reason.startswith("2 matured snapshots; the first model needs two")
    assert model.card.enough_on == weeks(4)


def test_what_is_missing_is_said_in_users_and_not_in_rows() -> None:
    model = trained([with_leavers(snapshot, 41) for snapshot in small()])
    assert model.onnx is None
    assert model.card.positives == 5 * 41
    assert model.card.reasons == (
        "41 users who left in the training snapshots up to 2024-01-15, 50 are needed",
    )
    assert model.card.enough_on == AS_OF + dt.timedelta(days=5)


def test_too_few_users_to_judge_by_are_too_few() -> None:
    snapshots = small()
    snapshots[4] = with_leavers(snapshots[4], 400 - 19)
    assert trained(snapshots).card.reasons == (
        "19 users who stayed in the validation snapshot 2024-01-29, 20 are needed",
    )


def test_exactly_enough_is_enough() -> None:
    snapshots = [with_leavers(snapshot, 50) for snapshot in small()]
    snapshots[4] = with_leavers(snapshots[4], 20)
    assert trained(snapshots).card.state == "ready"


def test_one_outcome_alone_is_not_enough_and_everything_missing_is_told_at_once() -> None:
    model = trained([with_leavers(snapshot, 0) for snapshot in small()], name="payment")
    assert model.card.base_rate == 0.0
    assert model.card.enough_on is None
    assert model.card.reasons == (
        "0 users who paid in the training snapshots up to 2024-01-15, 50 are needed",
        "0 users who paid in the validation snapshot 2024-01-29, 20 are needed",
    )


def test_snapshots_without_users_are_too_little_and_no_error() -> None:
    snapshots = [
        replace(snapshot, features=snapshot.features[:0], labels=snapshot.labels[:0])
        for snapshot in small()
    ]
    assert trained(snapshots).card.state == "not_enough_data"


def assert_same(trained_model: TrainedModel, other: TrainedModel) -> None:
    assert trained_model.card == other.card
    assert trained_model.onnx == other.onnx
    assert trained_model.parts == other.parts


def test_the_same_input_gives_the_same_bytes_and_card() -> None:
    assert_same(trained(whole_of_it(), **PAYMENT), payment_model())


def test_the_order_of_rows_labels_and_snapshots_does_not_matter() -> None:
    shuffled = [
        replace(
            snapshot,
            features=snapshot.features.sample(frac=1, random_state=1),
            labels=snapshot.labels.sample(frac=1, random_state=2),
            spend=None if snapshot.spend is None else snapshot.spend.sample(frac=1, random_state=3),
        )
        for snapshot in reversed(whole_of_it())
    ]
    assert_same(trained(shuffled, **PAYMENT), payment_model())


@pytest.mark.slow
def test_the_number_of_threads_does_not_matter(
    model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boosted_trees, "_threads", lambda _: 3)
    assert_same(trained(make_snapshots(5)), model)


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what a card says without a model, too."""
    monkeypatch.setattr(sufficiency, "MIN_VALIDATION_USERS", 10_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"as_of": AS_OF + dt.timedelta(days=1)},
        {"name": "churn"},
        {"user_groups": "none"},
        {"horizon": 13},
    ],
)
@pytest.mark.usefixtures("no_model")
def test_another_way_of_making_it_gives_another_version(changes: dict[str, Any]) -> None:
    trained_model = trained(whole_of_it(), **{**PAYMENT, **changes})
    assert trained_model.card.version != trained(whole_of_it(), **PAYMENT).card.version


def another_label(snapshot: LabelledSnapshot) -> LabelledSnapshot:
    labels = snapshot.labels.copy()
    labels.iloc[0] = not labels.iloc[0]
    return replace(snapshot, labels=labels)


def another_value(snapshot: LabelledSnapshot) -> LabelledSnapshot:
    features = snapshot.features.copy()
    features["x"] += np.where(features.index == 0, 0.1, 0.0)
    return replace(snapshot, features=features)


def another_group(snapshot: LabelledSnapshot) -> LabelledSnapshot:
    features = snapshot.features.copy()
    features.loc[0, "user_group"] = "cluster=3"
    return replace(snapshot, features=features)


def another_spend(snapshot: LabelledSnapshot) -> LabelledSnapshot:
    assert snapshot.spend is not None
    return replace(snapshot, spend=snapshot.spend + 0.01)


@pytest.mark.parametrize("change", [another_label, another_value, another_group, another_spend])
@pytest.mark.parametrize("place", [0, 4])
@pytest.mark.usefixtures("no_model")
def test_anything_that_changed_gives_another_fingerprint(
    change: Callable[[LabelledSnapshot], LabelledSnapshot], place: int
) -> None:
    snapshots = whole_of_it()
    before = trained(snapshots, **PAYMENT).card
    snapshots[place] = change(snapshots[place])
    after = trained(snapshots, **PAYMENT).card
    assert after.data_fingerprint != before.data_fingerprint
    assert after.version != before.version


@pytest.mark.slow
def test_a_snapshot_that_took_part_in_a_choice_alone_is_in_the_fingerprint() -> None:
    rules: Callable[[int], Rule] = lambda n: lambda features: (3 if n < 5 else -3) * features["x"]  # noqa: E731
    snapshots = make_small_snapshots(11, rules)
    first = trained(snapshots, as_of=weeks(14)).card
    second = trained([another_label(snapshots[0]), *snapshots[1:]], as_of=weeks(14)).card
    assert first.snapshots == second.snapshots == (weeks(9), weeks(10))
    assert first.version != second.version


def without_x(snapshots: Sequence[LabelledSnapshot]) -> list[LabelledSnapshot]:
    return [
        replace(snapshot, features=snapshot.features.drop(columns="x")) for snapshot in snapshots
    ]


@cache
def yesterdays() -> TrainedModel:
    """Of week 8, validated on the snapshot of week 5."""
    return trained(small(6))


def test_a_challenger_that_is_no_worse_replaces_the_champion() -> None:
    trained_model = trained(small(7), as_of=weeks(9), champion=champion_of(yesterdays()))
    decision = trained_model.card.decision
    assert decision is not None
    assert (decision.kept, decision.champion) == ("challenger", yesterdays().card.version)
    assert decision.reason == "on the snapshot for choices the challenger is not worse beyond noise"
    assert trained_model.card.version != yesterdays().card.version
    assert trained_model.card.trained == weeks(9)
    latest, *earlier = trained_model.card.folds
    assert "champion" in latest.contenders
    assert all(
        "champion" not in evaluation.contenders for evaluation in earlier
    )  # it has seen them


def kept() -> TrainedModel:
    """What was known of the weeks before has been spoilt, so that a challenger learns nonsense."""
    return trained(spoilt(), as_of=weeks(10), champion=champion_of(yesterdays()))


def spoilt() -> list[LabelledSnapshot]:
    return [flipped(snapshot) if snapshot.day < weeks(5) else snapshot for snapshot in small(8)]


def test_a_challenger_that_is_worse_leaves_the_champion_as_it_was() -> None:
    trained_model, before = kept(), yesterdays()
    assert (trained_model.onnx, trained_model.parts) == (before.onnx, before.parts)
    card = trained_model.card
    assert card.decision is not None
    assert (card.decision.kept, card.decision.champion) == ("champion", before.card.version)
    assert (
        card.decision.reason == "on the snapshot for choices the challenger is worse beyond noise"
    )
    assert card.decision.difference is not None
    assert card.decision.difference.low > 0
    assert (card.as_of, card.trained) == (weeks(10), AS_OF)
    for name in ("version", "snapshots", "encoding", "onnx_sha256", "parts", "twin_trained"):
        assert getattr(card, name) == getattr(before.card, name), name


def test_a_champion_that_stays_is_judged_by_the_latest_snapshot() -> None:
    card = kept().card
    assert [fold.snapshot for fold in card.folds] == [weeks(7), weeks(5), weeks(4)]
    latest = card.folds[0]
    assert latest.measures.auc.low > latest.contenders["challenger"].auc.high
    assert "champion" not in latest.contenders


@pytest.mark.slow
def test_a_champion_can_stay_again_and_is_loaded_as_ever() -> None:
    first = kept()
    again = trained(spoilt(), as_of=weeks(11), champion=champion_of(first))
    assert again.card.decision is not None
    assert again.card.decision.kept == "champion"
    assert [fold.snapshot for fold in again.card.folds] == [weeks(7), weeks(5), weeks(4)]
    features = small(8)[7].features
    np.testing.assert_array_equal(predicted(again, features), predicted(yesterdays(), features))


def test_a_champion_that_saw_the_outcomes_is_judged_by_its_twin() -> None:
    """The same snapshots a week later: the champion's validation model is the challenger's."""
    later = AS_OF + dt.timedelta(weeks=1)
    card = trained(small(6), as_of=later, champion=champion_of(yesterdays())).card
    assert card.decision is not None
    assert card.decision.difference is not None
    assert card.decision.difference.value == pytest.approx(0.0, abs=1e-6)
    assert card.folds[0].contenders["champion"].auc.value == card.folds[0].measures.auc.value


def test_what_the_champion_saw_of_the_validation_days_does_not_help_it() -> None:
    """Its delivered model learnt the spoilt labels of the last snapshot, the other did not."""
    snapshots = small(6)
    spoilt = [*snapshots[:5], flipped(snapshots[5])]
    champion = champion_of(trained(spoilt))
    card = trained(spoilt, as_of=AS_OF + dt.timedelta(days=1), champion=champion).card
    assert card.folds[0].contenders["champion"].auc.high < 0.5


@pytest.mark.parametrize("latest", [2, 3, 4, 5])
def test_a_champion_is_never_judged_by_days_that_it_has_seen(latest: int) -> None:
    """Some days' snapshots are missing, and the latest is before the one of yesterday."""
    snapshots = small(latest + 1)
    card = trained(snapshots, as_of=weeks(9), champion=champion_of(yesterdays())).card
    assert card.decision is not None
    has_leaked = latest < 3  # a model of week 3 made the choices
    assert ("champion" in card.folds[0].contenders) is not has_leaked
    if has_leaked:
        assert card.decision.reason == (
            f"the champion has seen what happened after the validation snapshot {weeks(latest)}"
        )
    assert (card.decision.difference is None) is (latest < 5)


@pytest.mark.parametrize(
    ("snapshots", "changes", "reason"),
    [
        (small(7, groups="clusters"), {"user_groups": "clusters"}, "user groups are none"),
        (small(7), {"name": "payment"}, "predicts churn in 14 days"),
        (without_x(small(7)), {}, "cannot read the features: x: missing"),
    ],
)
def test_a_champion_that_does_not_fit_is_replaced_and_says_why(
    snapshots: list[LabelledSnapshot], changes: dict[str, Any], reason: str
) -> None:
    champion = champion_of(yesterdays())
    card = trained(snapshots, as_of=weeks(9), champion=champion, **changes).card
    assert card.state == "ready"
    assert card.decision is not None
    assert card.decision.kept == "challenger"
    assert card.decision.champion == yesterdays().card.version
    assert reason in card.decision.reason
    assert "champion" not in card.folds[0].contenders


@pytest.mark.parametrize("snapshots", [[], small(1)])
def test_without_data_for_a_challenger_the_champion_stays(
    snapshots: list[LabelledSnapshot],
) -> None:
    trained_model = trained(snapshots, as_of=weeks(9), champion=champion_of(yesterdays()))
    before = yesterdays()
    assert (trained_model.onnx, trained_model.parts) == (before.onnx, before.parts)
    assert (trained_model.card.state, trained_model.card.as_of, trained_model.card.trained) == (
        "ready",
        weeks(9),
        AS_OF,
    )
    assert trained_model.card.folds == before.card.folds
    assert trained_model.card.decision is not None
    assert trained_model.card.decision.kept == "champion"
    assert trained_model.card.decision.reason.startswith(
        f"there is not enough data for a challenger: {len(snapshots)} matured snapshot"
    )


@pytest.mark.parametrize(
    ("snapshots", "changes"),
    [
        ([], {"user_groups": "clusters"}),
        ([], {"name": "payment"}),
        ([], {"horizon": 7}),
        (without_x(small(1)), {}),
    ],
)
def test_without_data_a_champion_that_does_not_fit_does_not_stay(
    snapshots: list[LabelledSnapshot], changes: dict[str, Any]
) -> None:
    champion = champion_of(yesterdays())
    trained_model = trained(snapshots, as_of=weeks(9), champion=champion, **changes)
    assert trained_model.onnx is None
    assert trained_model.card.state == "not_enough_data"


@pytest.mark.slow
def test_a_payment_model_without_spend_has_no_amounts() -> None:
    trained_model = trained(
        [replace(snapshot, spend=None) for snapshot in whole_of_it()], **PAYMENT
    )
    assert trained_model.card.spend is None
    assert AMOUNTS not in trained_model.parts


def test_a_model_of_young_logs_is_that_of_the_same_users_with_whole_windows() -> None:
    whole = small(4)
    young = [
        replace(
            snapshot,
            features=snapshot.features.assign(x=snapshot.features["x"] * week / 4),
            sums={"x": 28},
            logged_days=7 * week,
        )
        for week, snapshot in enumerate(whole, start=1)
    ]
    expected = predicted(trained(whole), whole[0].features)
    np.testing.assert_allclose(predicted(trained(young), whole[0].features), expected, atol=1e-6)


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
        user_group=pd.array([None] * users, dtype="string"),
    )
    score = features["sum_points_7d"].mod(6).gt(2) ^ features["sum_huge_7d"].gt(0)
    labels = pd.Series((score ^ (chance.random(users) < 0.1)).to_numpy(), features["user_id"])
    return LabelledSnapshot(FIRST_DAY, features, labels, weeks(2))


def share_of(model: TrainedModel) -> float:
    """Share of the linear model in a model that was trained."""
    assert model.card.mixture is not None
    return model.card.mixture.linear_share


def line_of(model: TrainedModel) -> Calibration:
    """Calibration of a model that was trained."""
    assert model.card.calibration is not None
    return model.card.calibration.line


@pytest.mark.slow
@pytest.mark.parametrize(
    "snapshot", [make_snapshot(FIRST_DAY, 1_000), peculiar(1_000)], ids=["usual", "peculiar"]
)
def test_the_onnx_model_says_what_the_trees_say(snapshot: LabelledSnapshot) -> None:
    later = replace(snapshot, day=weeks(2), matured_on=weeks(4))
    model = trained([snapshot, later])
    rows = rows_of([snapshot, later], model.card.encoding)
    categories = rows.encoding.categorical
    fitted = fit_classifier(rows.matrix, rows.labels, share_of(model), 0, categories=categories)
    raw = fitted.raw(encode(snapshot.features, model.card.encoding))
    expected = sigmoid(line_of(model).log_odds(raw))
    np.testing.assert_allclose(predicted(model, snapshot.features), expected, atol=1e-5)


@pytest.mark.slow
def test_a_calibrated_file_says_calibrated_probabilities() -> None:
    rules: Callable[[int], Rule] = lambda n: lambda features: features["x"] + 0.35 * n - 2  # noqa: E731
    snapshots = make_small_snapshots(10, rules, users=600)
    model = trained(snapshots, as_of=weeks(13))
    line = line_of(model)
    assert line.intercept > 0.05
    kept = [snapshot for snapshot in snapshots if snapshot.day in model.card.snapshots]
    rows = rows_of(kept, model.card.encoding)
    fitted = fit_classifier(rows.matrix, rows.labels, share_of(model), seed=0)
    chances = predicted(model, pd.concat([snapshot.features for snapshot in kept]))
    np.testing.assert_allclose(chances, sigmoid(line.log_odds(fitted.raw(rows.matrix))), atol=1e-5)
    weights = np.where(rows.ages < LEVEL_SNAPSHOTS, recency_weights(rows.ages), 0.0)
    assert weights @ chances == pytest.approx(weights @ rows.labels, rel=1e-4)


@pytest.mark.slow
def test_leaving_is_learnt_out_of_time_as_well_as_the_noise_allows() -> None:
    """A model of 300 users a week reaches what the labels' own chances reach, less a little."""
    model = trained(make_snapshots(6), as_of=weeks(9))
    unseen = make_features(2_000, seed=7)
    chances = predicted(model, unseen)
    labels = leavers(unseen, seed=7).to_numpy()
    assert chances[labels].mean() > chances[~labels].mean() + 0.2
    assert chances.mean() == pytest.approx(labels.mean(), abs=0.05)
