"""Decisions of the operator about promotions, and the assignments that they withdraw.

Scope: the record of a decision, its name, and what follows from the names alone. Whether a
promotion runs is in `states`, storing decisions in `infra.lake`.

The name of a record says when which promotion was paused, withdrawn or resumed, and which days of
assignments that concerns. So one listing says which assignments are withdrawn: there is no second
place that a killed process could leave without it.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from pydantic import ConfigDict

from ds_assets.core.stored_documents import StoredDocument

_TIME = "%Y%m%dT%H%M%S%f"


class Choice(StrEnum):
    """What the operator wants of a promotion."""

    PAUSED = "paused"
    WITHDRAWN = "withdrawn"
    RESUMED = "resumed"


class PromotionDecision(StoredDocument):
    """A decision of the operator about a promotion; of several, the newest counts.

    Attributes:
        promotion: Name of the promotion.
        choice: The decision.
        reason: Why, in words.
        by: User name of the operator.
        at: When.
        outcomes_until: Newest day of outcomes that the operator could know of; none without any.
        since: Of one that withdraws, the first day of assignments that it takes back; of one that
            resumes, the first that counts again; else none.
    """

    model_config = ConfigDict(frozen=True)

    promotion: str
    choice: Choice
    reason: str
    by: str
    at: dt.datetime
    outcomes_until: dt.date | None = None
    since: dt.date | None = None

    @property
    def name(self) -> str:
        """Name of the record, which `read_name` reads; names ascend with time."""
        at = f"{self.at.astimezone(dt.UTC):{_TIME}}"
        since = (str(self.since),) if self.since else ()
        return ".".join((self.promotion, at, self.choice, *since, "json"))

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return f"{self.choice} by {self.by} on {self.at:%Y-%m-%d %H:%M}{reason}"


class DecisionName(NamedTuple):
    """What the name of a record says.

    Attributes:
        at: When, in UTC.
        promotion: Name of the promotion.
        choice: The decision.
        since: See `PromotionDecision`.
        file: The name.
    """

    at: dt.datetime
    promotion: str
    choice: Choice
    since: dt.date | None
    file: str


class Withdrawal(NamedTuple):
    """Days of a promotion whose assignments are in effect no longer.

    Attributes:
        promotion: Name of the promotion.
        first: The first day.
        end: The first day after it whose assignments count again; `date.max` until it is resumed.
        at: When it was withdrawn, in UTC.
    """

    promotion: str
    first: dt.date
    end: dt.date
    at: dt.datetime

    @property
    def is_open(self) -> bool:
        """Whether the promotion was not resumed since."""
        return self.end == dt.date.max

    def covers(self, day: dt.date) -> bool:
        """Whether assignments of a day are withdrawn."""
        return self.first <= day < self.end


def read_name(file: str) -> DecisionName | None:
    """Read the name of a record; none for anything else."""
    match file.split("."):
        case [promotion, at, choice, *since, "json"] if len(since) <= 1:
            try:
                time = dt.datetime.strptime(at, _TIME).replace(tzinfo=dt.UTC)
                day = dt.date.fromisoformat(since[0]) if since else None
                return DecisionName(time, promotion, Choice(choice), day, file)
            except ValueError:
                return None
    return None


def newest_decisions(files: Iterable[str]) -> dict[str, DecisionName]:
    """The name of the newest decision about each promotion."""
    return {name.promotion: name for name in _in_order(files)}


def find_withdrawals(files: Iterable[str]) -> tuple[Withdrawal, ...]:
    """The withdrawals that names of decisions say, in their order in time."""
    withdrawals: list[Withdrawal] = []
    for name in _in_order(files):
        if name.since is None:
            continue
        if name.choice is Choice.WITHDRAWN:
            new = Withdrawal(name.promotion, name.since, dt.date.max, name.at)
            withdrawals.append(new)
        elif name.choice is Choice.RESUMED:
            withdrawals = [_end(it, name.promotion, name.since) for it in withdrawals]
    return tuple(withdrawals)


def _end(withdrawal: Withdrawal, promotion: str, end: dt.date) -> Withdrawal:
    is_ended = withdrawal.promotion == promotion and withdrawal.is_open
    return withdrawal._replace(end=end) if is_ended else withdrawal


def _in_order(files: Iterable[str]) -> Iterator[DecisionName]:
    names = (read_name(file) for file in files)
    read = (name for name in names if name is not None)
    return iter(sorted(read, key=lambda name: (name.at, name.file)))
