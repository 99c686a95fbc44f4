"""The numbers of a model's card as PNG: how good it is, what it goes by, and when users leave.

Scope: drawing. Every number in a picture is the card's; what it shows in words is in `markdown`.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from ds_assets.core.canvas import COLOURS, EDGE, FAINT, INK, make_figure, to_png
from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.card.model_card import DELIVERED, RECENCY, Evaluation, ModelCard
from ds_assets.core.models.evaluation.drift import DRIFTED
from ds_assets.core.models.evaluation.validation_curves import TREATED_SHARE, ValidationCurves
from ds_assets.core.models.learning.survival import SurvivalCard
from ds_assets.core.targets import Target
from ds_assets.core.topics import describe_topic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_BARS = 10
"""Families of features that are drawn, those with the largest effects."""
_SIZE = (8.0, 3.3)
_AREA = (0.08, 0.15, 0.65, 0.74)
"""Left, bottom, width and height of the axes, as shares of the picture."""
_LABEL_LETTERS = 28
"""Letters of a line that fit beside the axes."""
_COLOURS = ("#5aa469", "#e08e45", "#c75d63")
_MEAN = "#3f5b7a"
_MODEL, _POSITIVES, _NEGATIVES = COLOURS[0], COLOURS[1], "#c8d3df"


def draw_model(target: Target, card: ModelCard) -> dict[str, bytes]:
    """Draw what a card has numbers for, by the name of the picture."""
    return dict(_draw_parts(target, card))


def _draw_parts(target: Target, card: ModelCard) -> Iterator[tuple[str, bytes]]:
    evaluation = card.evaluation
    if evaluation is not None and evaluation.curves is not None:
        yield "reliability", _draw_reliability(evaluation.curves)
        yield "gains", _draw_gains(target, evaluation, evaluation.curves)
        yield "scores", _draw_scores(target, evaluation.curves)
    if card.importance:
        yield "importance", _draw_importance(card.importance)
    if len(card.drifts) > 1:
        yield "drift_over_days", _draw_drift(card.drifts)
    if card.survival is not None:
        yield "survival", draw_survival(card.survival)


def _draw_reliability(curves: ValidationCurves) -> bytes:
    """Draw predicted and observed share of each tenth, with the interval of the latter."""
    figure, axes = _make_axes("share that was observed, by tenth of the users")
    bins = curves.reliability
    predicted, observed = (
        np.array([getattr(it, name) for it in bins]) for name in ("predicted", "observed")
    )
    distances = np.array([[it.observed - it.low, it.high - it.observed] for it in bins]).T
    top = min(1.0, 1.08 * max(predicted.max(), *(it.high for it in bins)))
    axes.plot([0, top], [0, top], color=FAINT, lw=0.9, ls=":", label="as predicted")
    axes.errorbar(
        *(predicted, observed, distances),
        fmt="o",
        color=_MODEL,
        ecolor=_MODEL,
        elinewidth=1.4,
        capsize=3,
        label="a tenth of the users,\nwith its 95 % interval",
    )
    axes.set(xlim=(0, top), ylim=(0, top))
    axes.xaxis.set_major_formatter("{x:.0%}")
    _style(axes, "predicted share")
    return to_png(figure)


def _draw_gains(target: Target, evaluation: Evaluation, curves: ValidationCurves) -> bytes:
    """Draw the share of the positives that are among the users with the highest chances."""
    figure, axes = _make_axes(f"share of all {target.wording.positives} that are reached")
    shares = np.array(curves.top_shares)
    best = np.minimum(shares / evaluation.base_rate, 1.0)
    axes.plot(shares, best, color=FAINT, lw=1.2, ls="--", label="best possible")
    axes.plot(shares, curves.gains[DELIVERED], color=_MODEL, lw=2.4, label="this model")
    axes.plot(shares, curves.gains[RECENCY], color=_COLOURS[1], lw=1.5, label="recency alone")
    axes.plot(shares, shares, color=FAINT, lw=0.9, ls=":", label="random order")
    gain = curves.gain(DELIVERED, TREATED_SHARE)
    axes.plot(TREATED_SHARE, gain, "o", color=_MODEL, markersize=8, markeredgecolor="white")
    axes.annotate(
        f"top {TREATED_SHARE:.0%}: {gain:.0%}",
        (TREATED_SHARE, gain),
        xytext=(9, -11),
        textcoords="offset points",
        size=9,
        weight="bold",
        color=_MODEL,
    )
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.xaxis.set_major_formatter("{x:.0%}")
    _style(axes, "share of the users, those with the highest chance first")
    return to_png(figure)


def _draw_scores(target: Target, curves: ValidationCurves) -> bytes:
    """Draw the number of users by probability, those of each outcome apart."""
    figure, axes = _make_axes("users by predicted chance")
    positives, users = np.array(curves.score_positives), np.array(curves.score_users)
    width = 1 / len(users)
    left = np.arange(len(users)) * width
    for heights, bottom, colour, words in (
        (positives, 0, _POSITIVES, target.wording.positives),
        (users - positives, positives, _NEGATIVES, target.wording.negatives),
    ):
        label = fill(words, _LABEL_LETTERS)
        axes.bar(left, heights, width * 0.92, bottom, align="edge", color=colour, label=label)
    axes.set(xlim=(0, 1))
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.locator_params(axis="y", integer=True)
    _style(axes, "predicted chance", "{x:,.0f}")
    return to_png(figure)


def _draw_importance(importance: Mapping[str, float]) -> bytes:
    """Draw the mean absolute effect of each family of features."""
    largest = list(importance.items())[:MAX_BARS][::-1]
    total = sum(importance.values()) or 1.0
    figure = make_figure(_SIZE[0], 0.9 + 0.27 * len(largest))
    axes = figure.add_axes((0.32, 0.17, 0.6, 0.72))
    effects = [effect for _, effect in largest]
    bars = axes.barh(range(len(largest)), effects, 0.68, color=_MODEL)
    shares = [f"{effect / total:.0%}" for effect in effects]
    axes.bar_label(bars, shares, padding=4, size=9, color=INK)
    names = [describe_topic(code)[:40] for code, _ in largest]
    axes.set_yticks(range(len(largest)), names)
    axes.set_title("what predictions go by", loc="left", size=10, color=INK)
    axes.set_xlabel("mean effect on the log-odds; share of all effects", color=FAINT, size=9)
    axes.set(xlim=(0, max(*effects, 1e-6) * 1.1))
    _style_frame(axes)
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=9)
    return to_png(figure)


def _draw_drift(drifts: Mapping[dt.date, Mapping[str, float]]) -> bytes:
    """Draw the largest stability index of each day, and the bound above which it is much."""
    figure, axes = _make_axes("largest drift of any feature (PSI)")
    days = sorted(drifts)
    largest = [max(drifts[day].values(), default=0.0) for day in days]
    ages = [(day - days[-1]).days for day in days]
    axes.plot(ages, largest, color=_MODEL, lw=2, marker="o", markersize=4, label="of the day")
    axes.axhline(DRIFTED, color=_COLOURS[2], lw=1, ls="--", label=f"much: {DRIFTED:g}")
    axes.set(xlim=(ages[0] - 0.5, 0.5), ylim=(0, 1.15 * max(*largest, DRIFTED)))
    axes.locator_params(axis="x", integer=True)
    _style(axes, f"days before {days[-1]}", "{x:.2g}")
    axes.xaxis.set_major_formatter(lambda age, _: f"{abs(age):.0f}")
    return to_png(figure)


def draw_survival(survival: SurvivalCard) -> bytes:
    """Draw the mean survival, and that of users with a low, a medium and a high chance of leaving.

    Lines are dashed beyond the time over which users were followed.
    """
    figure, axes = _make_axes("share of users who have not left")
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
    _style(axes, "open days after the snapshot")
    return to_png(figure)


def _draw_line(
    axes: "Axes", survival: Floats, observed: int, colour: str, words: str, width: float = 1.6
) -> None:
    days = np.arange(len(survival))
    axes.plot(days[: observed + 1], survival[: observed + 1], color=colour, lw=width, label=words)
    axes.plot(days[observed:], survival[observed:], color=colour, lw=width, ls="--")


def _make_axes(title: str) -> tuple["Figure", "Axes"]:
    figure = make_figure(*_SIZE)
    axes = figure.add_axes(_AREA)
    axes.set_title(title, loc="left", size=10, color=INK)
    return figure, axes


def _style(axes: "Axes", x_label: str, y_format: str = "{x:.0%}") -> None:
    axes.set_xlabel(x_label, color=FAINT, size=9)
    axes.yaxis.set_major_formatter(y_format)
    _style_frame(axes)
    axes.legend(
        loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9, labelcolor=INK
    )


def _style_frame(axes: "Axes") -> None:
    axes.tick_params(colors=FAINT, labelsize=8.5)
    for side, spine in axes.spines.items():
        spine.set(visible=side in {"left", "bottom"}, color=EDGE)
