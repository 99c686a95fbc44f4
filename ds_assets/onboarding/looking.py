"""Looking at a log source: which files in it are the logs, and a sample of their lines."""

from collections import Counter
from dataclasses import dataclass

from ds_assets.closed_days import WEEKDAYS
from ds_assets.core.log_names import is_log
from ds_assets.errors import InputError
from ds_assets.onboarding.choosing import choose_kinds
from ds_assets.onboarding.grouping import Log, group_files
from ds_assets.onboarding.guess import show_value, show_values
from ds_assets.onboarding.guessing import Source
from ds_assets.onboarding.layouts import Layout
from ds_assets.onboarding.sources import Browsable, Listing, list_source

_WEEKS = 8


@dataclass(frozen=True)
class Look:
    """What a look at a source has shown.

    Attributes:
        source: The logs.
        others: A sentence for each further kind of files, which are not read.
    """

    source: Source
    others: tuple[str, ...]


def look_at(source: Browsable, place: str, name: str) -> Look:
    """Look at a log source.

    Args:
        source: The source.
        place: The source in words.
        name: Name of the game.

    Raises:
        InputError: there are no log files in it, or none that can be read.
        Unavailable: the source cannot be used.
    """
    listing = list_source(source)
    if not listing.logs:
        ignored = f"; it has {len(listing.files):,} other files" if listing.files else ""
        raise InputError(f"{place} has no log files{ignored}")
    logs = group_files(listing, source)
    if not logs:
        raise InputError(
            f"no file in {place} has lines of JSON, CSV or Parquet that can be read; the last one "
            f"is {show_value(listing.logs[-1])}"
        )
    size = {path: item.size for path, item in listing.files.items()}
    logs.sort(key=lambda log: -sum(size[path] for path in log.files))
    choice = choose_kinds(logs, listing)
    layout = choice.layout
    return Look(
        Source(
            name=name,
            layout=layout,
            kinds=choice.describe(),
            marker=_find_marker(listing, layout),
            closed_days=_find_closed_days(layout),
        ),
        tuple(_describe(log, why) for log, why in choice.left),
    )


def _find_marker(listing: Listing, layout: Layout | None) -> str | None:
    """Find the name of an empty file that nearly all folders of days have."""
    if layout is None:
        return None
    folders = Counter(path.rpartition("/")[0] for path in listing.logs)
    names = Counter(
        name
        for folder, _, name in (path.rpartition("/") for path in listing.files)
        if folder in folders and name.startswith(("_", ".")) and not is_log(name)
    )
    marker, count = next(iter(names.most_common(1)), ("", 0))
    return marker if marker.startswith("_SUCCESS") and count >= 0.9 * len(folders) else None


def _find_closed_days(layout: Layout | None) -> tuple[str, ...]:
    """Find weekdays without logs in weeks in which the others nearly always have some."""
    if layout is None:
        return ()
    newest = layout.days[-1]
    recent = [it for it in layout.days if (newest - it).days < 7 * _WEEKS]
    weeks = Counter(it.weekday() for it in recent)
    often = {it for it, count in weeks.items() if count >= _WEEKS - 1}
    never = [name for number, name in enumerate(WEEKDAYS) if number not in weeks]
    return tuple(never) if len(often) + len(never) == len(WEEKDAYS) else ()


def _describe(log: Log, why: str) -> str:
    fields = show_values(sorted(log.columns())[:8])
    return (
        f"{len(log.files):,} files of another kind are {why}, such as "
        f"{show_value(log.files[0])}, with the fields {fields}"
    )
