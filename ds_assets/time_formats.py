"""How the times of log lines are written.

Scope: the names of the formats, and the rules of a format with directives. Reading times is in
`infra.engines.line_times`.
"""

import re

ISO = "iso8601"
TICKS_PER_SECOND = {
    "epoch_seconds": 1,
    "epoch_milliseconds": 1_000,
    "epoch_microseconds": 1_000_000,
    "epoch_nanoseconds": 1_000_000_000,
}
"""Formats of numbers, counted from 1970 in UTC: how many are in a second."""

DIRECTIVES = "aAbBdfHIjmMpSyYzZ"
"""Letters that may follow a percent sign, with the meaning that they have in Python."""
_DATES = ("Y|y", "m|b|B", "d"), ("Y|y", "j")


def read_time_format(text: str) -> str:
    """Validate the format of times.

    Raises:
        ValueError: with a message for the author of the game file.
    """
    names = (ISO, *TICKS_PER_SECOND)
    if text in names:
        return text
    if "%" not in text:
        raise ValueError(f"use {', '.join(names)}, or a format such as '%m/%d/%Y %H:%M:%S'")
    _refuse_wrong_directives(re.findall("%(.?)", text, re.DOTALL))
    return text


def _refuse_wrong_directives(letters: list[str]) -> None:
    directives = [letter for letter in letters if letter != "%"]
    for letter in directives:
        if not letter or letter not in DIRECTIVES:
            listed = " ".join(f"%{it}" for it in DIRECTIVES)
            raise ValueError(f"%{letter} is not supported; use {listed} or %%")
        if directives.count(letter) > 1:
            raise ValueError(f"%{letter} is there twice")
    if not any(all(set(part) & set(directives) for part in date) for date in _DATES):
        raise ValueError("it must have a date: %Y, %m and %d, or %Y and %j")
    if ("I" in directives) != ("p" in directives):
        raise ValueError("%I, the hour from 1 to 12, and %p, AM or PM, need each other")
