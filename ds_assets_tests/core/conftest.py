"""Coverage of `core/` by its tests, and the engines that some of them run on."""

import pytest
from hypothesis import is_hypothesis_test

from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.engines.duckdb import open_duckdb
from ds_assets.infra.engines.spark import SparkEngine
from ds_assets_tests.spark import local_session


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure what tests with given examples cover: tracing nearly doubles the time of a test.

    Property tests draw other examples in each run, so that no line may depend on them alone.
    """
    for item in items:
        draws_examples = isinstance(item, pytest.Function) and is_hypothesis_test(item.obj)
        if draws_examples or item.get_closest_marker("slow"):
            item.add_marker("no_cover")


@pytest.fixture(params=["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LakeEngine:
    """Each engine in turn; a module that needs one alone has a fixture of its own."""
    if request.param == "duckdb":
        return open_duckdb(512, 2)
    folder = tmp_path_factory.mktemp("spark")
    return SparkEngine(local_session(folder / "conf"), f"file://{folder}")
