"""What the demo's promotions offer to simulated users, and what they truly change.

Scope: assignments as offers that the simulator knows, and the true effect beside a measured one.
"""

import datetime as dt

import pandas as pd

from ds_assets.core.promotions.assignment import CONTROL, TREATED
from ds_assets.demo.logs import DayRange
from ds_assets.infra.lake.promotions import (
    assignments_in_effect,
    read_assignments,
    usable_days,
)
from ds_assets.infra.lake.tables import between
from ds_assets.installation import Installation
from ds_assets.simulate import OfferedUsers, OfferKind
from ds_assets.summary import Summary

KINDS = {"churn": OfferKind.RETENTION, "payment": OfferKind.SALE}
"""The offer that is meant to change each target."""


def find_offered_users(day: dt.date, installation: Installation) -> OfferedUsers:
    """Find the users with an offer in effect on a day, as assigned until the day before."""
    game = installation.game
    evening = day - dt.timedelta(days=1)
    rows = assignments_in_effect(evening, installation.lake(), game).to_pandas()
    treated = rows[rows["arm"] == TREATED]
    target = treated["promotion"].map({name: it.target for name, it in game.promotions.items()})
    return {kind: set(treated["user_id"][target == name]) for name, kind in KINDS.items()}


def add_true_effects(summary: Summary, installation: Installation) -> None:
    """Add to a summary what each promotion truly changed for the users that were compared."""
    for it in summary.promotions:
        days = (it.assigned_from, it.assigned_until)
        it.true_effect = find_true_effect(it.name, days, installation)


def find_true_effect(promotion: str, days: DayRange, installation: Installation) -> float:
    """Find what a promotion truly changes on average: the probability of its target, as a share.

    Args:
        promotion: Its name.
        days: First and last day of the assignments of the users that are compared.
        installation: The demo's installation, with the simulator's truth in its home.
    """
    rows = _find_compared(promotion, days, installation)
    usual = f"{installation.game.promotions[promotion].target}_probability"
    offered = f"{usual}_{KINDS[installation.game.promotions[promotion].target]}"
    truths = [_read_truth(day, installation) for day in rows["as_of"].unique()]
    true = rows.merge(pd.concat(truths), on=["as_of", "user_id"])
    return float((true[offered] - true[usual]).mean())


def _read_truth(day: dt.date, installation: Installation) -> pd.DataFrame:
    truth = pd.read_parquet(installation.settings.home / "truth" / f"dt={day}.parquet")
    return truth.assign(as_of=day)


def _find_compared(promotion: str, days: DayRange, installation: Installation) -> pd.DataFrame:
    """Users treated and in control with the day of their first assignment, if it is in a range."""
    first, last = days
    game, lake = installation.game, installation.lake()
    stored = between(usable_days(lake, game), game.first_day, last)
    rows = read_assignments(stored, ["as_of", "user_id", "promotion", "arm"], lake)
    own = rows[(rows["promotion"] == promotion) & rows["arm"].isin([TREATED, CONTROL])]
    own = own.sort_values("as_of").drop_duplicates("user_id")
    return own[own["as_of"] >= first]
