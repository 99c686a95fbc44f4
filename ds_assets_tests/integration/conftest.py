from collections.abc import Iterator

import pytest

from ds_assets_tests.assets.factories import few_pictures


@pytest.fixture(scope="session", autouse=True)
def _few_pictures() -> Iterator[None]:
    with few_pictures():
        yield
