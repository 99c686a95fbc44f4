"""Simulated users get the offers that are assigned to them, and the true effect is that on them."""

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ds_assets.core.contracts import conform
from ds_assets.core.tables import PROMOTIONS
from ds_assets.demo.logs import SimulatedLogs
from ds_assets.demo.promotions import find_offered_users, find_true_effect
from ds_assets.infra.lake.tables import store_rows
from ds_assets.installation import Installation, load_installation
from ds_assets.simulate import OfferKind

FIRST = dt.date(2026, 3, 1)
DAY = dt.date(2026, 5, 10)


def after(days: int) -> dt.date:
    return DAY + dt.timedelta(days=days)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    (tmp_path / "game.yaml").write_text(SimulatedLogs().game_file(FIRST), encoding="utf-8")
    (tmp_path / "truth").mkdir()
    return load_installation({"home": tmp_path})


def assign(installation: Installation, day: dt.date, *rows: tuple[str, str, str]) -> None:
    """Store assignments of a day: user, promotion and arm."""
    frame = pd.DataFrame(rows, columns=["user_id", "promotion", "arm"]).assign(
        as_of=day,
        version="1",
        offer=None,
        assignment_id=[f"{user} {day}" for user, _, _ in rows],
        until=day + dt.timedelta(days=7),
        chosen_by="rule",
        weight=1.0,
        cost=0.5,
    )
    missing: dict[str, Any] = dict.fromkeys(set(PROMOTIONS.names) - set(frame.columns))
    table = conform(PROMOTIONS, frame.assign(**missing).sort_values(["user_id", "promotion"]))
    store_rows(table, PROMOTIONS.name, day, installation.lake())


def test_treated_users_have_an_offer_of_the_kind_that_changes_the_target(
    installation: Installation,
) -> None:
    arms = ("treated", "control", "holdout")
    kept = [(f"k{arm}", "return_gift", arm) for arm in arms]
    assign(installation, DAY, *kept, *((f"s{arm}", "starter_pack", arm) for arm in arms))
    assert find_offered_users(after(1), installation) == {
        OfferKind.RETENTION: {"ktreated"},
        OfferKind.SALE: {"streated"},
    }


def test_an_offer_is_in_effect_for_the_days_on_which_it_is_measured(
    installation: Installation,
) -> None:
    assign(installation, DAY, ("a", "return_gift", "treated"))
    days = [
        number
        for number in range(-1, 12)
        if any(find_offered_users(after(number), installation).values())
    ]
    assert days == [1, 2, 3, 4, 5, 6, 7]


def test_the_true_effect_is_the_mean_of_users_treated_and_in_control(
    installation: Installation,
) -> None:
    assign(
        installation,
        DAY,
        ("a", "return_gift", "treated"),
        ("b", "return_gift", "control"),
        ("c", "return_gift", "holdout"),
        ("d", "starter_pack", "treated"),
    )
    assign(installation, after(1), ("a", "return_gift", "treated"), ("e", "return_gift", "control"))
    for day, change in ((DAY, 0.1), (after(1), 0.3)):
        pd.DataFrame(
            {
                "user_id": list("abcde"),
                "churn_probability": 0.5,
                "churn_probability_retention": [0.5 - change, 0.5, 0.0, 0.0, 0.5 - change],
            }
        ).to_parquet(installation.settings.home / "truth" / f"dt={day}.parquet")
    assert find_true_effect("return_gift", (DAY, DAY), installation) == pytest.approx(-0.05)
    both, second = (DAY, after(1)), (after(1), after(1))
    assert find_true_effect("return_gift", both, installation) == pytest.approx(-0.4 / 3)
    assert find_true_effect("return_gift", second, installation) == pytest.approx(-0.3)
