"""What every part of the game file is made of: names, days, shares."""

import datetime as dt
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,47}")


PART = ConfigDict(extra="forbid", frozen=True)
"""Of models of keys that belong together: an unknown key is a mistake."""


def _plain_name(name: str) -> str:
    if not IDENTIFIER.fullmatch(name):
        raise ValueError("use up to 48 lower-case letters, digits and _, beginning with a letter")
    return name


def _no_number(day: object) -> object:
    if isinstance(day, int | float):  # pydantic would take it for seconds since 1970
        raise ValueError("write a date, for example 2026-01-31")  # noqa: TRY004
    return day


Name = Annotated[str, AfterValidator(_plain_name)]
Day = Annotated[dt.date, BeforeValidator(_no_number)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)]
