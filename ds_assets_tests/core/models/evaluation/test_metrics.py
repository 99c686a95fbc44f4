from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    roc_auc_score,
)

from ds_assets.core.models.arrays import Floats, Labels
from ds_assets.core.models.evaluation import metrics
from ds_assets.core.models.evaluation.metrics import (
    Measure,
    Measures,
    Scores,
    log_losses,
    mean_difference,
    mean_of,
    measure,
)


def drawn(users: int, seed: int = 0) -> tuple[Labels, Floats]:
    """Labels, and the chances that they were drawn by."""
    chance = np.random.default_rng(seed)
    probabilities = chance.random(users)
    return chance.random(users) < probabilities, probabilities


def measured(labels: Labels, probabilities: Floats, seed: int = 0) -> Measures:
    return measure(labels, {"one": Scores(probabilities)}, seed)["one"]


def plain_lift(labels: Labels, scores: Floats, share: float) -> float:
    """Positives in the top, over those in as many users by chance.

    Users of the score at the edge are in it in proportion.
    """
    top = share * len(labels)
    inside = above = 0.0
    for score in sorted(set(scores), reverse=True):
        tied = scores == score
        part = min(1.0, (top - above) / tied.sum())
        inside += part * labels[tied].sum()
        above += part * tied.sum()
        if above >= top:
            break
    return float(inside / top / labels.mean())


def plain_ece(labels: Labels, probabilities: Floats) -> float:
    """Distance of mean probability and share in each tenth of the users, weighted by its size."""
    order = np.argsort(probabilities, kind="stable")
    tenth = np.array([place * 10 // len(labels) for place in range(len(labels))])
    error = 0.0
    for number in range(10):
        users = order[tenth == number]
        if len(users):
            gap = probabilities[users].mean() - labels[users].mean()
            error += len(users) / len(labels) * abs(gap)
    return error


judged = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])), min_size=2
).filter(lambda rows: len({label for label, _ in rows}) == 2)


