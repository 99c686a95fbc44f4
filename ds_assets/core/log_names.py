"""Names of files and folders: which are logs, and which are written almost like a day's.

Scope: the rules, on names alone; the same for the log source and for the lake.
"""

import datetime as dt
import re
from collections.abc import Iterable

from ds_assets.path_patterns import PathPart

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


def find_misnamed_days(names: Iterable[str], part: PathPart) -> list[str]:
    """Find the names that look like a day's, but are written differently, and are never read.

    Args:
        names: Names of folders and files beside those of a day.
        part: The pattern of a day's own name.

    Returns:
        The names, sorted.
    """
    return sorted(
        name
        for name in names
        if is_log(name) and part.read(name) is None and _looks_like_day(name, part)
    )


def _looks_like_day(name: str, part: PathPart) -> bool:
    return (
        _is_parsed(name, part.text.replace("%-", "%"))
        or _DATE.search(name) is not None
        or _YEAR.fullmatch(name) is not None
    )


def _is_parsed(name: str, pattern: str) -> bool:
    """Whether a pattern fits a name with or without leading zeros."""
    try:
        dt.datetime.strptime(name, pattern)  # noqa: DTZ007  (a date)
    except (ValueError, re.error):  # the latter of a directive that is there twice
        return False
    return True
