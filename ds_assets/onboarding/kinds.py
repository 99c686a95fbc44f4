"""Guesses about the files of one kind, and what the kinds of a game have in common."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from ds_assets.onboarding.exports import find_export
from ds_assets.onboarding.fields import (
    JoinedLines,
    Lines,
    guess_fields,
    paths_in,
    read_numbers,
    read_values,
)
from ds_assets.onboarding.guess import Guess
from ds_assets.onboarding.samples import FileFormat
from ds_assets.onboarding.times import TimeFormat, find_time_format

_KEYS = ("user_id", "event_time", "event_type", "event_id", "amount", "currency")
_ALIKE = 0.5
"""Share of users and times from which two kinds of files hold the same lines."""


@dataclass(frozen=True)
class Kind:
    """Files that are written alike.

    Attributes:
        file_format: Their format.
        lines: A sample of their lines.
        name: Their name in `logs.kinds`; empty if there is one kind alone.
        files: The pattern of their names in the lake.
        example: What shows the pattern, in words.
        gaps: Why a day may have no such file, in words; empty if each has one.
        user_path: The field with the ids of users, where other files have shown which it is.
    """

    file_format: FileFormat
    lines: Lines
    name: str = ""
    files: str = ""
    example: str = ""
    gaps: str = ""
    user_path: str = ""


class GuessedKind:
    """The guesses about the files of one kind.

    Args:
        kind: The files.
        given: Fields that somebody has named, by key of `fields`.
    """

    def __init__(self, kind: Kind, given: Mapping[str, Any]) -> None:
        self.kind = kind
        self.lines = kind.lines
        self.export = find_export(kind.lines.table.columns)
        shown = {"user_id": kind.user_path} if kind.user_path else {}
        self._given = shown | {key: it for key, it in given.items() if it in kind.lines.table}

    @cached_property
    def fields(self) -> dict[str, Guess]:
        """The keys of `fields`; files that have a name and no type have their name as the type."""
        guesses = {
            guess.key.removeprefix("fields."): guess
            for guess in guess_fields(self.lines, self.export, self._given)
        }
        if self._given.get("user_id") == self.kind.user_path:
            why = "it has ids of the users of other files"
            guesses["user_id"] = replace(guesses["user_id"], evidence=why)
        if self.kind.name and isinstance(guesses["event_type"].value, dict):
            constant = {"constant": self.kind.name}
            if "constant" in guesses["event_type"].value:
                why = "no field with a type: every line of these files is of one type"
                guesses["event_type"] = Guess("fields.event_type", constant, why)
        return guesses

    @cached_property
    def times(self) -> TimeFormat | None:
        """The times of the lines; None if they are in no format that is recognized."""
        return find_time_format(self.read("event_time"), self.lines.days)

    @property
    def is_usable(self) -> bool:
        """Whether the lines have a user and a time."""
        return {"user_id", "event_time"} <= self.fields.keys() and self.times is not None

    def value(self, key: str) -> Any:
        """The value of a key of `fields`; None without one."""
        return self.fields[key].value if key in self.fields else None

    def read(self, key: str) -> "pd.Series[Any]":
        """The texts of a key of `fields`."""
        return read_values(self.value(key), self.lines)

    @cached_property
    def amounts(self) -> "pd.Series[float]":
        """The amounts of the lines; NaN where there is none."""
        return read_numbers(self.value("amount"), self.lines)

    @cached_property
    def users(self) -> frozenset[str]:
        """The ids of users."""
        return frozenset(self.read("user_id").dropna().astype(str))

    @cached_property
    def moments(self) -> frozenset[tuple[str, Any]]:
        """The user and the time of each line."""
        instants = self.times.instants if self.times else pd.Series(dtype=object)
        return frozenset(zip(self.read("user_id").astype(str), instants, strict=False))

    def is_copy_of(self, other: "GuessedKind") -> bool:
        """Whether the lines are those of another kind, as where days are there in two formats."""
        columns, others = set(self.lines.table.columns), set(other.lines.table.columns)
        common = len(self.moments & other.moments)
        least = min(len(self.moments), len(other.moments))
        return columns == others and common >= _ALIKE * least

    def forget_amounts(self) -> None:
        """Take the amounts for what is said elsewhere, as the revenue in a table of sessions."""
        for key in ("amount", "currency"):
            self.fields.pop(key, None)


def join_lines(kinds: Sequence[GuessedKind]) -> Lines:
    """The lines of all kinds."""
    if len(kinds) == 1:
        return kinds[0].lines
    parts = tuple(kind.lines for kind in kinds)
    table = pd.concat([it.table for it in parts], ignore_index=True).astype(object)
    days = pd.concat([it.days for it in parts], ignore_index=True)
    return JoinedLines(table.where(table.notna(), None), days, parts[0].form, parts)


def join_values(values: Iterable["pd.Series[Any]"]) -> "pd.Series[Any]":
    """The values of all kinds, for the lines of `join_lines`."""
    return pd.concat([*values], ignore_index=True)


class CommonFields:
    """The fields of a game: those of its first kind, and of others what that lacks.

    Attributes:
        ambiguous: The field with the ids of events of one kind, if files of another one have it
            with another meaning: then no events have ids.

    Args:
        kinds: The kinds, of which each has a user, a time and a type.
    """

    def __init__(self, kinds: Sequence[GuessedKind]) -> None:
        self._first = {key: kind.fields[key] for kind in reversed(kinds) for key in kind.fields}
        self.ambiguous = ""
        ids = paths_in(self._first["event_id"].value) if "event_id" in self._first else []
        others = [kind.lines.table for kind in kinds if "event_id" not in kind.fields]
        if any(path in table for path in ids for table in others):
            self.ambiguous = ids[0]
            del self._first["event_id"]

    def guesses(self) -> list[Guess]:
        """The keys of `fields`, in their order."""
        return [self._first[key] for key in _KEYS if key in self._first]

    def differences(self, kind: GuessedKind) -> Iterator[Guess]:
        """Yield the keys of `fields` in which a kind differs from the game."""
        own = (kind.fields[key] for key in _KEYS if key in self._first and key in kind.fields)
        yield from (
            it for it in own if it.value != self._first[it.key.removeprefix("fields.")].value
        )

    def value(self, key: str, kind: GuessedKind) -> Any:
        """Where a value is in the files of a kind; None if the game has no such value."""
        if key not in self._first:
            return None
        return kind.value(key) or self._first[key].value
