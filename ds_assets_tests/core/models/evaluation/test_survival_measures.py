import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.models.evaluation.survival_measures import concordance


def concordance_of_pairs(times: list[int], has_left: list[bool], scores: list[float]) -> float:
    """Harrell's C by comparing each pair."""
    points: list[float] = []
    for first, own in enumerate(times):
        for second, other in enumerate(times):
            leaves_first = own < other or (own == other and not has_left[second])
            if has_left[first] and leaves_first:
                points.append(np.sign(scores[first] - scores[second]) / 2 + 0.5)
    return float(np.mean(points)) if points else float("nan")


@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.sampled_from([0.1, 0.2, 0.5, -np.inf])))
    .filter(bool)
)  # fmt: skip
def test_concordance_is_the_share_of_pairs_in_the_right_order(
    users: list[tuple[int, bool, float]],
) -> None:
    times, has_left, scores = map(list, zip(*users, strict=True))
    with np.errstate(invalid="ignore"):
        expected = concordance_of_pairs(times, has_left, np.nan_to_num(scores, neginf=-9).tolist())
    actual = concordance(np.array(times), np.array(has_left), np.array(scores))
    assert actual == pytest.approx(expected, nan_ok=True)


def test_the_order_of_leaving_has_concordance_one_and_its_reverse_none() -> None:
    times, has_left = np.arange(6), np.array([True] * 4 + [False] * 2)
    assert concordance(times, has_left, -times.astype(float)) == 1
    assert concordance(times, has_left, times.astype(float)) == 0
    assert concordance(times, has_left, np.zeros(6)) == 0.5
