"""A randomised experiment in a simulated game: it measures the effect that is known."""

import numpy as np
import pytest

from benchmarks.offer_experiment import OfferExperiment, run_experiment
from ds_assets.simulate import OfferKind, SimulationOptions

OPTIONS = SimulationOptions(users=4_000, days=35, seed=2)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> OfferExperiment:
    return run_experiment(OPTIONS, OfferKind.RETENTION, tmp_path_factory.mktemp("game"))


@pytest.mark.slow
class TestRunExperiment:
    def test_every_user_with_features_is_in_one_of_two_equal_arms(
        self, experiment: OfferExperiment
    ) -> None:
        users = len(experiment.covariates)
        assert users > 1_500
        assert {"user_id", "last_country", "sessions_7d"} <= set(experiment.covariates)
        assert experiment.treated.mean() == pytest.approx(0.5, abs=0.05)
        assert experiment.covariates["user_id"].is_monotonic_increasing
        assert all(len(values) == users for values in vars(experiment.outcomes).values())
        assert all(len(values) == users for values in experiment.truth.effects)

    def test_the_control_does_as_is_probable_without_the_offer(
        self, experiment: OfferExperiment
    ) -> None:
        control, truth = ~experiment.treated, experiment.truth
        for happened, expected in (
            (experiment.outcomes.churned, truth.churn),
            (experiment.outcomes.paid, truth.payment),
        ):
            error = np.sqrt((expected * (1 - expected))[control].sum())
            assert abs(happened[control].sum() - expected[control].sum()) < 4 * error

    def test_the_treated_differ_by_the_true_effect(self, experiment: OfferExperiment) -> None:
        truth, treated = experiment.truth, experiment.treated
        for helped in (truth.effects.churn < -0.1, truth.effects.churn > 0.1):
            expected = (truth.churn + truth.effects.churn)[helped & treated]
            error = np.sqrt((expected * (1 - expected)).sum())
            churned = experiment.outcomes.churned[helped & treated].sum()
            assert np.count_nonzero(helped & treated) > 20
            assert abs(churned - expected.sum()) < 4 * error
