import numpy as np
import pytest

from benchmarks.controls.other_effects import learners
from ds_assets_tests.core.promotions.uplift.factories import make_trial, true_effects


@pytest.mark.slow
@pytest.mark.parametrize("name", learners())
def test_every_learner_finds_effects_that_differ_a_lot(name: str) -> None:
    trial, later = make_trial(), make_trial(seed=1)
    effects = learners()[name](trial)(later.matrix)
    assert np.corrcoef(effects, true_effects(later))[0, 1] > 0.7
