import numpy as np
import pytest

from benchmarks.controls.cox import cox_scores
from benchmarks.controls.departures import find_departures
from ds_assets.core.models.evaluation.survival_measures import concordance
from ds_assets_tests.benchmarks.controls.test_strong_baseline import DAYS, histories_of, task
from ds_assets_tests.core.factories import FIRST_DAY


def test_users_who_leave_sooner_have_higher_scores() -> None:
    pytest.importorskip("statsmodels")
    histories = histories_of(300)
    contest = task(DAYS - 40, histories)
    scores = cox_scores(contest, histories)
    until = FIRST_DAY + np.timedelta64(DAYS - 1, "D").astype(object)
    left = find_departures(histories, contest.users, contest.day, contest.horizon, until)
    assert np.isfinite(scores).all()
    assert concordance(left.days, left.has_left, scores) > 0.65
