"""The survival curve of a model's card as PNG.

Scope: drawing. Every number in it is the card's.
"""

from typing import TYPE_CHECKING

import numpy as np

from ds_assets.core.canvas import EDGE, FAINT, INK, make_figure, to_png
from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.learning.survival import SurvivalCard

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE = (8.0, 3.3)
_AREA = (0.08, 0.15, 0.65, 0.76)
"""Left, bottom, width and height of the axes, as shares of the picture."""
_COLOURS = ("#5aa469", "#e08e45", "#c75d63")
_MEAN = "#3f5b7a"


def draw_survival(survival: SurvivalCard) -> bytes:
    """Draw the mean survival, and that of users with a low, a medium and a high chance of leaving.

    Lines are dashed beyond the time over which users were followed.
    """
    figure = make_figure(*_SIZE)
    axes = figure.add_axes(_AREA)
    curve = survival.curve
    days = np.arange(curve.longest_days + 1.0)
    low, *rest = zip(
        survival.typical,
        curve.survival(np.array(survival.typical), days),
        _COLOURS,
        strict=True,
    )
    observed = int(curve.steps * curve.step_days)
    _draw_line(axes, low[1], observed, _COLOURS[0], f"chance of leaving {low[0]:.0%}")
    mean = np.interp(days, curve.step_ends, survival.mean)
    _draw_line(axes, mean, observed, _MEAN, "mean of all users", width=2.6)
    for chance, row, colour in rest:
        _draw_line(axes, row, observed, colour, f"chance of leaving {chance:.0%}")
    axes.axhline(0.5, color=FAINT, lw=0.8, ls=":")
    axes.set(xlim=(0, days[-1]), ylim=(0, 1))
    _style(axes)
    return to_png(figure)


def _draw_line(
    axes: "Axes", survival: Floats, observed: int, colour: str, words: str, width: float = 1.6
) -> None:
    days = np.arange(len(survival))
    axes.plot(days[: observed + 1], survival[: observed + 1], color=colour, lw=width, label=words)
    axes.plot(days[observed:], survival[observed:], color=colour, lw=width, ls="--")


def _style(axes: "Axes") -> None:
    axes.set_title("share of users who have not left", loc="left", size=10, color=INK)
    axes.set_xlabel("open days after the snapshot", color=FAINT, size=9)
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.tick_params(colors=FAINT, labelsize=8.5)
    for side, spine in axes.spines.items():
        spine.set(visible=side in {"left", "bottom"}, color=EDGE)
    axes.legend(
        loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9, labelcolor=INK
    )
