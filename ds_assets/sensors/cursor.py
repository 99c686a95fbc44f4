"""The sensor's memory between evaluations.

Nothing that matters is in it: what was used is in the lake, and what was requested is in the tags
of the runs. Dagster stores it with each evaluation, so it must not grow with the days of a game.
"""

import datetime as dt
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError


class Cursor(BaseModel):
    """What the sensor remembers. Running installations have stored it under these names.

    Attributes:
        next: Day at which the next evaluation continues with older days.
        warned: What has been warned of, which is not repeated.
        deliveries_checked: When servers were asked whether they still hold what was delivered.
    """

    next: dt.date = dt.date.min
    warned: Annotated[set[str], Field(alias="told")] = set()
    deliveries_checked: dt.datetime = dt.datetime.min.replace(tzinfo=dt.UTC)


def read_cursor(text: str | None) -> Cursor:
    """The stored cursor; an empty one if it is lost or damaged, which costs only time."""
    try:
        return Cursor.model_validate_json(text or "{}")
    except ValidationError:
        return Cursor()
