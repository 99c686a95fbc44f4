"""Validation of the user ids of a request."""

from collections.abc import Sequence

from ds_assets.errors import InputError
from ds_assets.infra.results.database import KEY_LENGTH

MAX_USERS_PER_REQUEST = 1_000


def check_user_ids(user_ids: Sequence[str]) -> None:
    """Check the user ids of a request.

    Raises:
        InputError: there are too many, or one is not acceptable; the message names the first.
    """
    if isinstance(user_ids, str):
        raise InputError("user ids must be a list; found a single text")
    if len(user_ids) > MAX_USERS_PER_REQUEST:
        raise InputError(
            f"the request names {len(user_ids):,} user ids; accepted are up to "
            f"{MAX_USERS_PER_REQUEST:,}"
        )
    for position, user_id in enumerate(user_ids, start=1):
        check_user_id(user_id, position)


def check_user_id(user_id: object, position: int = 1) -> None:
    """Check one user id, which stands at this position in its request.

    Raises:
        InputError: it is not a text of acceptable length.
    """
    if not _is_user_id(user_id):
        raise InputError(
            f"user id {position} is {ascii(user_id)[:80]}; accepted is a text of 1 to "
            f"{KEY_LENGTH} characters"
        )


def _is_user_id(value: object) -> bool:
    return (
        isinstance(value, str)
        and 1 <= len(value) <= KEY_LENGTH
        and (value.isascii() or _is_encodable(value))
    )


def _is_encodable(text: str) -> bool:
    try:
        text.encode()  # JSON can hold a lone surrogate, which UTF-8 cannot
    except UnicodeEncodeError:
        return False
    return True
