"""The checks of a day's activity, any of which refuses the day.

Scope: the rules, by the reports of the day and of earlier days, and the messages.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import NamedTuple

from ds_assets.core.activity_report import ActivityReport
from ds_assets.core.events import NO_USER_ID
from ds_assets.game import Game

WEEKS_COMPARED = 4
"""Weeks before a day whose same weekday is compared with; a game in its first ones is launching."""
LAUNCH_DAYS_COMPARED = 7
"""Days before a day of a launch that are compared with as well."""
_MAX_NAMES = 5
"""Names of unreadable files, or of event types, in a message, those of the largest."""
_MAX_SHARE_OF_OTHERS = 0.5
"""Largest share of the lines of a type other than purchases and refunds that may be invalid."""
_CHANCE = 0.001
"""Probability below which a count is not taken for chance."""

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
        "has_enough_users": (
            f"A day lacks at most {limits.max_lost_user_share:.0%} of the usual users of its "
            "weekday."
        ),
        "is_mostly_valid": (
            f"At most {limits.max_quarantined_share:.0%} of a day's lines are in quarantine, or "
            "lost in files that cannot be read; likewise of the lines of each type of purchases "
            f"and refunds, and at most {_max_share_of_others(game):.0%} of those of another type."
        ),
        "is_mostly_on_time": (
            f"At most {limits.max_late_event_share:.0%} of a day's events are dated before the day."
        ),
        "has_few_duplicates": (
            f"At most {limits.max_duplicate_share:.0%} of a day's lines repeat an event."
        ),
    }


def find_problems(report: ActivityReport, read_earlier: ReadReport, game: Game) -> dict[str, str]:
    """Find what is wrong with a day, as a sentence for each check that fails."""
    problems = {
        **_find_missing_activity(report, read_earlier, game),
        "is_mostly_valid": _find_many_quarantined(report, game),
        "is_mostly_on_time": _find_many_late(report, game.checks.max_late_event_share),
        "has_few_duplicates": _find_many_duplicates(report, game.checks.max_duplicate_share),
    }
    return {check: problem for check, problem in problems.items() if problem}


def _find_missing_activity(
    report: ActivityReport, read_earlier: ReadReport, game: Game
) -> dict[str, str | None]:
    """Compare the events and users of a day, unless it is a closed one, with the usual ones.

    Users are compared only where there are enough events: few events have few users.
    """
    if report.day in game.closed_days:
        return {}
    earlier = _read_compared_days(report.day, read_earlier, game)
    few_events = _find_few_events(report, earlier, game.checks.min_event_share)
    few_users = _find_few_users(report, earlier, game.checks.max_lost_user_share)
    return {
        "has_events": _find_no_events(report),
        "has_enough_events": few_events,
        "has_enough_users": None if few_events else few_users,
    }


def _find_no_events(report: ActivityReport) -> str | None:
    if report.events:
        return None
    return "no valid events; if the game was offline, add the day to closed_days"


class _ComparedDays(NamedTuple):
    """Reports of earlier days: of the same weekday, and, during a launch, of the days just before.

    After a launch the numbers fall by themselves, week by week to a fraction. Until there are
    `WEEKS_COMPARED` weeks, a day is also compared with the days just before it, which fall along,
    and the smaller number counts: an outage is a fall from one day to the next.
    """

    same_weekday: list[ActivityReport]
    just_before: list[ActivityReport]

    def find_usual(self, count: Callable[[ActivityReport], int]) -> tuple[float, str] | None:
        """Median count and the days that it is of, in words; None without days to compare with."""
        if not self.same_weekday:
            return None
        usual = median(map(count, self.same_weekday))
        recent = median(map(count, self.just_before)) if self.just_before else usual
        if recent < usual:
            return recent, "the days before it usually had"
        return usual, "this weekday usually has"


def _read_compared_days(day: dt.date, read_earlier: ReadReport, game: Game) -> _ComparedDays:
    def read_reports(backs: Iterable[int]) -> list[ActivityReport]:
        days = (day - dt.timedelta(days=back) for back in backs)
        open_days = (it for it in days if it not in game.closed_days)
        return [earlier for it in open_days if (earlier := read_earlier(it))]

    same_weekday = read_reports(7 * week for week in range(1, WEEKS_COMPARED + 1))
    is_launch = 0 < len(same_weekday) < WEEKS_COMPARED
    just_before = read_reports(range(1, LAUNCH_DAYS_COMPARED + 1)) if is_launch else []
    return _ComparedDays(same_weekday, just_before)


def _find_few_events(
    report: ActivityReport, earlier: _ComparedDays, min_share: float
) -> str | None:
    usual = earlier.find_usual(lambda it: it.events)
    if usual is None or report.events >= min_share * usual[0]:
        return None
    return f"{report.events} events, where {usual[1]} {usual[0]:.0f}"


def _find_few_users(
    report: ActivityReport, earlier: _ComparedDays, max_lost_share: float
) -> str | None:
    usual = earlier.find_usual(lambda it: it.users)
    if usual is None or report.users >= (1 - max_lost_share) * usual[0]:
        return None
    return (
        f"{report.users} users, where {usual[1]} {usual[0]:.0f}; is fields.user_id the id of a "
        "user?"
    )


def _find_many_quarantined(report: ActivityReport, game: Game) -> str | None:
    problems = []
    if report.quarantined_share > game.checks.max_quarantined_share:
        problems.append(
            f"{report.quarantined_share:.1%} of the lines are in quarantine{_lost_in(report)}, "
            f"most often: {_most_frequent(report.quarantined)}"
        )
    problems += _find_types_in_quarantine(report, game)
    return "; ".join(problems) or None


def _find_types_in_quarantine(report: ActivityReport, game: Game) -> list[str]:
    """Find event types of which too many lines are in quarantine, the largest first.

    Few lines of a day may be many of a type. A type that the game file does not name may be one of
    the server, or from before a user signs in, so that its lines without a user are no fault.
    """
    paid = {*game.events.purchases, *game.events.refunds}
    named = {name for types in game.event_types.values() for name in types}
    problems = {}
    for name, counts in report.quarantined_types.items():
        reasons = {
            reason: lines
            for reason, lines in counts.quarantined.items()
            if name in named or reason != NO_USER_ID
        }
        limit = game.checks.max_quarantined_share if name in paid else _max_share_of_others(game)
        count = sum(reasons.values())
        if _is_beyond_chance(count, counts.lines, limit):
            problems[name] = (
                f"{count:,} of {counts.lines:,} lines of the type {name} are in quarantine, most "
                f"often: {_most_frequent(reasons)}"
            )
    by_lines = sorted(problems, key=lambda name: -report.quarantined_types[name].lines)
    return [problems[name] for name in by_lines[:_MAX_NAMES]]


def _max_share_of_others(game: Game) -> float:
    return max(_MAX_SHARE_OF_OTHERS, game.checks.max_quarantined_share)


def _is_beyond_chance(count: int, lines: int, max_share: float) -> bool:
    """Whether so many of some lines hardly occur where each is invalid with the largest share.

    A one-sided binomial test. So 3 of 3 purchases are too many at a share of 5 %, and 1 of 1 is
    not, however few lines a type has.
    """
    from scipy.special import bdtrc  # noqa: PLC0415  # slow to import

    return count > 0 and float(bdtrc(count - 1, lines, max_share)) < _CHANCE


def _most_frequent(reasons: Mapping[str, int]) -> str:
    return max(reasons, key=lambda reason: reasons[reason])


def _find_many_late(report: ActivityReport, max_share: float) -> str | None:
    if report.late_events <= max_share * report.events:
        return None
    return (
        f"{report.late_events:,} of {report.events:,} events are dated before the day; are "
        "fields.event_time and time_zone right?"
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
