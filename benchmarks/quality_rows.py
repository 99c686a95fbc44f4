"""Rows of figures of predictions: a value, or a difference with its interval."""

from typing import Literal, TypeAlias

from benchmarks.report import Goal, Row
from benchmarks.validation import Difference

End: TypeAlias = Literal["value", "low", "high"]
ENDS: dict[End, str] = {"value": "", "low": ", low end", "high": ", high end"}
NOT_BELOW = Goal(comparison=">=", limit=0)
ABOVE = Goal(comparison=">", limit=0)


def value_row(name: str, value: float, unit: str, against: str, goal: Goal | None = None) -> Row:
    """A single value."""
    value = round(value, 4)
    return Row(name=name, value=value, unit=unit, control=against, goal=goal, values=[value])


def difference_row(about: str, difference: Difference, against: str, end: End) -> Row:
    """A difference of areas, and which end of its interval decides.

    The low end is above 0 where the difference is significant, the high end is at 0 or above where
    it is not significantly below; `value` asks only that the difference itself is above 0.
    """
    rounded = {name: round(getattr(difference, name), 4) for name in ("value", "low", "high")}
    return Row(
        name=f"{about}: AUC more{ENDS[end]}",
        value=rounded[end],
        unit="AUC",
        control=f"{against} ({rounded['value']:+.4f}, "
        f"{rounded['low']:+.4f} to {rounded['high']:+.4f})",
        goal=NOT_BELOW if end == "high" else ABOVE,
        values=list(rounded.values()),
    )
