import pytest

from ds_assets.core.stored_documents import UPGRADES
from ds_assets_tests.rehearsal.events import EVENTS
from ds_assets_tests.rehearsal.older_release import DOWNGRADES
from ds_assets_tests.rehearsal.run import CALM_DAYS, rehearse


@pytest.mark.slow
def test_days_with_every_kind_of_event_end_like_days_in_order() -> None:
    lines: list[str] = []
    days = max(map(len, EVENTS)) + CALM_DAYS
    assert rehearse(days, seed=1, say=lines.append) == [], "\n".join(lines)


def test_every_older_format_of_a_document_is_rehearsed() -> None:
    assert DOWNGRADES.keys() == UPGRADES.keys()
