import pytest

from ds_assets_tests.rehearsal.events import EVENTS
from ds_assets_tests.rehearsal.run import CALM_DAYS, rehearse


@pytest.mark.slow
def test_days_with_every_kind_of_event_end_like_days_in_order() -> None:
    lines: list[str] = []
    days = len(EVENTS) + CALM_DAYS
    assert rehearse(days, users=100, seed=1, say=lines.append) == [], "\n".join(lines)
