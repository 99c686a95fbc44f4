"""Names of files and folders: which are logs, and which folders are named almost like a day.

Scope: the rules, on names alone; the same for the log source and for the lake.
"""

import datetime as dt
import re
from collections.abc import Iterable

_UNFINISHED = (
    *(".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".inprogress"),
    *("._copying_", ".swp", "~"),
)
"""Ends of the names that programs give to files and folders that they still write."""
_COMPANIONS = (".crc", ".md5", ".sha1", ".sha256")
"""Ends of the names of files that hold the checksum of another file."""
_OF_SYSTEMS = {"thumbs.db", "desktop.ini"}
_YEAR = re.compile(r"(?:.*=)?(?:19|20)\d\d")
"""A folder of a year, with the days in folders of its own below it."""
_DATE = re.compile(r"(?<!\d)\d{4}\D?\d{1,2}\D?\d{1,2}(?!\d)")


def is_log(name: str) -> bool:
    """Return whether a file is a log, by its path relative to the day's folder.

    No part of the path may begin with `.` or `_`, as working folders, markers and hidden files do,
    unless an underscore begins a partition folder such as `_shard=3`; and none may end like a file
    that is still being written, or that only holds a checksum.
    """
    # A name that ends in a slash is an empty folder in the consoles of object stores.
    return bool(name.rpartition("/")[2]) and not any(map(_is_set_aside, name.split("/")))


def _is_set_aside(part: str) -> bool:
    lower = part.lower()
    return (
        (part.startswith(".") and bool(part.strip(".")))  # an object's key may hold `.` and `..`
        or (part.startswith("_") and "=" not in part)
        or lower.endswith((*_UNFINISHED, *_COMPANIONS))
        or ".inprogress." in lower
        or lower in _OF_SYSTEMS
    )


def find_misnamed_days(folders: Iterable[str], pattern: str) -> list[str]:
    """Find the folders that look like a day's, but are named differently, and are never read.

    Args:
        folders: Names of the folders beside a day's folder.
        pattern: `strftime` pattern of the day's own name.

    Returns:
        Their names, sorted.
    """
    return sorted(
        name
        for name in folders
        if is_log(name) and _parse(name, pattern) != name and _looks_like_day(name, pattern)
    )


def _looks_like_day(name: str, pattern: str) -> bool:
    return (
        _parse(name, pattern) is not None
        or _DATE.search(name) is not None
        or _YEAR.fullmatch(name) is not None
    )


def _parse(name: str, pattern: str) -> str | None:
    """Return the name that the pattern gives to the day in a name; None if there is no day."""
    try:
        return dt.datetime.strptime(name, pattern).strftime(pattern)  # noqa: DTZ007  (a date)
    except ValueError:
        return None
