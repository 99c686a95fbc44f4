"""What is right and wrong with the logs of some days, by their counts.

Scope: from numbers to diagnostics, each of which says what to do. How days differ from earlier ones
is in `core.log_drift`.
"""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from ds_assets.closed_days import WEEKDAYS
from ds_assets.core.events import NO_USER_ID
from ds_assets.core.log_counts import HOURS_OF_DAY, DayLogs, Reason, count_within
from ds_assets.game import Game
from ds_assets.time_formats import ISO, TICKS_PER_SECOND

Severity: TypeAlias = Literal["info", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")
"""From the least to the worst."""

MIN_LINES = 100
"""Lines from which on shares of a day mean something."""
MIN_PURCHASES = 20
"""Purchases from which on shares of them do."""
NOTICEABLE_SHARE = 0.01
"""Share of lines from which on a fault is a warning, and a type or a field is frequent."""
MAX_QUIET_HOURS = 3
"""Hours without a line at an end of a day that are not noticed."""
MIN_LINES_PER_HOUR = 30
"""Average from which on hours without a line are noticed; at night there may be a fifth of it."""
WEEKS_SHUT = 3
"""Weeks in which a weekday has no logs before it is taken for a closed one."""
_MAX_NAMES = 10
_LARGE_SHARE = 0.5
"""Share of the spend of one user, or of one price in cents, that is not plausible."""
_LARGEST_PURCHASE = 0.25
"""Share of one purchase in the spend that is not plausible."""
_BUSY_SHARE, _BUSY_TIMES = 0.05, 20
"""Share of one user in the lines that is not plausible, and how often the average it has to be."""
_MIN_PAYERS = 20
"""Paying users from which on the share of one means something."""
_TIMES_MEDIAN = 100
"""How often the median a purchase has to be before it is odd."""
_RARE_FIELDS = ("fields.amount", "fields.currency")
"""Fields that only lines of purchases have."""
_MANY_TYPES = 100
"""Event types from which on the field may not be that of the type."""


class Diagnostic(BaseModel):
    """Something to know about logs or places.

    Attributes:
        severity: `info`; `warning`, to be looked at; `error`, to be corrected.
        code: What it is about, in one word for programs.
        days: The days that it was found on; none if it is about all of them or about a place.
        text: What it is, and what to do about it.
    """

    model_config = ConfigDict(frozen=True)

    severity: Severity
    code: str
    days: tuple[dt.date, ...] = ()
    text: str

    @property
    def sentence(self) -> str:
        """The text, with its days before it."""
        days = ", ".join(map(str, self.days))
        return f"{days}: {self.text}" if days else self.text


class Examination(BaseModel):
    """What `ds-assets doctor` has looked at and found.

    Attributes:
        format: Version of this shape; a new one may add keys, and never changes their meaning.
        game: Name of the game.
        at: When it was looked at.
        days: Counts of the days, ascending.
        earlier: Counts of the days that they were compared with, ascending.
        diagnostics: What is right and wrong, the worst first.
    """

    model_config = ConfigDict(frozen=True)

    format: int = 1
    game: str
    at: dt.datetime
    days: tuple[DayLogs, ...]
    earlier: tuple[DayLogs, ...]
    diagnostics: tuple[Diagnostic, ...]


def worst(diagnostics: Iterable[Diagnostic]) -> Severity:
    """Return the worst severity; `info` without diagnostics."""
    return max((it.severity for it in diagnostics), key=SEVERITIES.index, default="info")


def diagnose_days(
    days: Sequence[DayLogs], game: Game, sources: Mapping[str, str]
) -> list[Diagnostic]:
    """Find what is wrong with some days by themselves.

    Args:
        days: Their counts.
        game: The game file.
        sources: The fields of the game file in words, by its keys.
    """
    rules = (
        _find_missing_files,
        _find_damage,
        _find_quarantine,
        _find_types_in_quarantine,
        _find_odd_times,
        _find_other_zone,
        _find_quiet_hours,
        _find_late,
        _find_odd_amounts,
        _find_odd_users,
        _find_repetitions,
        _find_swapped_fields,
    )
    per_day = [it for day in days for rule in rules for it in rule(day, game)]
    return [*per_day, *_find_names(days, game, sources)]


def find_shut_weekdays(days: Collection[dt.date], newest: dt.date, game: Game) -> list[Diagnostic]:
    """Find weekdays without logs in each of the last weeks, in which all others have some.

    Args:
        days: Days with logs.
        newest: The newest day to look at.
        game: Has the closed days.
    """
    recent = [newest - dt.timedelta(back) for back in range(7 * WEEKS_SHUT)]
    present = Counter(day.weekday() for day in recent if day in days)
    shut = [it for it in range(7) if not present[it] and it not in game.closed_days.weekdays]
    others = [it for it in range(7) if it not in shut and it not in game.closed_days.weekdays]
    if not shut or len(shut) >= len(others) or any(present[it] < WEEKS_SHUT for it in others):
        return []
    names = ", ".join(WEEKDAYS[it] for it in shut)
    text = (
        f"there are no logs of any {names} in the last {WEEKS_SHUT} weeks; if the game is shut "
        f"then, write closed_days: [{names}]"
    )
    return [Diagnostic(severity="info", code="weekday_shut", text=text)]


def describe_unused_names(
    game: Game, sources: Mapping[str, str], values: Mapping[str, int], types: Collection[str]
) -> Iterator[str]:
    """Yield a sentence for each field and event type of the game file that no line has.

    Args:
        game: The game file.
        sources: Its fields in words, by key.
        values: Lines with a value, by key.
        types: Event types of the lines.
    """
    for key, lines in values.items():
        if not lines:
            yield f"{key}: no line has the field {sources[key]}"
    for key, kinds in game.event_types.items():
        for kind in sorted(set(kinds) - set(types)):
            similar = get_close_matches(kind, types, 1)
            hint = f"; did you mean {similar[0]}?" if similar else ""
            yield f"{key}: no line has the event type {kind}{hint}"


def diagnostic(severity: Severity, code: str, text: str, *days: DayLogs) -> Diagnostic:
    """Return a diagnostic of some days."""
    dates = tuple(day.day for day in days)
    return Diagnostic(severity=severity, code=code, days=dates, text=text)


def _find_missing_files(day: DayLogs, game: Game) -> Iterator[Diagnostic]:
    if not day.files and day.day in game.closed_days:
        return
    if not day.files:
        text = "no log files; upload them, or add the day to closed_days if the game was offline"
        yield diagnostic("warning", "no_files", text, day)
    elif not day.read_files:
        text = (
            f"none of {day.files:,} files ({day.size:,} bytes) was looked at: they are too large, "
            "or are being written"
        )
        yield diagnostic("warning", "not_looked_at", text, day)
    elif day.is_part:
        text = (
            f"looked at {day.read_files:,} of {day.files:,} files, the smallest ones, "
            f"{day.read_size:,} of {day.size:,} bytes; the rest of what is said is about these"
        )
        yield diagnostic("info", "part", text, day)
    elif not day.lines and not day.damaged:
        text = "no file has a line of the game; are logs.format and logs.leave_out right?"
        yield diagnostic("error", "no_lines", text, day)


def _find_damage(day: DayLogs, _: Game) -> Iterator[Diagnostic]:
    for reason, damage in day.damaged.items():
        names = ", ".join(it.file for it in damage.examples)
        text = f"{damage.lines:,} files cannot be read to their end ({names}): {reason}"
        yield diagnostic("error", "damaged_file", f"{text}; upload them again", day)


def _find_quarantine(day: DayLogs, game: Game) -> Iterator[Diagnostic]:
    for reason, quarantined in day.quarantine.items():
        share = quarantined.lines / day.lines
        severity: Severity = "info"
        if share > game.checks.max_quarantined_share:
            severity = "error"
        elif share >= NOTICEABLE_SHARE:
            severity = "warning"
        text = (
            f"{quarantined.lines:,} of {day.lines:,} lines ({share:.2%}) are in quarantine: "
            f"{reason}; {_advise(reason, game)}{_show(quarantined)}"
        )
        yield diagnostic(severity, "quarantine", text, day)


def _show(reason: Reason) -> str:
    """The first example of a reason."""
    first = reason.examples[0]
    return f"; as {first.file}, line {first.line}: {first.content}" if reason.examples else ""


def _advise(reason: str, game: Game) -> str:
    """What to do about lines in quarantine for a reason."""
    advice = {
        NO_USER_ID: "correct fields.user_id, or leave such lines out with logs.leave_out",
        "no time": "correct fields.event_time",
        "an impossible time": f"correct logs.time_format (now {game.logs.time_format})",
        "no event type": "correct fields.event_type",
        "dated after its arrival day": "correct time_zone or logs.times_without_zone",
        "a currency that currencies does not list": (
            "add it to currencies, or correct fields.currency"
        ),
    }
    if reason.startswith("dated before"):
        return f"correct logs.time_format (now {game.logs.time_format})"
    if reason.startswith("not "):
        return f"correct logs.format (now {game.logs.format}), or the program that writes the files"
    return advice.get(reason, "correct the field in the game file, or the program that writes it")


def _find_types_in_quarantine(day: DayLogs, game: Game) -> Iterator[Diagnostic]:
    """Find types of the game file without a valid line, which are few lines of the day."""
    named = {name for types in game.event_types.values() for name in types}
    for name, counts in day.types.items():
        if name in named and not counts.valid:
            text = f"all {counts.lines:,} lines of the type {name} are in quarantine"
            yield diagnostic("error", "type_in_quarantine", text, day)


def _find_odd_times(day: DayLogs, game: Game) -> Iterator[Diagnostic]:
    """Find times that are written in another way than the game file says."""
    way = max(day.times, key=lambda it: day.times[it], default="")
    form = game.logs.time_format
    is_epoch = way in TICKS_PER_SECOND
    if (form == ISO and is_epoch) or (form in TICKS_PER_SECOND and is_epoch and way != form):
        text = f"times are written as {way}, and logs.time_format is {form}; write {way} there"
        yield diagnostic("error", "time_format", text, day)


def _find_other_zone(day: DayLogs, game: Game) -> Iterator[Diagnostic]:
    """Find lines that lie within a day that begins hours before or after the arrival day."""
    shift = find_shift(day.hours)
    if not shift:
        return
    now = game.logs.times_without_zone or game.time_zone
    key = (
        f"logs.times_without_zone (now {now})"
        if day.times.get("iso8601 without a zone")
        else f"time_zone (now {game.time_zone}), or the zone by whose days the files are named"
    )
    text = (
        f"the lines are of the {HOURS_OF_DAY} hours that begin {abs(shift)} hours "
        f"{'before' if shift < 0 else 'after'} the day; the zone is probably wrong: correct {key}"
    )
    yield diagnostic("error" if abs(shift) > 1 else "warning", "zone", text, day)


def find_shift(hours: Mapping[int, int]) -> int:
    """Find the hours after the begin of a day at which the day of its lines begins.

    It is 0 unless clearly more lines lie within another day than within the arrival day.

    Args:
        hours: Lines by the hour of their time, from the begin of the arrival day.
    """
    total = sum(hours.values())
    best = max(
        range(-HOURS_OF_DAY + 1, HOURS_OF_DAY),
        key=lambda it: (count_within(hours, it), -abs(it)),
    )
    gain = count_within(hours, best) - count_within(hours, 0)
    return best if total >= MIN_LINES and gain >= max(2 * NOTICEABLE_SHARE * total, 5) else 0


def _find_quiet_hours(day: DayLogs, game: Game) -> Iterator[Diagnostic]:
    """Find a begin or an end of a day without lines, where there are enough of them."""
    inside = [hour for hour in day.hours if 0 <= hour < HOURS_OF_DAY and day.hours[hour]]
    if day.valid < MIN_LINES_PER_HOUR * HOURS_OF_DAY or not inside or find_shift(day.hours):
        return
    for quiet, where in ((HOURS_OF_DAY - 1 - max(inside), "last"), (min(inside), "first")):
        if quiet > MAX_QUIET_HOURS:
            text = (
                f"the {where} {quiet} hours of the day have no line: are its files complete, and "
                f"are logs.times_without_zone and time_zone (now {game.time_zone}) right?"
            )
            yield diagnostic("warning", "quiet_hours", text, day)


def _find_late(day: DayLogs, game: Game) -> Iterator[Diagnostic]:
    if day.late and not find_shift(day.hours):
        share = day.late / day.valid
        is_much = share > game.checks.max_late_event_share or share > _LARGE_SHARE
        text = f"{day.late:,} of {day.valid:,} events ({share:.2%}) are dated before the day"
        advice = "; are fields.event_time and time_zone right?" if is_much else ""
        yield diagnostic("error" if is_much else "info", "late", text + advice, day)


def _find_odd_amounts(day: DayLogs, game: Game) -> Iterator[Diagnostic]:
    amounts = day.amounts
    missing = amounts.purchases - amounts.amounts
    if missing:
        is_much = missing > NOTICEABLE_SHARE * amounts.purchases
        text = f"{missing:,} of {amounts.purchases:,} purchases have no amount; is fields.amount"
        yield diagnostic("warning" if is_much else "info", "no_amount", f"{text} right?", day)
    if amounts.negative:
        text = f"{amounts.negative:,} purchases have a negative amount, and count as refunds"
        yield diagnostic("info", "negative_amount", text, day)
    if amounts.zero:
        text = f"{amounts.zero:,} purchases have an amount of 0"
        advice = (
            ""
            if game.events.free_purchases
            else (", and count only if events.free_purchases is true")
        )
        severity: Severity = "warning" if amounts.zero > _LARGE_SHARE * amounts.amounts else "info"
        yield diagnostic(severity, "zero_amount", text + advice, day)
    if amounts.amounts >= MIN_PURCHASES:
        yield from _find_odd_spend(day)


def _find_odd_spend(day: DayLogs) -> Iterator[Diagnostic]:
    amounts = day.amounts
    if amounts.priced_in_cents > _LARGE_SHARE * amounts.amounts:
        text = (
            f"{amounts.priced_in_cents:,} of {amounts.amounts:,} amounts are whole and end like "
            "prices in cents, as 499; if they are, write fields.amount: "
            "{field: FIELD, divided_by: 100}, or set the worth of their currency in currencies to "
            "a hundredth"
        )
        yield diagnostic("warning", "cents", text, day)
    is_odd = amounts.largest > _TIMES_MEDIAN * (amounts.median or 0)
    if is_odd and amounts.largest > _LARGEST_PURCHASE * amounts.total:
        text = (
            f"one purchase of {amounts.largest:,.2f} is {amounts.largest / amounts.total:.0%} of "
            "the day's spend; is it a test, or in another unit? logs.leave_out leaves out tests"
        )
        yield diagnostic("warning", "largest_purchase", text, day)
    has_payers = amounts.payers >= _MIN_PAYERS
    if has_payers and amounts.largest_payer > _LARGE_SHARE * amounts.total:
        share = amounts.largest_payer / amounts.total
        text = (
            f"one of {amounts.payers:,} paying users has {share:.0%} of the day's spend; if it is "
            "a test account, list it in logs.null_user_ids"
        )
        yield diagnostic("warning", "largest_payer", text, day)


def _find_odd_users(day: DayLogs, _: Game) -> Iterator[Diagnostic]:
    for user, lines in day.placeholders.items():
        text = (
            f"{lines:,} events have the user id {user}, which probably stands for no user; if so, "
            f"list it in logs.null_user_ids: [{user!r}]"
        )
        yield diagnostic("warning", "placeholder_user", text, day)
    is_busy = day.busiest_lines > max(_BUSY_SHARE, _BUSY_TIMES / max(day.users, 1)) * day.valid
    if is_busy and day.valid >= MIN_LINES and day.busiest_user not in day.placeholders:
        share = day.busiest_lines / day.valid
        text = (
            f"the user {day.busiest_user} has {share:.0%} of the events; if it stands for no user, "
            "or for tests, list it in logs.null_user_ids"
        )
        yield diagnostic("warning", "busiest_user", text, day)


def _find_repetitions(day: DayLogs, game: Game) -> Iterator[Diagnostic]:
    if day.same_files:
        names = ", ".join(day.same_files[:_MAX_NAMES])
        text = f"{len(day.same_files):,} files have the content of another one: {names}; remove all"
        yield diagnostic("error", "same_files", f"{text} but one of each", day)
    if day.duplicates:
        share = day.duplicates / day.valid
        is_much = share > game.checks.max_duplicate_share
        text = f"{day.duplicates:,} events ({share:.2%}) repeat an id, and count once"
        advice = "; is fields.event_id unique?" if is_much else ""
        yield diagnostic("error" if is_much else "info", "duplicates", text + advice, day)
    if day.repeated and game.fields.event_id is None:
        share = day.repeated / day.valid
        text = (
            f"{day.repeated:,} lines ({share:.2%}) repeat another one as a whole, and count; with "
            "fields.event_id they would count once"
        )
        is_much = share >= NOTICEABLE_SHARE
        yield diagnostic("warning" if is_much else "info", "repeated_lines", text, day)


def _find_swapped_fields(day: DayLogs, _: Game) -> Iterator[Diagnostic]:
    if day.type_count > _MANY_TYPES and day.type_count > day.users:
        text = (
            f"{day.type_count:,} event types of {day.users:,} users: are fields.event_type and "
            "fields.user_id swapped, or are the columns of the files?"
        )
        yield diagnostic("error", "swapped_fields", text, day)


def _find_names(
    days: Sequence[DayLogs], game: Game, sources: Mapping[str, str]
) -> Iterator[Diagnostic]:
    """Find names of the game file that lines lack, and frequent types that it does not name."""
    lines = sum(day.lines for day in days)
    if not lines:
        return
    values: Counter[str] = Counter({key: 0 for day in days for key in day.fields})
    types: Counter[str] = Counter()
    for day in days:
        values.update({key: it.lines for key, it in day.fields.items()})
        types.update({name: it.lines for name, it in day.types.items()})
    for text in describe_unused_names(game, sources, values, types):
        yield diagnostic("warning", "unused_name", text)
    rare = {key: count for key, count in values.items() if 0 < count < NOTICEABLE_SHARE * lines}
    for key, count in rare.items():
        if key not in _RARE_FIELDS and not key.startswith("logs.leave_out"):
            text = f"{key}: only {count:,} of {lines:,} lines have the field {sources[key]}"
            yield diagnostic("info", "rare_field", text)
    named = {name for kinds in game.event_types.values() for name in kinds}
    frequent = [
        f"{name} ({count / lines:.0%})"
        for name, count in types.most_common()
        if name not in named and count >= NOTICEABLE_SHARE * lines
    ]
    if frequent:
        names = ", ".join(frequent[:_MAX_NAMES])
        text = f"frequent event types that the game file does not name: {names}; events.counted"
        yield diagnostic("info", "unnamed_types", f"{text} makes features of them")
