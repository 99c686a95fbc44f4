"""Pictures of cohorts as PNG: spend per user by age with the payback day, and a table of values.

Scope: drawing. `cohort_curves` computes the numbers.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ds_assets.core.canvas import (
    COLOURS,
    EDGE,
    FAINT,
    INK,
    format_number,
    make_canvas,
    make_figure,
    to_png,
    write_text,
)
from ds_assets.core.cohort_curves import CohortCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_CURVES_PER_PICTURE = 8
"""Values that are drawn, those with the most users; further ones are in the table."""
_RETENTION_AGES, _SPEND_AGES = (1, 7, 30), (7, 30, 90)
_SHADE = "#74aede"
_NO_NUMBER = "–"  # noqa: RUF001  (a dash in a table)
_MAX_PERCENT = 1000
"""Larger shares are written as multiples."""
_LABEL_GAP = 0.1
"""Least distance of two labels, as a share of the height."""
_EARLY_SHARE = 0.1
"""Share of the width within which a label does not fit left of a point."""


def spend_picture(curves: Sequence[CohortCurve]) -> bytes:
    """Spend per user by age for each value, with its cost as a line and the payback day marked.

    Args:
        curves: At least one.
    """
    drawn = curves[:MAX_CURVES_PER_PICTURE]
    figure = make_figure(9.6, 4.8)
    axes = figure.add_axes((0.075, 0.12, 0.70, 0.76))
    last_age = max(len(curve.spend) for curve in drawn) - 1
    costs = [curve.cost for curve in drawn if curve.cost is not None]
    top = max(*(float(curve.spend.max()) for curve in drawn), *costs, 0.01) * 1.08
    axes.set(xlim=(0, max(last_age, 1)), ylim=(0, top))
    _style(axes)
    for curve, colour in zip(drawn, COLOURS, strict=False):
        _draw_curve(axes, curve, colour)
    _label_ends(axes, drawn, top)
    figure.text(0.075, 0.94, "Spend per user by age", size=12, weight="bold", color=INK)
    legend = "days since the first active day; dashed: cost per user; point: paid back"
    figure.text(0.075, 0.025, legend, size=9, color=FAINT)
    return to_png(figure)


def _style(axes: "Axes") -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(EDGE)
    axes.grid(axis="y", color=EDGE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=9, labelcolor=FAINT)
    axes.locator_params(axis="x", integer=True)


def _draw_curve(axes: "Axes", curve: CohortCurve, colour: str) -> None:
    axes.plot(np.arange(len(curve.spend)), curve.spend, color=colour, linewidth=2.2)
    if curve.cost is None:
        return
    axes.axhline(curve.cost, color=colour, linewidth=1, linestyle=(0, (5, 4)), alpha=0.7)
    paid = curve.payback_days
    if paid is not None:
        place = (paid, float(curve.spend[paid]))
        axes.plot(*place, "o", color=colour, markersize=8, markeredgecolor="white")
        # Left of the point, over the rising curve; right of it and below where there is no room.
        is_early = paid < _EARLY_SHARE * axes.get_xlim()[1]
        offset, side = ((9, -12), "left") if is_early else ((-7, 6), "right")
        axes.annotate(
            f"day {paid}",
            place,
            xytext=offset,
            textcoords="offset points",
            ha=side,
            size=9,
            weight="bold",
            color=colour,
        )


def _label_ends(axes: "Axes", curves: Sequence[CohortCurve], top: float) -> None:
    """Write the value and its payback beside the end of each curve, without overlaps."""
    pairs = zip(curves, COLOURS, strict=False)
    ends = sorted(pairs, key=lambda pair: float(pair[0].spend[-1]))
    lowest = 0.0
    for curve, colour in ends:
        height = max(float(curve.spend[-1]) / top, lowest)
        lowest = height + _LABEL_GAP
        place: dict[str, Any] = {"transform": axes.transAxes, "va": "center", "parse_math": False}
        name = curve.value[:28]
        axes.text(1.02, height + 0.018, name, size=10, weight="bold", color=colour, **place)
        axes.text(1.02, height - 0.026, _describe_payback(curve), size=8.5, color=FAINT, **place)


def _describe_payback(curve: CohortCurve) -> str:
    if curve.cost is None:
        return f"{format_number(float(curve.spend[-1]))} per user"
    if curve.payback_days is not None:
        return f"paid back on day {curve.payback_days}"
    return f"{curve.paid_back_share:.0%} of {format_number(curve.cost)} paid back"


class _Column(NamedTuple):
    """A column of the table.

    Attributes:
        head: First line of its heading.
        unit: Second line of its heading.
        texts: Text of each cell.
        strengths: Strength of each cell's colour, from 0 to 1.
    """

    head: str
    unit: str
    texts: list[str]
    strengths: list[float]


def values_picture(curves: Sequence[CohortCurve]) -> bytes:
    """A table with a row for each value: users, retention, payers, spend, cost and payback.

    Args:
        curves: At least one.
    """
    columns = [
        *(_retention_column(curves, age) for age in _RETENTION_AGES),
        _payers_column(curves),
        *(_spend_column(curves, age) for age in _SPEND_AGES),
        *_cost_columns(curves),
    ]
    rows = len(curves)
    names = [curve.value[:40] for curve in curves]
    left = max(1.7, 0.25 + 0.087 * max(map(len, names)))
    figure, axes = make_canvas((-left, len(columns) + 0.05), (rows + 0.1, -0.95), (0.98, 0.47))
    for row, (name, curve) in enumerate(zip(names, curves, strict=True)):
        write_text(axes, -0.08, row + 0.34, name, ha="right", weight="bold")
        users = f"{curve.users:,} users"
        write_text(axes, -0.08, row + 0.7, users, ha="right", color=FAINT, size=8)
    for place, column in enumerate(columns):
        _draw_column(axes, place, column)
    return to_png(figure)


def _draw_column(axes: "Axes", place: int, column: _Column) -> None:
    from matplotlib.colors import to_rgb  # noqa: PLC0415  # slow to import
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    full = np.array(to_rgb(_SHADE))
    write_text(axes, place + 0.5, -0.62, column.head, weight="bold")
    write_text(axes, place + 0.5, -0.25, column.unit, color=FAINT, size=8)
    for row, (text, strength) in enumerate(zip(column.texts, column.strengths, strict=True)):
        colour = tuple((1 - strength * (1 - full)).tolist())
        axes.add_patch(Rectangle((place, row), 1, 1, facecolor=colour, edgecolor=EDGE, lw=1))
        write_text(axes, place + 0.5, row + 0.5, text, size=11)


def _retention_column(curves: Sequence[CohortCurve], age: int) -> _Column:
    shares = [curve.at(curve.retention, age) for curve in curves]
    texts = [_NO_NUMBER if share is None else f"{share:.0%}" for share in shares]
    return _Column("active", f"on day {age}", texts, [share or 0.0 for share in shares])


def _payers_column(curves: Sequence[CohortCurve]) -> _Column:
    shares = [float(curve.payers[-1]) for curve in curves]
    return _Column("payers", "so far", [f"{share:.1%}" for share in shares], _strengths(shares))


def _spend_column(curves: Sequence[CohortCurve], age: int) -> _Column:
    amounts = [curve.at(curve.spend, age) for curve in curves]
    texts = [_NO_NUMBER if amount is None else format_number(amount) for amount in amounts]
    return _Column("spend each", f"by day {age}", texts, _strengths(amounts))


def _cost_columns(curves: Sequence[CohortCurve]) -> list[_Column]:
    """Cost, the share that is paid back, and the payback day, where any value has a cost."""
    if all(curve.cost is None for curve in curves):
        return []
    costs = [_NO_NUMBER if it.cost is None else format_number(it.cost) for it in curves]
    shares = [it.paid_back_share for it in curves]
    paid_back = [_NO_NUMBER if share is None else _describe_share(share) for share in shares]
    days = [_describe_day(curve) for curve in curves]
    none = [0.0] * len(curves)
    return [
        _Column("cost", "per user", costs, none),
        _Column("paid back", "so far", paid_back, [min(max(it or 0.0, 0.0), 1.0) for it in shares]),
        _Column("payback", "day", days, none),
    ]


def _describe_share(share: float) -> str:
    return f"{share:.0%}" if share < _MAX_PERCENT / 100 else f"{share:,.0f} times"


def _describe_day(curve: CohortCurve) -> str:
    if curve.cost is None:
        return _NO_NUMBER
    return "not yet" if curve.payback_days is None else f"{curve.payback_days}"


def _strengths(numbers: Sequence[float | None]) -> list[float]:
    """Strengths of colours in proportion to numbers, the largest of which has the full one."""
    most = max((number or 0.0 for number in numbers), default=0.0)
    return [max(number or 0.0, 0.0) / most if most > 0 else 0.0 for number in numbers]
