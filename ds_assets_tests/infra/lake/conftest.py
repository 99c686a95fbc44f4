"""The lake of the tests that hold for every kind of lake."""

from pathlib import Path

import pytest

from ds_assets.infra.lake.base import Lake
from ds_assets_tests.infra.lake.lakes import KINDS, make_lake


@pytest.fixture(params=KINDS)
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return make_lake(request.param, tmp_path, request)
