"""Guessing a whole game file from the lines of a sample."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from ds_assets.core.log_diagnostics import find_shift
from ds_assets.errors import InputError
from ds_assets.onboarding.attributes import guess_attributes
from ds_assets.onboarding.currencies import find_currencies, guess_currencies
from ds_assets.onboarding.event_types import guess_events
from ds_assets.onboarding.exclusions import Rule, find_left_out, find_placeholders, is_left_out
from ds_assets.onboarding.exports import find_export
from ds_assets.onboarding.fields import (
    Lines,
    find_coded_amounts,
    guess_fields,
    read_numbers,
    read_values,
)
from ds_assets.onboarding.guess import Guess, Question, show_values
from ds_assets.onboarding.layouts import Layout
from ds_assets.onboarding.samples import FileFormat
from ds_assets.onboarding.times import TimeFormat, count_hours, find_time_format
from ds_assets.time_formats import ISO

_LISTED_COLUMNS = 30
_ENDED_AFTER = dt.timedelta(30)
"""Days without logs after which a game has probably ended."""
_MIN_TIMES = 24
"""Times from which the clock of the days is clear."""


@dataclass(frozen=True)
class Source:
    """What is at hand before the lines are looked at.

    Attributes:
        name: Name of the game.
        layout: Where the files of days are; None if files are not split by day.
        file_format: Format of the files.
        lines: The sample.
        marker: Name of the file that marks a day as complete, if there is one.
        closed_days: Weekdays without logs.
    """

    name: str
    layout: Layout | None
    file_format: FileFormat
    lines: Lines
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
        self._lines = source.lines
        self.export = find_export(source.lines.table.columns)
        self._check_fields()

    @cached_property
    def fields(self) -> list[Guess]:
        """The keys of `fields`."""
        given = {key.removeprefix("fields."): value for key, value in self._given.items()}
        return guess_fields(self._lines, self.export, given)

    @cached_property
    def _values(self) -> dict[str, Any]:
        return {guess.key.removeprefix("fields."): guess.value for guess in self.fields}

    @cached_property
    def _times(self) -> TimeFormat:
        times = find_time_format(self._read("event_time"), self._lines.days)
        if times is None:
            values = show_values(self._read("event_time").dropna().head(3))
            raise InputError(
                f"the times in {self._values['event_time']} are in no format that is recognized: "
                f"{values}; name another field with --event-time"
            )
        return times

    def _read(self, key: str) -> "pd.Series[Any]":
        return read_values(self._values.get(key), self._lines)

    @cached_property
    def _amounts(self) -> "pd.Series[float]":
        return read_numbers(self._values.get("amount"), self._lines)

    def _check_fields(self) -> None:
        columns = show_values(list(self._lines.table.columns)[:_LISTED_COLUMNS])
        for key, path in self._given.items():
            if key.startswith("fields.") and path not in self._lines.table:
                raise InputError(f"{key}: no line has a field {path}; the fields are {columns}")
        if self._given.get("currencies") and "currency" not in self._values:
            raise InputError(
                "no field looks like the currency of an amount, so that no worths are needed; "
                f"the fields are {columns}"
            )
        for key, words in (("user_id", "the user"), ("event_time", "the time of an event")):
            if key not in self._values:
                raise InputError(
                    f"no field looks like {words}; name it with --{key.replace('_', '-')}; "
                    f"the fields are {columns}"
                )

    def guesses(self) -> list[Guess]:
        """All guesses, in the order of a game file."""
        events = ~is_left_out(self._lines.table, self._left_out)
        return [
            *self._guess_days(),
            *self._guess_zone(),
            *self._guess_logs(),
            *self.fields,
            *guess_events(self._read("event_type")[events], self._amounts[events]),
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
        for path in [] if "amount" in self._values else find_coded_amounts(self._lines):
            values = show_values(self._lines.table[path].dropna().drop_duplicates().head(2))
            yield f"{path} is not read as an amount, as its values are no numbers: {values}."

    def _guess_days(self) -> Iterator[Guess]:
        layout = self._source.layout
        if layout is None:
            first = self._times.instants.min().date()
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
        hours = count_hours(self._times.instants, self._lines.days)
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
        source, file_format = self._source, self._source.file_format
        if source.layout:
            count = len(source.layout.days)
            yield Guess("logs.path", source.layout.path, f"fits {count:,} days")
        yield Guess("logs.format", file_format.name, "by the first bytes of the files")
        form = file_format.form.model_dump(exclude_defaults=True)
        if form:
            yield Guess("logs.csv", {k: [*v] if k == "header" else v for k, v in form.items()}, "")
        if self._times.name != ISO:
            shown = show_values(self._read("event_time").dropna().drop_duplicates().head(2))
            yield Guess("logs.time_format", self._times.name, f"such as {shown}")
        if source.marker:
            yield Guess("logs.marker", source.marker, "in the folders of days")
        yield from self._guess_other_logs()

    def _guess_other_logs(self) -> Iterator[Guess]:
        export = self.export
        if export and not self._times.has_zone:
            yield from (
                Guess(f"logs.{key}", value, f"as in exports of {export.name}")
                for key, value in export.logs.items()
            )
        if self._left_out:
            yield Guess("logs.leave_out", self._left_out, "lines that are no events of the game")
        if placeholders := find_placeholders(self._read("user_id")):
            yield Guess("logs.null_user_ids", placeholders, "ids that stand for no user")

    @cached_property
    def _left_out(self) -> list[Rule]:
        return find_left_out(self._lines.table, self.export)

    @cached_property
    def _currencies(self) -> dict[str, float]:
        if "currency" not in self._values:
            return {}
        is_in_cents = self.export is not None and self.export.is_in_cents
        return find_currencies(self._read("currency"), self._amounts, is_in_cents=is_in_cents)

    def _taken(self) -> set[str]:
        taken = set()
        for value in self._values.values():
            inner = next(iter(value.values())) if isinstance(value, dict) else value
            taken |= {inner} if isinstance(inner, str) else set(inner)
        return taken
