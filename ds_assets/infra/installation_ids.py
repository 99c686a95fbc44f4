"""The identity of an installation, by which others with the same name are recognised.

Scope: the id that the lake keeps, and the errors of stores that several installations share. How a
store keeps who has claimed a name is its own.
"""

import secrets

import msgspec

from ds_assets.errors import InputError
from ds_assets.infra.lake.base import Lake

NO_ID = "none"
"""Id that no lake has, for one that has delivered nothing."""

_FILE = "installation.json"
_ID_BYTES = 16


class _Identity(msgspec.Struct):
    """Content of the file."""

    id: str


def lake_id(lake: Lake) -> str:
    """Read the random id of a lake, which gets one with the first delivery.

    A lake that is copied or moved keeps its id, and with it the installation's rows.

    Raises:
        InputError: the file that holds it is damaged.
    """
    stored_id = read_lake_id(lake)
    if stored_id is not None:
        return stored_id
    new_id = secrets.token_hex(_ID_BYTES)
    lake.write(_FILE, msgspec.json.encode(_Identity(new_id)))
    return new_id


def read_lake_id(lake: Lake) -> str | None:
    """Read the id of a lake; none before the first delivery.

    Raises:
        InputError: the file that holds it is damaged.
    """
    try:
        return msgspec.json.decode(lake.read(_FILE), type=_Identity).id
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise InputError(
            f"{_FILE} in the lake {lake} is damaged ({error}): restore it from a backup, or delete "
            "it and run `ds-assets claim`"
        ) from None


def name_is_taken(place: str, name: str) -> InputError:
    """The error of an installation whose name another one has claimed."""
    return InputError(
        f"{place} belongs to an installation {name!r} with another lake: set "
        "DS_ASSETS_INSTALLATION to a name of its own, or, if this lake has replaced that one, run "
        "`ds-assets claim`"
    )


def name_has_changed(place: str, before: str, name: str) -> InputError:
    """The error of a lake whose installation had another name."""
    return InputError(
        f"this lake delivers to {place} as {before!r}, and its installation is now {name!r}: set "
        f"DS_ASSETS_INSTALLATION={before}, or run `ds-assets claim` to start again as {name!r}"
    )
