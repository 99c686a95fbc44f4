"""Samples of users: the same users on every day, in every table and in every engine.

A user is in the sample of a share if the hash of the id lies in that share of all hashes, so that
the sample of a smaller share is a part of that of a larger one.

Scope: which users are in the sample of a share, in arrays and in SQL.
"""

from collections.abc import Iterable
from hashlib import md5

import numpy as np
from numpy.typing import NDArray

_BYTES = 8
"""Bytes of the digest that make the hash."""
_HASHES = 2 ** (8 * _BYTES)


def hash_users(users: Iterable[object]) -> NDArray[np.uint64]:
    """Hash of each id, the same on every day, shape (users,)."""
    # MD5 because DuckDB and Spark have the same; nothing is kept secret by it
    digests = (md5(str(user).encode(), usedforsecurity=False).digest()[:_BYTES] for user in users)
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)


def are_sampled(users: Iterable[object], share: float) -> NDArray[np.bool_]:
    """Which users are in the sample of a share of all users, shape (users,).

    Args:
        users: Their ids.
        share: Share of all users, above 0; from 1 on all are.
    """
    listed = list(users)
    if share >= 1:
        return np.ones(len(listed), dtype=bool)
    return np.asarray(hash_users(listed) <= np.uint64(_last_hash(share)))


def sample_condition(share: float) -> str:
    """The same in SQL, as a condition on the column `user_id`.

    Args:
        share: Share of all users, above 0 and below 1.
    """
    # Digests are compared as text: of those with the same beginning all are in the sample, as the
    # digits g and above do not exist.
    return f"md5(user_id) < '{_last_hash(share):0{2 * _BYTES}x}g'"


def _last_hash(share: float) -> int:
    return max(1, int(share * _HASHES)) - 1
