"""Versions of promotions, as their stored outcomes show them.

Scope: from rows of `PROMOTION_OUTCOMES` to versions, and how far the comparison of each has come.
"""

import datetime as dt
from collections.abc import Collection, Iterator

import pandas as pd

from ds_assets.core.promotions.moments import cells_of
from ds_assets.core.promotions.results import Version
from ds_assets.core.promotions.waves import Day, Terms, progress_on

KEPT_DAYS = 92
"""Days after the last assignments of a version that is no longer current in which its result is
still reported."""

VersionName = tuple[str, str]
"""Name of a promotion, or `all`, and its version."""


def versions_on(
    as_of: dt.date, rows: pd.DataFrame, current: Collection[VersionName]
) -> Iterator[Version]:
    """The versions to report of on a day, with how far each has come.

    Args:
        as_of: The day.
        rows: Columns of `PROMOTION_OUTCOMES` of all stored days, with dates as `datetime.date`.
        current: The versions that the game has now.
    """
    known_rows = rows[rows["as_of"] <= as_of]
    for (promotion, version), of_version in known_rows.groupby(["promotion", "version"]):
        name = (str(promotion), str(version))
        is_current = name in current
        if is_current or (as_of - of_version["as_of"].max()).days <= KEPT_DAYS:
            days = map(_day_of, _by_day(of_version))
            yield Version(*name, progress_on(days, as_of, is_current=is_current))


def terms_by_version(rows: pd.DataFrame) -> dict[VersionName, Terms]:
    """The latest terms of each version."""
    newest = rows.sort_values("as_of").groupby(["promotion", "version"], sort=False)
    return {
        (str(promotion), str(version)): _terms_of(
            of_version[of_version["as_of"] == of_version["as_of"].max()]
        )
        for (promotion, version), of_version in newest
    }


def _by_day(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for _, of_day in rows.groupby("as_of", sort=True):
        yield of_day


def _day_of(rows: pd.DataFrame) -> Day:
    return Day(rows["as_of"].iloc[0], _terms_of(rows), cells_of(rows))


def _terms_of(rows: pd.DataFrame) -> Terms:
    """The terms in rows of one version and day."""
    first = rows.iloc[0]
    planned = rows[["arm", "share"]].dropna().drop_duplicates("arm")
    shares = dict(zip(planned["arm"].astype(str), planned["share"].astype(float), strict=True))
    ends = None if pd.isna(first["ends"]) else first["ends"]
    return Terms(str(first["target"]), float(first["detects"]), shares, ends)
