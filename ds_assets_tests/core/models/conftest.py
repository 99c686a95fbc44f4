"""What tests of models have in common."""

from collections.abc import Iterator

import pytest

from ds_assets.core.models.evaluation import metrics
from ds_assets.core.models.learning import learner


@pytest.fixture(scope="module")
def few_trees() -> Iterator[None]:
    """Few, bolder trees, and rougher intervals: enough for small data, in a third of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learner, "TREES", 20)
        patch.setitem(learner.HYPER_PARAMETERS, "learning_rate", 0.25)
        patch.setattr(metrics, "RESAMPLES", 60)
        yield