def columns(rows: list[tuple[bool, float]]) -> tuple[Labels, Floats]:
    return np.array([label for label, _ in rows]), np.array([score for _, score in rows])


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of values alone."""
    monkeypatch.setattr(metrics, "RESAMPLES", 20)


@pytest.mark.slow
@given(judged)
def test_measures_are_those_of_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    labels, scores = columns(rows)
    measures = measured(labels, scores)
    assert measures.log_loss is not None
    assert measures.brier is not None
    assert measures.bias is not None
    assert measures.total_ratio is not None
    assert measures.total_ratio.value == pytest.approx(scores.sum() / labels.sum())
    assert measures.auc.value == pytest.approx(roc_auc_score(labels, scores))
    assert measures.pr_auc.value == pytest.approx(average_precision_score(labels, scores))
    assert measures.log_loss.value == pytest.approx(log_loss(labels, scores))
    assert measures.brier.value == pytest.approx(brier_score_loss(labels, scores))
    assert measures.bias.value == pytest.approx(scores.mean() - labels.mean())


@pytest.mark.slow
@given(judged)
def test_lifts_and_calibration_errors_are_those_of_their_plain_definitions(
    rows: list[tuple[bool, float]],
) -> None:
    labels, scores = columns(rows)
    measures = measured(labels, scores)
    assert measures.ece is not None
    assert measures.lift_1.value == pytest.approx(plain_lift(labels, scores, 0.01))
    assert measures.lift_5.value == pytest.approx(plain_lift(labels, scores, 0.05))
    assert measures.lift_10.value == pytest.approx(plain_lift(labels, scores, 0.10))
    assert measures.ece.value == pytest.approx(plain_ece(labels, scores))


@pytest.mark.parametrize("decimals", [1, 2, 9])
@pytest.mark.usefixtures("few_resamples")
def test_measures_of_many_users_are_right_with_and_without_ties(decimals: int) -> None:
    labels, probabilities = drawn(1_234)
    scores = probabilities.round(decimals)
    measures = measured(labels, scores)
    assert measures.ece is not None
    assert measures.auc.value == pytest.approx(roc_auc_score(labels, scores))
    assert measures.pr_auc.value == pytest.approx(average_precision_score(labels, scores))
    for share, lift in {
        0.01: measures.lift_1,
        0.05: measures.lift_5,
        0.10: measures.lift_10,
    }.items():
        assert lift.value == pytest.approx(plain_lift(labels, scores, share))
    assert measures.ece.value == pytest.approx(plain_ece(labels, scores))


@given(judged, st.data())
def test_areas_of_weighted_rows_are_those_of_scikit_learn(
    rows: list[tuple[bool, float]], data: st.DataObject
) -> None:
    labels, scores = columns(rows)
    counts = st.lists(st.integers(1, 5), min_size=len(rows), max_size=len(rows))
    weights = np.array(data.draw(counts), dtype=np.float64)
    measures = metrics._compute_measures(metrics._prepare(labels, Scores(scores)), weights[None, :])
    (auc,), (precision,) = measures["auc"], measures["pr_auc"]
    assert auc == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights))
    expected = average_precision_score(labels, scores, sample_weight=weights)
    assert precision == pytest.approx(expected)


@given(judged, st.data())
def test_a_row_of_weight_three_counts_like_three_rows(
    rows: list[tuple[bool, float]], data: st.DataObject
) -> None:
    labels, scores = columns(rows)
    counts = data.draw(st.lists(st.integers(1, 5), min_size=len(rows), max_size=len(rows)))
    weighted = metrics._compute_measures(
        metrics._prepare(labels, Scores(scores)), np.array([counts], dtype=np.float64)
    )
    repeated = metrics._prepare(np.repeat(labels, counts), Scores(np.repeat(scores, counts)))
    plain = metrics._compute_measures(repeated, np.ones((1, sum(counts))))
    for name in set(plain) - {"ece"}:  # whose bins are made of rows
        np.testing.assert_allclose(weighted[name], plain[name], atol=1e-12, err_msg=name)


def test_an_interval_holds_its_value_and_narrows_with_more_users() -> None:
    few, many = measured(*drawn(200)), measured(*drawn(20_000))
    for name, small in few:
        large = getattr(many, name)
        assert small.low <= small.value <= small.high, name
        assert large.low <= large.value <= large.high, name
        assert large.high - large.low < (small.high - small.low) / 3, name


def test_the_interval_has_the_width_that_theory_gives_a_mean() -> None:
    labels, probabilities = drawn(2_000)
    brier = measured(labels, probabilities).brier
    assert brier is not None
    errors = (probabilities - labels) ** 2
    expected = 2 * 1.96 * errors.std() / np.sqrt(len(errors))
    assert brier.high - brier.low == pytest.approx(expected, rel=0.2)


def test_telling_only_a_thousand_scores_apart_moves_no_end_of_an_interval_visibly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels, probabilities = drawn(5_000)
    coarse = measured(labels, probabilities)
    monkeypatch.setattr(metrics, "MAX_GROUPS", len(labels) + 1)
    exact = measured(labels, probabilities)
    assert coarse.auc.value == exact.auc.value
    assert coarse.auc.low == pytest.approx(exact.auc.low, abs=1e-4)
    assert coarse.auc.high == pytest.approx(exact.auc.high, abs=1e-4)
    assert coarse.pr_auc.low == pytest.approx(exact.pr_auc.low, abs=1e-3)


def test_how_many_resamples_are_held_at_once_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels, probabilities = drawn(100)
    whole = measured(labels, probabilities)
    monkeypatch.setattr(metrics, "_BLOCK", 700)
    assert_alike(measured(labels, probabilities), whole)
    monkeypatch.setattr(metrics, "_BLOCK", 1)
    assert_alike(measured(labels, probabilities), whole)


def assert_alike(measures: Measures, expected: Measures) -> None:
    for name, actual in measures:
        assert actual.model_dump() == pytest.approx(getattr(expected, name).model_dump()), name


def test_the_same_seed_gives_the_same_intervals() -> None:
    labels, scores = drawn(500)
    assert measured(labels, scores, 4) == measured(labels, scores, 4)
    assert measured(labels, scores, 4) != measured(labels, scores, 5)


def test_a_contender_is_measured_the_same_alone_and_among_others() -> None:
    labels, scores = drawn(300)
    others = {"one": Scores(scores), "worse": Scores(scores**2), "rule": Scores(-scores, False)}
    together = measure(labels, others, seed=3)
    assert list(together) == ["one", "worse", "rule"]
    assert together["one"] == measured(labels, scores, 3)


def test_what_only_ranks_has_no_measure_that_needs_a_probability() -> None:
    labels, scores = drawn(100)
    rule = measure(labels, {"rule": Scores(1_000 * scores - 7, False)}, seed=0)["rule"]
    assert rule.log_loss is rule.brier is rule.ece is rule.bias is rule.total_ratio is None
    model = measured(labels, scores)
    assert (rule.auc, rule.pr_auc, rule.lift_1) == (model.auc, model.pr_auc, model.lift_1)


def test_a_rule_may_know_nothing_of_some_users() -> None:
    labels, scores = drawn(100)
    scores[:50] = -np.inf
    measures = measure(labels, {"rule": Scores(scores, False)}, seed=0)["rule"]
    assert measures.auc.value == pytest.approx(
        roc_auc_score(labels, np.where(np.isinf(scores), -1, scores))
    )


def test_scores_that_say_nothing_rank_like_chance() -> None:
    labels, _ = drawn(500)
    measures = measured(labels, np.full(500, 0.5))
    assert measures.auc.low == measures.auc.value == measures.auc.high == 0.5
    assert measures.lift_1.value == pytest.approx(1.0)
    assert measures.lift_1.high - measures.lift_1.low == pytest.approx(0.0, abs=1e-12)


def test_a_perfect_ranking_finds_nobody_else_at_the_top() -> None:
    labels = np.arange(1_000) < 200
    measures = measured(labels, np.where(labels, 0.9, 0.1))
    assert (measures.auc.value, measures.pr_auc.value) == (1.0, 1.0)
    assert measures.lift_10.value == pytest.approx(5.0)


@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_certainty_that_is_wrong_is_a_large_loss_and_no_infinite_one(certain: float) -> None:
    labels = np.array([True, False, True, False])
    measures = measured(labels, np.full(4, certain))
    assert measures.log_loss is not None
    assert 10 < measures.log_loss.value < 20


def test_two_users_are_enough_to_measure() -> None:
    labels = np.array([True, False])
    contenders = {"one": Scores(np.array([0.9, 0.1])), "rule": Scores(np.array([0.0, 1.0]), False)}
    measures = measure(labels, contenders, seed=0)
    assert measures["one"].auc == Measure(value=1.0, low=1.0, high=1.0)
    assert measures["rule"].auc == Measure(value=0.0, low=0.0, high=0.0)


@pytest.mark.parametrize("label", [True, False])
def test_users_of_one_outcome_cannot_be_measured(label: bool) -> None:
    with pytest.raises(ValueError, match="both outcomes"):
        measure(np.full(3, label), {"one": Scores(np.full(3, 0.5))}, seed=0)


@pytest.mark.parametrize(
    ("other", "overlaps"),
    [((0.4, 0.6), True), ((0.1, 0.3), True), ((0.6, 0.9), False), ((0.0, 0.1), False)],
)
def test_intervals_overlap_where_they_have_a_point_in_common(
    other: tuple[float, float], overlaps: bool
) -> None:
    left = Measure(value=0.4, low=0.3, high=0.5)
    right = Measure(value=other[0], low=other[0], high=other[1])
    assert left.overlaps(right) is right.overlaps(left) is overlaps


def test_log_losses_are_those_of_what_happened() -> None:
    losses = log_losses(np.array([True, False]), np.array([0.8, 0.4]))
    np.testing.assert_allclose(losses, [-np.log(0.8), -np.log(0.6)])


def test_a_better_contender_has_a_difference_below_nought_beyond_noise() -> None:
    labels, probabilities = drawn(2_000)
    worse = np.full(2_000, labels.mean())
    difference = mean_difference(labels, probabilities, worse, seed=0)
    assert difference.high < 0
    turned = mean_difference(labels, worse, probabilities, seed=0)
    assert turned.low > 0
    assert turned.value == -difference.value
    assert difference.value == pytest.approx(
        log_loss(labels, probabilities) - log_loss(labels, worse)
    )


@pytest.mark.parametrize("seed", range(3))
def test_contenders_that_differ_by_noise_alone_are_not_told_apart(seed: int) -> None:
    labels, probabilities = drawn(1_000, seed)
    shaken = np.random.default_rng([seed, 9]).normal(0, 0.05, (2, 1_000))
    left, right = np.clip(probabilities + shaken, 0.01, 0.99)
    difference = mean_difference(labels, left, right, seed=0)
    assert difference.low < 0 < difference.high


def test_the_same_contender_twice_differs_by_nothing() -> None:
    labels, probabilities = drawn(50)
    none = Measure(value=0.0, low=0.0, high=0.0)
    assert mean_difference(labels, probabilities, probabilities, seed=0) == none


@pytest.mark.parametrize("draw", [np.random.Generator.normal, np.random.Generator.exponential])
def test_the_interval_of_a_mean_is_that_of_theory(draw: Callable[..., Floats]) -> None:
    values = draw(np.random.default_rng(0), size=1_000)
    mean = mean_of(values, seed=0)
    assert mean.value == pytest.approx(values.mean())
    assert mean.high - mean.low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(1_000), rel=0.2)


def test_the_mean_of_one_user_has_no_width() -> None:
    assert mean_of(np.array([3.0]), seed=0) == Measure(value=3.0, low=3.0, high=3.0)
