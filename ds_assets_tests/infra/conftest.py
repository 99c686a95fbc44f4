"""An empty results database of each kind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ds_assets.infra.results.database import ResultsDatabase
from ds_assets_tests.infra.results.databases import KINDS, fresh_results


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Its address."""
    with fresh_results(request, tmp_path) as url:
        yield url


@pytest.fixture
def database(url: str) -> Iterator[ResultsDatabase]:
    """Opened."""
    with ResultsDatabase(url) as database:
        yield database
