"""The memory of the sensors between evaluations.

Nothing that matters is in it: what was used is in the lake, and what was requested is in the tags
of the runs. Dagster stores it with each evaluation, so it must not grow with the days of a game.
"""

import datetime as dt
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)


class Cursor(BaseModel):
    """What a sensor remembers. Running installations have stored it under these names.

    Attributes:
        next: Day at which the next evaluation continues with older days.
        warned: What has been warned of, which is not repeated.
        given_up: Tags of intents that are reported as given up.
        deliveries_checked: When servers were asked whether they still hold what was delivered.
        source_checked: When the log source was last found to have nothing new.
        source_checked_until: Newest day that the log source was then searched for.
        missing_days: Fingerprint of the missing days that are reported.
    """

    next: dt.date = dt.date.min
    warned: Annotated[set[str], Field(alias="told")] = set()
    given_up: set[str] = set()
    deliveries_checked: dt.datetime = _NEVER
    source_checked: dt.datetime = _NEVER
    source_checked_until: dt.date = dt.date.max
    missing_days: str = ""


def read_cursor(text: str | None) -> Cursor:
    """The stored cursor; an empty one if it is lost or damaged, which costs only time."""
    try:
        return Cursor.model_validate_json(text or "{}")
    except ValidationError:
        return Cursor()
