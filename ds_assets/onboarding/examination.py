"""Examining logs and places, for `ds-assets doctor` and the job `examine_logs`.

Scope: which days are looked at, and reading them. What the counts mean is in
`core.log_diagnostics` and `core.log_drift`. Nothing of an installation is changed; what is written
to try a place is taken back.
"""

import datetime as dt
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ds_assets.core.log_counts import DayLogs
from ds_assets.core.log_diagnostics import (
    SEVERITIES,
    WEEKS_SHUT,
    Diagnostic,
    Examination,
    diagnose_days,
    find_shut_weekdays,
)
from ds_assets.core.log_drift import compare
from ds_assets.errors import InputError, Unavailable
from ds_assets.infra.day_files import open_day_files
from ds_assets.infra.engines.log_counts import count_day
from ds_assets.infra.lake.raw_logs import RAW
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.newest_logs import find_source_days
from ds_assets.installation import Installation
from ds_assets.onboarding.diagnosis import (
    TIMEOUT_SECONDS,
    Finding,
    Result,
    describe_sources,
    find_environment_mistakes,
    name_places,
    try_places,
)

_WEEK = dt.timedelta(7)


def examine(
    installation: Installation, day: dt.date | None, newest: int, now: dt.datetime
) -> Examination:
    """Examine the logs of some days, and every place.

    Args:
        installation: The installation.
        day: The only day to look at; by default the newest ones.
        newest: Number of the newest days with logs to look at.
        now: The present time.
    """
    with_logs = _find_days_with_logs(installation)
    chosen = [day] if day else with_logs[-newest:]
    days, problems = _count_days([*chosen, *_find_earlier(chosen, with_logs)], installation)
    looked_at = [days[it] for it in chosen if it in days]
    pairs = [(days[it], days[before]) for it, before in _pair(chosen, days)]
    game = installation.game
    diagnostics = [
        *_diagnose_places(installation),
        *problems,
        *diagnose_days(looked_at, game, describe_sources(game)),
        *(it for later, before in pairs for it in compare(later, before, game)),
    ]
    if chosen:
        diagnostics += find_shut_weekdays(with_logs, chosen[-1], game)
    else:
        text = "there are no logs yet, in the lake or in the log source"
        diagnostics.append(Diagnostic(severity="warning", code="no_logs", text=text))
    return Examination(
        game=game.name,
        at=now,
        days=tuple(looked_at),
        earlier=tuple(days[it] for it in sorted(days) if it not in chosen),
        diagnostics=tuple(sorted(diagnostics, key=lambda it: -SEVERITIES.index(it.severity))),
    )


def _find_days_with_logs(installation: Installation) -> list[dt.date]:
    """List the days with logs in the lake or the source, ascending; of the source the newest."""
    game = installation.game
    days: set[dt.date] = set()
    with suppress(InputError, Unavailable, OSError):  # what is wrong is said of the place
        days |= set(installation.lake().days(RAW))
    with suppress(InputError, Unavailable, OSError):
        folders = DayFolders(installation.log_source())
        newest = find_source_days(folders, game)
        before = (newest[-1] - dt.timedelta(it) for it in range(7 * WEEKS_SHUT)) if newest else ()
        days |= {*newest, *folders.find_days(it for it in before if it >= game.first_day)}
    return sorted(days)


def _find_earlier(chosen: Sequence[dt.date], with_logs: Collection[dt.date]) -> list[dt.date]:
    """Find the days of a week before that are not looked at themselves."""
    weeks_before = (day - _WEEK for day in chosen)
    return [day for day in weeks_before if day in with_logs and day not in chosen]


def _pair(
    chosen: Sequence[dt.date], counted: Collection[dt.date]
) -> Iterator[tuple[dt.date, dt.date]]:
    """Yield each day with the one to compare it with: a week before, or the oldest day."""
    for day in chosen:
        before = day - _WEEK if day - _WEEK in counted else min(counted, default=day)
        if day in counted and before < day:
            yield day, before


def _count_days(
    days: Iterable[dt.date], installation: Installation
) -> tuple[Mapping[dt.date, DayLogs], list[Diagnostic]]:
    """Count what the logs of days hold, with a diagnostic for each that cannot be read."""
    counts: dict[dt.date, DayLogs] = {}
    problems = []
    lake, source, game = installation.lake(), installation.log_source(), installation.game
    for day in sorted(days):
        with tempfile.TemporaryDirectory(prefix="ds_assets_") as folder:
            try:
                files = open_day_files(day, lake, source, game, Path(folder))
                limit = installation.settings.memory_limit_mb
                counts[day] = count_day(files, game, Path(folder), limit)
            except (InputError, Unavailable, OSError) as error:
                code = "unavailable" if isinstance(error, Unavailable) else "unreadable"
                text = f"the logs cannot be read: {error}"
                problems.append(Diagnostic(severity="error", code=code, days=(day,), text=text))
    return counts, problems


def _diagnose_places(installation: Installation) -> Iterator[Diagnostic]:
    places = name_places(installation)
    for name, result in try_places(installation, TIMEOUT_SECONDS).items():
        yield _diagnose_place(f"{name} {places[name]}: ", result)
    for mistake in find_environment_mistakes(installation):
        yield _diagnose_place("", mistake)


def _diagnose_place(place: str, result: Result) -> Diagnostic:
    if not isinstance(result, Finding):
        return Diagnostic(severity="info", code="place", text=f"{place}{result}")
    text = f"{place}{' '.join(result.text.split())}"
    code = "unavailable" if result.kind == "unavailable" else "place"
    return Diagnostic(
        severity="warning" if result.kind == "warning" else "error", code=code, text=text
    )
