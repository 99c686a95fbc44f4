"""Coverage of `core/` by its tests."""

import pytest
from hypothesis import is_hypothesis_test


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure what tests with given examples cover: tracing nearly doubles the time of a test.

    Property tests draw other examples in each run, so that no line may depend on them alone.
    """
    for item in items:
        draws_examples = isinstance(item, pytest.Function) and is_hypothesis_test(item.obj)
        if draws_examples or item.get_closest_marker("slow"):
            item.add_marker("no_cover")
