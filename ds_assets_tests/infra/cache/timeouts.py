"""Timeouts of the cache's clients, which the tests of this folder set as they need them.

Short ones belong to tests in which a server stays silent. What works is asked without them: it may
take its time on a busy machine.
"""

import pytest

from ds_assets.infra.cache import connection

_NAMES = ("CONNECT_TIMEOUT_S", "RESPONSE_TIMEOUT_S", "INTERACTIVE_TIMEOUT_S")
_PRODUCTION = {name: getattr(connection, name) for name in _NAMES}


def set_timeouts(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Set all timeouts of clients that connect from now on."""
    for name in _NAMES:
        monkeypatch.setattr(connection, name, seconds)


def set_production_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the timeouts as they are outside of tests."""
    for name, seconds in _PRODUCTION.items():
        monkeypatch.setattr(connection, name, seconds)
