"""A picture of what promotions changed: each effect with its interval.

Scope: drawing. `results` computes the numbers.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ds_assets.core.canvas import EDGE, FAINT, INK, make_canvas, to_png, write_text
from ds_assets.core.promotions.words import Outcome

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_BETTER, _WORSE, _NEITHER = "#5aa469", "#c75d63", "#8a94a0"
_LEFT, _RIGHT = 0.0, 1.0
_MARGIN = 0.12


def effects_picture(rows: "pd.DataFrame", outcomes: Mapping[str, Outcome]) -> bytes:
    """Draw the effect of each promotion on its outcomes, each with its interval around 0.

    Args:
        rows: Rows of `PROMOTION_RESULTS` with a result of all users, at least one.
        outcomes: How each outcome is said.
    """
    listed: list[Mapping[str, Any]] = [
        {str(name): value for name, value in row.items()} for row in rows.to_dict("records")
    ]
    figure, axes = make_canvas((-0.95, 1.75), (len(listed) + 0.4, -1.0), (3.4, 0.42))
    write_text(axes, -0.93, -0.6, "What promotions changed", ha="left", weight="bold", size=12)
    write_text(axes, 1.73, -0.6, "95 % intervals, users as assigned", ha="right", color=FAINT)
    zero = 0.5
    axes.plot([zero, zero], [-0.2, len(listed)], color=EDGE, linewidth=1.2)
    widest = _widest(listed)
    for place, row in enumerate(listed):
        _draw_effect(axes, place + 0.4, row, outcomes[row["outcome"]], widest[row["outcome"]])
    return to_png(figure)


def _widest(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Largest distance from 0 of any interval, of each outcome: each has a scale of its own."""
    widest: dict[str, float] = {}
    for row in rows:
        ends = max(abs(row["low"]), abs(row["high"]))
        widest[row["outcome"]] = max(widest.get(row["outcome"], 0.0), ends)
    return widest


def _draw_effect(
    axes: "Axes", y: float, row: Mapping[str, Any], outcome: Outcome, widest: float
) -> None:
    half = (_RIGHT - _LEFT) / 2 - _MARGIN / 2
    low, effect, high = (
        0.5 + half * row[name] / (widest or 1) for name in ("low", "effect", "high")
    )
    colour = _colour(row, outcome)
    arm = "" if row["arm"] == "treated" else f" ({row['arm']})"
    write_text(axes, -0.93, y, f"{row['promotion']}{arm}", ha="left", weight="bold")
    write_text(axes, -0.05, y, row["outcome"], ha="right", color=FAINT)
    axes.plot([low, high], [y, y], color=colour, linewidth=3, solid_capstyle="round")
    axes.plot([effect], [y], "o", color=colour, markersize=8, markeredgecolor="white")
    scale, unit = (100, " points") if outcome.is_share else (1, f" {outcome.unit}")
    numbers = [scale * row[name] for name in ("effect", "low", "high")]
    decimals = 1 if outcome.is_share else 3
    text = "{:+,.{d}f}{} ({:+,.{d}f} to {:+,.{d}f})".format(
        numbers[0], unit.rstrip(), *numbers[1:], d=decimals
    )
    write_text(axes, 1.05, y, text, ha="left", color=INK)


def _colour(row: Mapping[str, Any], outcome: Outcome) -> str:
    if row["low"] <= 0 <= row["high"]:
        return _NEITHER
    return _BETTER if row["effect"] * outcome.better > 0 else _WORSE
