"""How players respond to offers: hidden response types, and the offers in effect on a day.

Scope: who responds in which way, and how strongly. How an offer changes the day's law is in
`world.py`, so that the game and the oracle share it.

The types are the four groups of the literature on uplift (Kane, Lo and Zheng, Mining for the truly
responsive customers and prospects using true-lift modeling, 2014). A user's type depends on facts
that show in the logs, and on chance that does not: the best policy that can be learnt from logs
stays below that of an oracle which knows the types.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.simulate.events import Flags, Floats, Ints


class OfferKind(StrEnum):
    """What an offer is meant to change."""

    RETENTION = "retention"
    SALE = "sale"


class ResponseType(IntEnum):
    """What an offer does to a user; the value is an index into shares and effects by type."""

    PERSUADABLE = 0
    """Leaves less with a retention offer, and buys more with a sale."""
    SURE = 1
    """Stays and pays with or without an offer."""
    LOST = 2
    """Leaves with or without an offer."""
    SLEEPING_DOG = 3
    """Is woken by any offer, and leaves."""


OfferedUsers: TypeAlias = Mapping[OfferKind, Collection[str]]
"""Ids of the users with an offer of a kind in effect on a day."""

PERSUADED_LEAVE, PERSUADED_RETURN, PERSUADED_PLAY, PERSUADED_BUY = 0.2, 25.0, 2.0, 3.0
"""Factors of a persuadable user's leaving, returning and playing under a retention offer, and of
purchases under a sale."""
WOKEN_LEAVE = 0.25
"""What any offer adds to a sleeping dog's probability of leaving on a day."""


@dataclass(frozen=True)
class Offers:
    """The offers in effect on one day: whether a user has one, an array of shape (users,) each."""

    retention: Flags
    sale: Flags

    @property
    def any(self) -> Flags:
        """Users with any offer."""
        return self.retention | self.sale


def offers_in_effect(offered: OfferedUsers, user_ids: Any) -> Offers | None:
    """The offers of some users.

    Args:
        offered: The users by kind of offer.
        user_ids: Ids of all accounts in their order, a pyarrow array.

    Returns:
        None if nobody has an offer.

    Raises:
        ValueError: an id is not that of an account.
    """
    if not any(offered.values()):
        return None
    flags = (_find_users(offered.get(kind, ()), user_ids) for kind in OfferKind)
    return Offers(*flags)


def offers_to_all(kind: OfferKind, users: int) -> Offers:
    """Offers of a kind to all users."""
    return Offers(*(np.full(users, kind is it) for it in OfferKind))


def _find_users(ids: Collection[str], user_ids: Any) -> Flags:
    texts = pa.array(sorted(ids), pa.string())
    places = pc.index_in(texts, value_set=user_ids)
    if places.null_count:
        unknown = texts.filter(places.is_null())[0]
        raise ValueError(
            f"offers: found user {unknown}; {user_ids[0]} to {user_ids[-1]} are accepted"
        )
    flags = np.zeros(len(user_ids), dtype=bool)
    flags[places.to_numpy()] = True
    return flags


# By type: the log-odds at the usual facts, and their slopes along the facts of `_facts`.
_AT_USUAL = (0.8, 0.0, 0.0, -1.2)
_SLOPES = (
    (1.0, 0.8, -0.4, 0.0),  # persuadable: new, plays much
    (-0.4, 0.0, -0.6, 1.4),  # sure: has bought, stays long
    (0.0, -0.8, 1.4, -0.2),  # lost: leaves soon, plays little
    (-0.8, -0.4, 1.0, -0.4),  # sleeping dog: here for long, plays and buys little
)
# Of each country, what is added for persuadable users and for sleeping dogs.
_COUNTRIES = {
    "KR": (1.2, -1.2),
    "US": (-1.0, 1.0),
    "JP": (1.2, -1.2),
    "TH": (-1.0, 1.0),
    "TW": (0.0, 0.0),
}
_USUAL_SESSIONS, _USUAL_LEAVE, _USUAL_BUYS, _NEW_DAYS = 1.2, 0.006, 0.01, 45.0


def response_shares(
    installed: Ints, sessions: Floats, leave: Floats, buys: Floats, country: list[str]
) -> Floats:
    """P(type) of each user from what is partly visible in the logs, of shape (users, types).

    Args:
        installed: Day of the install, negative before the first day, shape (users,) as all others.
        sessions: Usual number of sessions beyond the first on an active day.
        leave: Probability of leaving on a day, for one with a long tenure.
        buys: Usual number of purchases on an active day.
        country: Code of the country.
    """
    facts = np.column_stack(
        [
            2 * np.exp(np.minimum(installed, 0) / _NEW_DAYS) - 1,
            *(
                np.clip(np.log(value / usual), -2, 2)
                for value, usual in (
                    (sessions, _USUAL_SESSIONS),
                    (leave, _USUAL_LEAVE),
                    (buys, _USUAL_BUYS),
                )
            ),
        ]
    )
    odds = np.array(_AT_USUAL) + facts @ np.array(_SLOPES).T
    of_country = np.array([_COUNTRIES[code] for code in country])
    odds[:, [ResponseType.PERSUADABLE, ResponseType.SLEEPING_DOG]] += of_country
    weights = np.exp(odds)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
