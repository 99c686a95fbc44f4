import numpy as np

from ds_assets.core.promotions.uplift.groups import GROUPS, group_users, measure_groups


def test_users_are_grouped_by_effect_and_by_what_they_do_without() -> None:
    low = np.array([0.01, -0.01, -0.01, -0.2])
    high = np.array([0.2, 0.02, 0.02, -0.01])
    without = np.array([0.3, 0.9, 0.1, 0.7])
    assert group_users(low, high, without).tolist() == list(GROUPS)


def test_groups_are_described_by_share_and_measured_if_they_are_large() -> None:
    groups = np.array(["persuadable"] * 300 + ["lost"] * 100, dtype=object)
    scores = np.where(groups == "persuadable", 0.3, 0.0)
    without, predicted = np.full(400, 0.2), np.full(400, 0.1)
    large, small = measure_groups(groups, without, predicted, scores, np.ones(400))
    assert (large.name, large.share) == ("persuadable", 0.75)
    assert large.measured is not None
    assert large.measured.value == 0.3 or abs(large.measured.value - 0.3) < 1e-9
    assert small.measured is not None
    few = measure_groups(groups[250:], without[250:], predicted[250:], scores[250:], np.ones(150))
    assert few[0].measured is None


def test_groups_without_users_are_left_out() -> None:
    groups = np.array(["sure"] * 5, dtype=object)
    parts = measure_groups(groups, np.ones(5), np.zeros(5), np.zeros(5), np.ones(5))
    assert [part.name for part in parts] == ["sure"]
