import pytest

from ds_assets_tests.soak import load
from ds_assets_tests.soak.run import soak


@pytest.mark.slow
@pytest.mark.server
def test_the_api_answers_truly_and_in_time_whatever_goes_away_or_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Each request costs processor time, and half of those of `make soak` meet every fault too.
    monkeypatch.setattr(load, "CONNECTIONS", load.CONNECTIONS // 2)
    result = soak(minutes=1, say=lambda _: None)
    assert result.faults == []
