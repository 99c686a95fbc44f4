"""The identity of an installation, by which others with the same name are recognised.

Scope: the id that the lake keeps, and the errors of stores that several installations share. How a
store keeps who has claimed a name is its own.
"""

import secrets

import msgspec

from ds_assets.errors import InputError
from ds_assets.infra.lake.base import Lake

_FILE = "installation.json"
_ID_BYTES = 16


class _Identity(msgspec.Struct):
    """Content of the file."""

    id: str


def lake_id(lake: Lake) -> str:
    """Read the random id of a lake, which has one from the first delivery on.

    A lake that is copied or moved keeps its id, and with it the installation's rows.
    """
    if not lake.exists(_FILE):
        lake.write(_FILE, msgspec.json.encode(_Identity(secrets.token_hex(_ID_BYTES))))
    return msgspec.json.decode(lake.read(_FILE), type=_Identity).id


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
