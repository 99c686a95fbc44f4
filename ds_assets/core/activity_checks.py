"""The checks of a day's activity, any of which refuses the day.

Scope: the rules, by the reports of the day and of earlier days, and the messages.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from statistics import median

from ds_assets.core.activity_report import ActivityReport
from ds_assets.game import Game

WEEKS_COMPARED = 4
"""Weeks before a day whose same weekday is compared with; a game in its first ones is launching."""
LAUNCH_DAYS_COMPARED = 7
"""Days before a day of a launch that are compared with as well."""
_MAX_NAMES = 5
"""Names of unreadable files in a message, those of the largest."""

ReadReport = Callable[[dt.date], ActivityReport | None]
"""Returns the report of an earlier day; none if it is missing or refused."""


def describe_checks(game: Game) -> dict[str, str]:
    """The checks by name, with what each demands of a day."""
    limits = game.checks
    return {
        "has_events": "A day has events.",
        "has_enough_events": (
            f"A day has at least {limits.min_event_share:.0%} of the usual events of its weekday."
        ),
        "is_mostly_valid": (
            f"At most {limits.max_quarantined_share:.0%} of a day's lines are in quarantine, or "
            "lost in files that cannot be read."
        ),
        "has_few_duplicates": (
            f"At most {limits.max_duplicate_share:.0%} of a day's lines repeat an event."
        ),
    }


def find_problems(report: ActivityReport, read_earlier: ReadReport, game: Game) -> dict[str, str]:
    """Find what is wrong with a day, as a sentence for each check that fails."""
    is_closed = report.day in game.closed_days
    problems = {
        "has_events": None if is_closed else _find_no_events(report),
        "has_enough_events": None if is_closed else _find_few_events(report, read_earlier, game),
        "is_mostly_valid": _find_many_quarantined(report, game.checks.max_quarantined_share),
        "has_few_duplicates": _find_many_duplicates(report, game.checks.max_duplicate_share),
    }
    return {check: problem for check, problem in problems.items() if problem}


def _find_no_events(report: ActivityReport) -> str | None:
    if report.events:
        return None
    return "no valid events; if the game was offline, add the day to closed_days"


def _find_few_events(report: ActivityReport, read_earlier: ReadReport, game: Game) -> str | None:
    """Compare a day's events with the usual ones of its weekday.

    After a launch the number of events falls by itself, week by week to a fraction. Until there are
    `WEEKS_COMPARED` weeks, the day is also compared with the days just before it, which fall along,
    and the smaller number counts: an outage is a fall from one day to the next.
    """

    def read_events(backs: Iterable[int]) -> list[int]:
        days = (report.day - dt.timedelta(days=back) for back in backs)
        open_days = (day for day in days if day not in game.closed_days)
        return [earlier.events for day in open_days if (earlier := read_earlier(day))]

    same_weekday = read_events(7 * week for week in range(1, WEEKS_COMPARED + 1))
    if not same_weekday:
        return None
    usual, period = median(same_weekday), "this weekday usually has"
    if len(same_weekday) < WEEKS_COMPARED:
        recent = read_events(range(1, LAUNCH_DAYS_COMPARED + 1))
        if recent and median(recent) < usual:
            usual, period = median(recent), "the days before it usually had"
    if report.events >= game.checks.min_event_share * usual:
        return None
    return f"{report.events} events, where {period} {usual:.0f}"


def _find_many_quarantined(report: ActivityReport, max_share: float) -> str | None:
    if report.quarantined_share <= max_share:
        return None
    worst = max(report.quarantined, key=lambda reason: report.quarantined[reason])
    return (
        f"{report.quarantined_share:.1%} of the lines are in quarantine{_lost_in(report)}, "
        f"most often: {worst}"
    )


def _find_many_duplicates(report: ActivityReport, max_share: float) -> str | None:
    if report.duplicates <= max_share * report.lines:
        return None
    return (
        f"{report.duplicates:,} of {report.lines:,} lines repeat the id of an event; is "
        "fields.event_id unique, within what logs.event_id_scope says?"
    )


def _lost_in(report: ActivityReport) -> str:
    """Say what is lost in files that cannot be read; nothing if all can."""
    if not report.unreadable:
        return ""
    largest = sorted(report.unreadable, key=lambda file: -file.size)
    names = ", ".join(file.name for file in largest[:_MAX_NAMES])
    size = sum(file.size for file in largest)
    lost = sum(file.lost_lines for file in largest)
    return (
        f" or in {len(largest)} files that cannot be read ({size:,} bytes, about {lost:,} lines: "
        f"{names})"
    )
