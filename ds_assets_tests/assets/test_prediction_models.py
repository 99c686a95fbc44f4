import datetime as dt

import pytest

from ds_assets.assets import prediction_models
from ds_assets_tests.core.factories import make_game

SNAPSHOT = dt.date(2026, 3, 1)
HORIZON = 3


@pytest.mark.parametrize(
    ("stored", "grace", "is_over"),
    [
        ((1, 2, 3), 0, True),
        ((1, 3), 0, False),
        ((1, 2), 0, False),
        ((1, 2, 3), 1, False),
        ((1, 2, 3, 4), 1, True),
    ],
)
def test_a_day_missing_in_the_window_or_its_grace_does_not_read_as_users_who_left(
    stored: tuple[int, ...], grace: int, is_over: bool
) -> None:
    game = make_game().model_copy(update={"grace_days": grace})
    days = {SNAPSHOT + dt.timedelta(days=n) for n in stored}
    assert prediction_models._is_over(SNAPSHOT, HORIZON, days, game) == is_over
