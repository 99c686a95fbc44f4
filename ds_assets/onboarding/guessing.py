"""Guessing a whole game file from the lines of a sample."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from ds_assets.core.log_diagnostics import find_shift
from ds_assets.errors import InputError
from ds_assets.onboarding.attributes import guess_attributes
from ds_assets.onboarding.currencies import find_currencies, guess_currencies
from ds_assets.onboarding.event_types import guess_events
from ds_assets.onboarding.exclusions import Rule, find_left_out, find_placeholders, is_left_out
from ds_assets.onboarding.fields import find_coded_amounts, paths_in, read_numbers, read_values
from ds_assets.onboarding.guess import Guess, Question, show_values
from ds_assets.onboarding.kinds import CommonFields, GuessedKind, Kind, join_lines, join_values
from ds_assets.onboarding.layouts import Layout
from ds_assets.onboarding.times import TimeFormat, count_hours
from ds_assets.time_formats import ISO

_LISTED_COLUMNS = 30
_ENDED_AFTER = dt.timedelta(30)
"""Days without logs after which a game has probably ended."""
_PLAIN_CSV = {"delimiter": ","}
_MIN_TIMES = 24
"""Times from which the clock of the days is clear."""


@dataclass(frozen=True)
class Source:
    """What is at hand before the lines are looked at.

    Attributes:
        name: Name of the game.
        layout: Where the files of days are; None if files are not split by day.
        kinds: The kinds of files, the most important one first.
        marker: Name of the file that marks a day as complete, if there is one.
        closed_days: Weekdays without logs.
    """

    name: str
    layout: Layout | None
    kinds: tuple[Kind, ...]
    marker: str | None = None
    closed_days: tuple[str, ...] = ()


class GuessedGame:
    """The guesses about a game, and what the logs cannot tell.

    Args:
        source: What the guesses are made from.
        given: What somebody has said, by key of the game file; fields by `fields.KEY`.
        today: The present day.

    Raises:
        InputError: no field looks like the user or the time of an event.
    """

    def __init__(self, source: Source, given: Mapping[str, Any], today: dt.date) -> None:
        self._source = source
        self._today = today
        self._given = given
        fields = {
            key.removeprefix("fields."): value
            for key, value in given.items()
            if key.startswith("fields.")
        }
        self._kinds = [GuessedKind(kind, fields) for kind in source.kinds]
        self._main = self._kinds[0]
        self._lines = join_lines(self._kinds)
        self.export = next(filter(None, (kind.export for kind in self._kinds)), None)
        self._check_fields()
        self._events = self._guess_events()
        self._fields = CommonFields(self._kinds)

    def _guess_events(self) -> list[Guess]:
        """Guess `events`, and leave out amounts that are not those of purchases and refunds."""
        types = join_values(kind.read("event_type") for kind in self._kinds)
        amounts = join_values(kind.amounts for kind in self._kinds)
        events = ~is_left_out(self._lines.table, self._left_out)
        guesses = guess_events(types[events], amounts[events])
        paid = {"events.purchases", "events.refunds"}
        paying = {kind for guess in guesses if guess.key in paid for kind in guess.value}
        for kind in self._kinds if paying and len(self._kinds) > 1 else ():
            if not paying & {*kind.read("event_type").dropna().astype(str)}:
                kind.forget_amounts()
        return guesses

    @property
    def _times(self) -> TimeFormat:
        times = self._main.times
        if times is None:
            values = show_values(self._main.read("event_time").dropna().head(3))
            raise InputError(
                f"the times in {self._main.value('event_time')} are in no format that is "
                f"recognized: {values}; name another field with --event-time"
            )
        return times

    def _read(self, key: str) -> "pd.Series[Any]":
        return join_values(
            read_values(self._fields.value(key, kind), kind.lines) for kind in self._kinds
        )

    @cached_property
    def _amounts(self) -> "pd.Series[float]":
        return join_values(
            read_numbers(self._fields.value("amount", kind), kind.lines) for kind in self._kinds
        )

    def _check_fields(self) -> None:
        columns = show_values(list(self._lines.table.columns)[:_LISTED_COLUMNS])
        for key, path in self._given.items():
            if key.startswith("fields.") and path not in self._lines.table:
                raise InputError(f"{key}: no line has a field {path}; the fields are {columns}")
        if self._given.get("currencies") and not any(it.value("currency") for it in self._kinds):
            raise InputError(
                "no field looks like the currency of an amount, so that no worths are needed; "
                f"the fields are {columns}"
            )
        for key, words in (("user_id", "the user"), ("event_time", "the time of an event")):
            if not self._main.value(key):
                raise InputError(
                    f"no field looks like {words}; name it with --{key.replace('_', '-')}; "
                    f"the fields are {columns}"
                )

    def guesses(self) -> list[Guess]:
        """All guesses, in the order of a game file."""
        return [
            *self._guess_days(),
            *self._guess_zone(),
            *self._guess_logs(),
            *self._guess_kinds(),
            *self._fields.guesses(),
            *self._events,
            *guess_currencies(self._currencies, self._given.get("currencies", {})),
            *guess_attributes(self._lines, self._taken()),
        ]

    def questions(self) -> Iterator[Question]:
        """What the logs cannot tell."""
        if "time_zone" not in self._given:
            yield Question(
                "time_zone",
                "On which clock do the days of the game begin (such as Asia/Seoul)?",
                self._zone_of_days,
            )
        currencies = self._currencies
        if len(currencies) > 1 and "currencies" not in self._given:
            listed = ", ".join(f"{name}={worth:g}" for name, worth in currencies.items())
            yield Question(
                "currencies", "What is one unit of each currency worth in your reports?", listed
            )

    def notes(self) -> Iterator[str]:
        """What is in the logs but cannot be used, a sentence each."""
        for kind in self._kinds:
            for path in [] if kind.value("amount") else find_coded_amounts(kind.lines):
                values = show_values(kind.lines.table[path].dropna().drop_duplicates().head(2))
                yield f"{path} is not read as an amount, as its values are no numbers: {values}."
        if self._fields.ambiguous:
            yield (
                f"{self._fields.ambiguous} is not read as the id of an event, as it identifies "
                "those of some kinds of files alone."
            )
        for kind in self._kinds[1:]:
            if not kind.users & self._main.users:
                yield (
                    f"No user of {kind.kind.name} is one of {self._main.kind.name}, in the lines "
                    "that were looked at: make sure that their ids are those of the same users."
                )

    def _guess_days(self) -> Iterator[Guess]:
        layout = self._source.layout
        if layout is None:
            times = [self._times, *filter(None, (kind.times for kind in self._kinds))]
            first = min(it.instants.min() for it in times).date()
            evidence = "the earliest date in the lines that were looked at; others may be earlier"
            yield Guess("first_day", first, evidence, is_certain=False)
            return
        first, last = layout.days[0], layout.days[-1]
        yield Guess("first_day", first, "the earliest day in the names of files and folders")
        if last < self._today - _ENDED_AFTER:
            ended = f"there is nothing later; delete this line if the game continues after {last}"
            yield Guess("last_day", last, ended, is_certain=False)
        if self._source.closed_days:
            yield Guess("closed_days", [*self._source.closed_days], "weekdays without any logs")

    def _guess_zone(self) -> Iterator[Guess]:
        given = self._given.get("time_zone")
        evidence = "as you said" if given else self._describe_zone()
        yield Guess("time_zone", given or self._zone_of_days, evidence, bool(given))

    @cached_property
    def _shift(self) -> int:
        """Hours from midnight in UTC until the days of files begin."""
        hours = count_hours(self._times.instants, self._main.lines.days)
        return find_shift(hours) if sum(hours.values()) >= _MIN_TIMES else 0

    @property
    def _zone_of_days(self) -> str:
        shift = self._shift if self._times.has_zone else 0
        hours = -shift if -shift <= 14 else 24 - shift  # noqa: PLR2004  (offsets end at +14)
        return "UTC" if not hours else f"Etc/GMT{'-' if hours > 0 else '+'}{abs(hours)}"

    def _describe_zone(self) -> str:
        if self._zone_of_days != "UTC":
            return "the files of a day begin at this clock's midnight; write your own zone"
        if not self._times.has_zone:
            return "times name no zone; write that of the game's clock"
        return (
            "the files of a day begin at midnight in UTC"
            if self._source.layout
            else "nothing in the logs shows it"
        )

    def _guess_logs(self) -> Iterator[Guess]:
        source = self._source
        if source.layout:
            count = len(source.layout.days)
            yield Guess("logs.path", source.layout.path, f"fits {count:,} days")
        yield from _describe_format(self._main, "logs")
        if source.marker:
            yield Guess("logs.marker", source.marker, "in the folders of days")
        if self._left_out:
            yield Guess("logs.leave_out", self._left_out, "lines that are no events of the game")
        if placeholders := find_placeholders(self._read("user_id")):
            yield Guess("logs.null_user_ids", placeholders, "ids that stand for no user")

    def _guess_kinds(self) -> Iterator[Guess]:
        """Guess `logs.kinds`: what differs from the most important kind."""
        for guessed in self._kinds if len(self._kinds) > 1 else ():
            kind, key = guessed.kind, f"logs.kinds.{guessed.kind.name}"
            yield Guess(f"{key}.files", kind.files, kind.example)
            if kind.gaps:
                yield Guess(f"{key}.optional", True, kind.gaps)
            of_main = _describe_format(self._main, key, has_all=True)
            expected = {f"{key}.csv": _PLAIN_CSV} | {it.key: it.value for it in of_main}
            for guess in _describe_format(guessed, key, has_all=True):
                if guess.value != expected.get(guess.key):
                    yield guess
            for guess in self._fields.differences(guessed):
                yield replace(guess, key=f"{key}.{guess.key}")

    @cached_property
    def _left_out(self) -> list[Rule]:
        return find_left_out(self._lines.table, self.export)

    @cached_property
    def _currencies(self) -> dict[str, float]:
        if not any(kind.value("currency") for kind in self._kinds):
            return {}
        is_in_cents = self.export is not None and self.export.is_in_cents
        return find_currencies(self._read("currency"), self._amounts, is_in_cents=is_in_cents)

    def _taken(self) -> set[str]:
        return {
            path
            for kind in self._kinds
            for guess in kind.fields.values()
            for path in paths_in(guess.value)
        }


def _describe_format(guessed: GuessedKind, above: str, *, has_all: bool = False) -> Iterator[Guess]:
    """Yield how files are written, below a key of the game file.

    Args:
        guessed: The files.
        above: The key.
        has_all: Whether to yield what is the default, too.
    """
    file_format, times = guessed.kind.file_format, guessed.times
    yield Guess(f"{above}.format", file_format.name, "by the first bytes of the files")
    form = file_format.form.model_dump(exclude_defaults=True)
    if form:
        form = {key: [*it] if key == "header" else it for key, it in form.items()}
        yield Guess(f"{above}.csv", form, "by the characters between values")
    elif has_all and file_format.name == "csv":
        yield Guess(f"{above}.csv", _PLAIN_CSV, "by the characters between values")
    if times and (has_all or times.name != ISO):
        shown = show_values(guessed.read("event_time").dropna().drop_duplicates().head(2))
        yield Guess(f"{above}.time_format", times.name, f"such as {shown}")
    if guessed.export and times and not times.has_zone:
        for key, value in guessed.export.logs.items():
            yield Guess(f"{above}.{key}", value, f"as in exports of {guessed.export.name}")
