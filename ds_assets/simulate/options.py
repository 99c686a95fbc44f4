"""Options of the simulator with their rules, and the summary that it reports."""

import datetime as dt
from dataclasses import dataclass, fields

SHARES = ("late", "skewed", "duplicates", "unknown_types", "broken")
"""The options that are shares of a day's events; an event is hit by one of them at most."""

MAX_USERS = 10_000_000
MAX_DAYS = 3650
EARLIEST, LATEST = dt.date(2000, 1, 1), dt.date(2100, 12, 31)


@dataclass(frozen=True, kw_only=True)
class SimulationOptions:
    """Size of the game, and what goes wrong between the game and its logs.

    Raises:
        ValueError: an option is not what it may be. The message has a line for each mistake: the
            option, what was found, what is accepted.
    """

    users: int
    """Accounts. Most exist on the first day; the others install over the following weeks."""
    days: int
    seed: int = 1
    """The same options give the same bytes; more days only add days."""
    start: dt.date = dt.date(2026, 1, 1)
    broken: float = 0.0
    """Share of events that are also written as a broken line (the good line is still there)."""
    duplicates: float = 0.0
    """Share of events whose line is written twice on the same arrival day."""
    late: float = 0.0
    """Share of events that arrive one to three days after their event date."""
    skewed: float = 0.0
    """Share of events dated after the end of their arrival day by a wrong clock."""
    unknown_types: float = 0.0
    """Share of events that are followed by an event of a type that `game.yaml` does not name."""
    missing_days: tuple[dt.date, ...] = ()
    """Arrival days without a folder; what would have arrived on them is lost."""
    new_fields: bool = False
    """From the middle of the simulation on, events carry fields that they did not have before."""
    groups_differ: bool = False
    """Players behave differently in each country: what is a good sign in one is a bad sign in
    another."""
    changed_from: dt.date | None = None
    """From this day on all users behave differently."""
    effects: bool = False
    """The truth also says how each user responds to offers."""

    def __post_init__(self) -> None:
        mistakes = [*self._wrong_size(), *self._wrong_shares(), *self._wrong_days()]
        if mistakes:
            raise ValueError("\n".join(mistakes))

    @property
    def middle(self) -> int:
        """First day, counted from 0, on which events carry the new fields."""
        return self.days // 2

    def _wrong_size(self) -> list[str]:
        bounds = {"users": (1, MAX_USERS), "days": (1, MAX_DAYS), "seed": (0, 2**63 - 1)}
        mistakes = [
            f"{name}: found {value}; a whole number from {low} to {high} is accepted"
            for name, (low, high) in bounds.items()
            if not low <= (value := getattr(self, name)) <= high
        ]
        if not EARLIEST <= self.start <= LATEST:
            mistakes += [f"start: found {self.start}; {EARLIEST} to {LATEST} is accepted"]
        return mistakes

    def _wrong_shares(self) -> list[str]:
        shares = {name: float(getattr(self, name)) for name in SHARES}
        mistakes = [
            f"{name}: found {share}; a share from 0 to 1 is accepted"
            for name, share in shares.items()
            if not 0 <= share <= 1
        ]
        if not mistakes and sum(shares.values()) > 1:
            return [f"{' + '.join(SHARES)}: found {sum(shares.values()):g}; up to 1 is accepted"]
        return mistakes

    def _wrong_days(self) -> list[str]:
        first = self.start.toordinal()
        named = [("missing_days", day) for day in self.missing_days]
        named += [("changed_from", day) for day in (self.changed_from,) if day is not None]
        return [
            f"{name}: found {day}; {self.days} days from {self.start} on are accepted"
            for name, day in named
            if not first <= day.toordinal() < first + self.days
        ]


@dataclass(frozen=True, kw_only=True)
class Injected:
    """How often each kind of mess is in the written files, in lines where not said otherwise.

    `lines = events + duplicates + unknown_types + broken - lost - in_transit` always holds.
    """

    late: int
    skewed_within: int
    """Dated after the arrival day's end by no more than the tolerated clock skew."""
    skewed_beyond: int
    duplicates: int
    unknown_types: int
    broken_truncated: int
    broken_no_user_id: int
    broken_no_time: int
    broken_garbage_time: int
    broken_wrong_type: int
    new_fields: int
    missing_days: int
    """Days without a folder."""
    lost: int
    """Events of the game that would have arrived on the missing days; they are in no file."""
    in_transit: int
    """Late events that had not arrived when the last day ended; they are in no file."""

    @property
    def broken(self) -> int:
        """Broken lines of all kinds."""
        counts = (getattr(self, field.name) for field in fields(self) if "broken" in field.name)
        return sum(counts)


@dataclass(frozen=True, kw_only=True)
class SimulationSummary:
    """What was simulated and written."""

    days: int
    events: int
    """Events of the game itself, the same with and without mess."""
    lines: int
    """Lines in the written files."""
    injected: Injected
    seconds: float
