"""The numbers of a card of effect models as PNG: what an order brings, and how effects came true.

Scope: drawing. Every number in a picture is the card's.
"""

from typing import TYPE_CHECKING

import numpy as np

from ds_assets.core.canvas import COLOURS, EDGE, FAINT, INK, make_figure, to_png
from ds_assets.core.promotions.uplift.card import UpliftCard
from ds_assets.core.promotions.uplift.measures import SHARES
from ds_assets.core.promotions.uplift.validation import RISK, UPLIFT, EffectValidation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE, _AREA = (8.0, 3.3), (0.1, 0.15, 0.63, 0.74)


def draw_uplift(card: UpliftCard) -> dict[str, bytes]:
    """Draw what a card has numbers for, by the name of the picture."""
    if card.validation is None:
        return {}
    wanted = card.validation.wanted
    pictures = {"qini": _draw_qini(wanted)}
    if wanted.tenths:
        pictures["tenths"] = _draw_tenths(wanted)
    return pictures


def _draw_qini(effect: EffectValidation) -> bytes:
    """Draw the gain of treating a share of the users, those with the largest effect first."""
    figure, axes = _make_axes("gain per user who qualifies")
    for name, colour, words in (
        (UPLIFT, COLOURS[0], "by effect"),
        (RISK, COLOURS[1], "by outcome without"),
    ):
        axes.plot(SHARES, effect.rankings[name].gains, color=colour, lw=2.2, label=words)
    last = effect.rankings[UPLIFT].gains[-1]
    axes.plot([0, 1], [0, last], color=FAINT, lw=1, ls=":", label="random order")
    axes.axhline(0, color=EDGE, lw=0.8)
    axes.set(xlim=(0, 1))
    axes.xaxis.set_major_formatter("{x:.0%}")
    _style(axes, "share of the users that is treated")
    return to_png(figure)


def _draw_tenths(effect: EffectValidation) -> bytes:
    """Draw measured over predicted effects of tenths of the users."""
    figure, axes = _make_axes("effect that was measured, by tenth of the users")
    predicted = np.array([tenth.predicted for tenth in effect.tenths])
    measured = [tenth.measured for tenth in effect.tenths]
    values = np.array([it.value for it in measured])
    distances = np.array([[it.value - it.low, it.high - it.value] for it in measured]).T
    ends = [predicted.min(), predicted.max()]
    axes.plot(ends, ends, color=FAINT, lw=0.9, ls=":", label="as predicted")
    axes.errorbar(
        *(predicted, values, distances),
        fmt="o",
        color=COLOURS[0],
        elinewidth=1.4,
        capsize=3,
        label="a tenth of the users,\nwith its 95 % interval",
    )
    axes.axhline(0, color=EDGE, lw=0.8)
    axes.xaxis.set_major_formatter("{x:.1%}")
    _style(axes, "predicted effect")
    return to_png(figure)


def _make_axes(title: str) -> tuple["Figure", "Axes"]:
    figure = make_figure(*_SIZE)
    axes = figure.add_axes(_AREA)
    axes.set_title(title, loc="left", size=10, color=INK)
    return figure, axes


def _style(axes: "Axes", x_label: str) -> None:
    axes.set_xlabel(x_label, color=FAINT, size=9)
    axes.yaxis.set_major_formatter("{x:.1%}")
    axes.tick_params(colors=FAINT, labelsize=8.5)
    for side, spine in axes.spines.items():
        spine.set(visible=side in {"left", "bottom"}, color=EDGE)
    axes.legend(
        loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9, labelcolor=INK
    )
