"""Caches that wait: a busy machine is no fault of a server."""

import pytest

from ds_assets_tests.infra.cache.timeouts import set_timeouts

PATIENT = 60.0


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have clients wait longer than any server that works needs."""
    set_timeouts(monkeypatch, PATIENT)
