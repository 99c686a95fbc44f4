"""How the logs of a day differ from those of an earlier one: schema, number of lines, amounts.

Scope: from the counts of two days to diagnostics.
"""

from collections.abc import Iterator
from difflib import get_close_matches

from ds_assets.core.log_counts import DayLogs, Values
from ds_assets.core.log_diagnostics import (
    MIN_LINES,
    MIN_PURCHASES,
    NOTICEABLE_SHARE,
    Diagnostic,
    Severity,
    diagnostic,
)
from ds_assets.game import Game

MIN_EXPECTED = 20
"""Lines that a column or a type has to have by the earlier day, before its loss is no chance."""
FEW_LINES_SHARE = 0.65
"""Share of the lines of the earlier day below which lines are probably missing."""
UNIT_FACTOR = 20
"""Factor between the medians of amounts from which on the unit has changed."""
_MAX_NAMES = 10


def compare(day: DayLogs, earlier: DayLogs, game: Game) -> list[Diagnostic]:
    """Find what has changed since an earlier day, where both have lines.

    Args:
        day: The counts of the day.
        earlier: Those of the same weekday of a week before, or of another earlier day.
        game: The game file.
    """
    if not day.lines or not earlier.lines:
        return []
    rules = (_find_columns, _find_retyped, _find_types, _find_few_lines, _find_unit)
    return [it for rule in rules for it in rule(day, earlier, game)]


def _find_columns(day: DayLogs, earlier: DayLogs, _: Game) -> Iterator[Diagnostic]:
    lost = [
        name
        for name, values in earlier.columns.items()
        if name not in day.columns and _is_expected(values.lines, earlier.sampled, day.sampled)
    ]
    new = [
        name
        for name, values in day.columns.items()
        if name not in earlier.columns and _is_expected(values.lines, day.sampled, earlier.sampled)
    ]
    if lost:
        text = f"fields that {earlier.day} had are lost: {_names(lost)}; restore them in the logs"
        yield diagnostic("error", "lost_field", f"{text}, or change the game file", day)
    if new:
        text = f"fields that {earlier.day} had not: {_names(new)}"
        yield diagnostic(
            "info", "new_field", f"{text}; attributes and properties can use them", day
        )


def _is_expected(lines: int, of: int, among: int) -> bool:
    """Whether so many lines of some would be enough among others to be seen without doubt."""
    return lines >= MIN_EXPECTED and lines / of * among >= MIN_EXPECTED


def _find_retyped(day: DayLogs, earlier: DayLogs, _: Game) -> Iterator[Diagnostic]:
    pairs = [
        *(
            (name, day.columns[name], it)
            for name, it in earlier.columns.items()
            if name in day.columns
        ),
        *((key, day.fields[key], it) for key, it in earlier.fields.items() if key in day.fields),
    ]
    for name, now, before in pairs:
        if _is_retyped(now, before):
            text = (
                f"{name} is mostly a {now.kind}, and was a {before.kind} on {earlier.day}; restore "
                "it in the logs, or change the type in the game file"
            )
            yield diagnostic("error", "retyped_field", text, day)


def _is_retyped(now: Values, before: Values) -> bool:
    return (
        min(now.lines, before.lines) >= MIN_EXPECTED
        and now.kind != before.kind
        and all(it.kinds[it.kind] > (1 - 10 * NOTICEABLE_SHARE) * it.lines for it in (now, before))
    )


def _find_types(day: DayLogs, earlier: DayLogs, game: Game) -> Iterator[Diagnostic]:
    named = {name for types in game.event_types.values() for name in types}
    new = [name for name in day.types if name not in earlier.types]
    for name, counts in earlier.types.items():
        expected = _is_expected(counts.lines, earlier.lines, day.lines)
        if name not in day.types and expected and day.type_count <= len(day.types):
            similar = get_close_matches(name, new, 1)
            hint = f"; was it renamed to {similar[0]}?" if similar else ""
            severity: Severity = "error" if name in named else "warning"
            text = (
                f"no line has the event type {name}, which {counts.lines:,} of {earlier.day} have"
            )
            yield diagnostic(severity, "lost_type", text + hint, day)
    frequent = [it for it in new if day.types[it].lines >= MIN_EXPECTED]
    if frequent and earlier.type_count <= len(earlier.types):
        text = f"event types that {earlier.day} had not: {_names(frequent)}"
        yield diagnostic("info", "new_type", f"{text}; does the game file have to name them?", day)


def _find_few_lines(day: DayLogs, earlier: DayLogs, game: Game) -> Iterator[Diagnostic]:
    if day.is_part or earlier.is_part or earlier.valid < 2 * MIN_LINES:
        return
    share = day.valid / earlier.valid
    if share < FEW_LINES_SHARE:
        is_error = share < game.checks.min_event_share
        text = f"{day.valid:,} events, {share:.0%} of the {earlier.valid:,} of {earlier.day}"
        yield diagnostic(
            "error" if is_error else "warning", "few_lines", f"{text}; are files missing?", day
        )


def _find_unit(day: DayLogs, earlier: DayLogs, _: Game) -> Iterator[Diagnostic]:
    now, before = day.amounts, earlier.amounts
    if min(now.amounts, before.amounts) < MIN_PURCHASES or not (now.median and before.median):
        return
    factor = now.median / before.median
    if not 1 / UNIT_FACTOR < factor < UNIT_FACTOR:
        text = (
            f"the median amount of purchases is {now.median:,.2f}, and was {before.median:,.2f} on "
            f"{earlier.day}: has the unit changed, as to cents? Restore it in the logs"
        )
        yield diagnostic("error", "unit", text, day)


def _names(names: list[str]) -> str:
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
