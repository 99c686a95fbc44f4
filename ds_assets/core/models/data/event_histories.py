"""Histories of users for models of rates: how often, how recently and since when.

Scope: which lifetime features they come from. They count days on which something happened, in open
days, over the whole history.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.learning.bg_nbd import Histories

EventKind = Literal["active", "purchase"]
"""Kinds of days whose lifetime features are declared in `feature_catalog`."""
Columns = pd.DataFrame | Mapping[str, Floats]


def histories_of(features: Columns, kind: EventKind) -> Histories:
    """Histories of the days of a kind, from the first such day on, as of the features' day.

    Args:
        features: Features frame with the lifetime features, or their values by name.
        kind: Days with activity, or days with a purchase.

    Returns:
        In the order of the rows. A user without any such day has an `x` of -1 and no times.
    """
    repeated = _values(features, f"lifetime_{kind}_days") - 1
    gap = _values(features, f"lifetime_{kind}_gap")
    spanned = np.where(repeated > 0, np.round(gap * repeated), 0.0)
    since = _values(features, f"lifetime_days_since_{kind}")
    return Histories(repeated, np.where(repeated < 0, np.nan, spanned), spanned + since)


def purchases_of(features: Columns) -> tuple[Floats, Floats]:
    """Number of each user's days with a purchase, and the sum of all spend, each of shape (users,).

    Refunds are part of the spend, which is therefore never below 0 here.
    """
    days = _values(features, "lifetime_purchase_days")
    return days, np.maximum(_values(features, "lifetime_spend"), 0.0)


def _values(features: Columns, name: str) -> Floats:
    values = features[name]
    return values.to_numpy(np.float64, na_value=np.nan) if isinstance(values, pd.Series) else values
