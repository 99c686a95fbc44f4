"""An empty results database for the tests of the service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ds_assets.infra.results.database import ResultsDatabase


@pytest.fixture
def results(tmp_path: Path) -> Iterator[ResultsDatabase]:
    with ResultsDatabase(f"sqlite:///{tmp_path / 'results.sqlite'}") as results:
        yield results
