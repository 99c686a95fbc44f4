"""An online store of the offers in effect: lookups by user, in the order of priority."""

from bisect import bisect_left
from typing import Any

import pyarrow as pa

from ds_assets.core.user_offers import NAMES


class OnlineOffers:
    """Offers by user id. Threads can share it.

    Args:
        offers: As `select_offers` returns them.
    """

    def __init__(self, offers: pa.Table) -> None:
        self._users, self._offers = offers["user_id"], offers.select(NAMES)

    def find(self, user_id: str) -> list[dict[str, Any]]:
        """Find the offers of a user; none for most."""
        users = self._users
        start = end = bisect_left(range(len(users)), user_id, key=lambda at: users[at].as_py())
        while end < len(users) and users[end].as_py() == user_id:
            end += 1
        offers: list[dict[str, Any]] = self._offers.slice(start, end - start).to_pylist()
        return offers
