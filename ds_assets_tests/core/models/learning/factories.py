"""Simulated users for models of rates."""

import numpy as np
import pandas as pd

from ds_assets.core.encoding import USER_ID
from ds_assets.core.models.arrays import Labels
from ds_assets.core.models.learning.bg_bb import BgBb
from ds_assets.core.models.learning.bg_nbd import Histories

PLAYERS = BgBb(alpha=1.4, beta=1.2, gamma=0.4, delta=20.0)
"""Players who differ in how often they come; some leave soon."""


def draw_days(model: BgBb, users: int, days: int, seed: int = 0) -> Labels:
    """Whether each user came on each of the days after the first one, shape (users, days)."""
    rng = np.random.default_rng(seed)
    chance, leaves = rng.beta(*model[:2], users), rng.beta(*model[2:], users)
    lived = rng.geometric(leaves) - 1
    came: Labels = rng.random((users, days)) < chance[:, None]
    return came & (np.arange(days) < lived[:, None])


def histories_of_days(days: Labels) -> Histories:
    """Histories of users who came on days, the last of which is now."""
    number = np.arange(1, days.shape[1] + 1)
    last = (days * number).max(axis=1)
    return Histories(
        days.sum(axis=1).astype(float), last.astype(float), np.full(len(days), float(len(number)))
    )


def lifetime_features(
    active: Labels, bought: Labels | None = None, amount: float = 10.0
) -> pd.DataFrame:
    """Features of users whose first active day lies before the first of some days.

    Args:
        active: Whether each user came on each of the days, shape (users, days).
        bought: Whether the user bought on each of them, likewise; none did if it is None.
        amount: Spend on each day with a purchase.
    """
    x, t_x, t = histories_of_days(active)
    columns = {
        USER_ID: [f"u{number:05}" for number in range(len(active))],
        "lifetime_active_days": x + 1,
        "lifetime_active_gap": np.where(x > 0, t_x / np.maximum(x, 1), np.nan),
        "lifetime_days_since_active": t - t_x,
        "days_since_active": t - t_x,
    }
    paid = active & False if bought is None else active & bought
    buys, last, _ = histories_of_days(paid)
    since = np.where(buys > 0, t - last, np.nan)
    return pd.DataFrame(
        columns
        | {
            "lifetime_purchase_days": buys,
            "lifetime_spend": buys * amount,
            "lifetime_days_since_purchase": since,
            "days_since_purchase": since,
        }
    )
