"""Pictures of clusters as PNG: what is typical of each, and how users moved between them.

Scope: drawing on a canvas in memory, without a display. `profiles` and `flows` compute the numbers.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from ds_assets.core.canvas import (
    COLOURS,
    EDGE,
    FAINT,
    format_number,
    make_canvas,
    to_png,
    write_text,
)
from ds_assets.core.clusters.clustering import four_week_window
from ds_assets.core.clusters.flows import share_changed
from ds_assets.core.clusters.profiles import profile_features
from ds_assets.core.feature_columns import FeatureColumn
from ds_assets.core.targets import BUILT_IN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_DEVIATION = 2.0
"""Standard deviations from all users, or doublings, of the strongest colour."""
MIN_DRAWN_SHARE, MIN_LABELLED_SHARE = 0.005, 0.03
"""Smallest shares of the users of a flow that is drawn, and of one that is labelled."""

_LITTLE, _MUCH = "#eda45b", "#74aede"
_OUTSIDE, _OUTSIDE_COLOUR = 2**62, "#b8c0c9"
"""Stands for users without a cluster; sorts after all ids."""
_GAP = 0.03
"""Space between two bars, as a share of all users."""


class _Column(NamedTuple):
    """A column of the picture of profiles.

    Attributes:
        head: First line of its heading.
        unit: Second line of its heading.
        texts: Text of each cell.
        of_all: Text of the cell of all users.
        far: Deviation of each cell from all users, for its colour.
    """

    head: str
    unit: str
    texts: list[str]
    of_all: str
    far: list[float]


def profiles_picture(
    profiles: pd.DataFrame,
    declared: Sequence[FeatureColumn],
    deviations: Mapping[int, Mapping[str, float]],
) -> bytes:
    """Typical values and predictions of each cluster; colours show how far from all users.

    Args:
        profiles: The columns of `CLUSTER_PROFILES`, of one day, at least one row.
        declared: The game's features.
        deviations: Standard deviations from all users, by id and feature.
    """
    columns = [
        *_typical(profiles, declared, deviations),
        *_outcomes(profiles, four_week_window(declared)),
    ]
    rows = len(profiles)
    left = max(1.7, 0.25 + 0.087 * max(map(len, profiles["cluster_name"])))
    figure, axes = make_canvas((-left, len(columns) + 0.05), (rows + 1.75, -0.95), (0.98, 0.47))
    named = zip(profiles["cluster_name"], profiles["users"], profiles["share"], strict=True)
    for row, (name, users, share) in enumerate(named):
        write_text(axes, -0.08, row + 0.34, name, ha="right", weight="bold")
        sizes = f"{users:,} users, {share:.0%}"
        write_text(axes, -0.08, row + 0.7, sizes, ha="right", color=FAINT, size=8)
    write_text(axes, -0.08, rows + 0.5, "all users", ha="right", weight="bold")
    for place, column in enumerate(columns):
        _draw_column(axes, place, column)
    _draw_scale(axes, len(columns), rows + 1.2)
    return to_png(figure)


def _typical(
    profiles: pd.DataFrame,
    declared: Iterable[FeatureColumn],
    deviations: Mapping[int, Mapping[str, float]],
) -> Iterator[_Column]:
    typical = [json.loads(text) for text in profiles["typical_values"]]
    for feature in profile_features(declared):
        if feature.heading is not None:
            head, unit, decimals = feature.heading
            name, shown = feature.name, partial(format_number, decimals=decimals)
            texts = [_or_unknown(values[name][0], shown) for values in typical]
            far = [deviations[key].get(name, 0.0) for key in profiles["cluster"]]
            yield _Column(head, unit, texts, _or_unknown(typical[0][name][1], shown), far)


def _outcomes(profiles: pd.DataFrame, days: int) -> Iterator[_Column]:
    """What the users of each cluster paid, and what is predicted for them, where it is known."""
    for head, unit, name, shown in (
        ("payers", f"in {days} days", "payers", "{:.0%}".format),
        ("spend each", f"in {days} days", "spend", format_number),
        *((t.wording.heading, "chance", t.probability_column, "{:.0%}".format) for t in BUILT_IN),
        *(
            ("will spend", "each", t.amount_column, format_number)
            for t in BUILT_IN
            if t.amount_column
        ),
    ):
        values = profiles[name].astype("float64")
        if values.notna().any():
            of_all = float(np.average(values.fillna(values.mean()), weights=profiles["users"]))
            texts = [_or_unknown(value, shown) for value in values]
            yield _Column(head, unit, texts, shown(of_all), [_doublings(v, of_all) for v in values])


def _doublings(value: float, of_all: float) -> float:
    """Number of doublings from the value of all users to that of a cluster."""
    if not (value >= 0 and of_all > 0):
        return 0.0
    return math.log2(max(value / of_all, 2**-MAX_DEVIATION))


def _draw_column(axes: "Axes", place: int, column: _Column) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415  # slow to import

    middle = place + 0.5
    write_text(axes, middle, -0.62, column.head, weight="bold")
    write_text(axes, middle, -0.25, column.unit, color=FAINT, size=8)
    for row, (text, far) in enumerate(zip(column.texts, column.far, strict=True)):
        colour = _between_colours(far)
        axes.add_patch(Rectangle((place, row), 1, 1, facecolor=colour, edgecolor=EDGE, lw=1))
        write_text(axes, middle, row + 0.5, text, size=11)
    write_text(axes, middle, len(column.texts) + 0.5, column.of_all, size=11, color=FAINT)


def _draw_scale(axes: "Axes", columns: int, top: float) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415  # slow to import

    steps = np.linspace(-MAX_DEVIATION, MAX_DEVIATION, 9)
    for number, far in enumerate(steps):
        left = columns / 2 + (number - len(steps) / 2) * 0.2
        colour = _between_colours(far)
        axes.add_patch(Rectangle((left, top), 0.2, 0.3, facecolor=colour, edgecolor=EDGE, lw=1))
    write_text(axes, columns / 2 - 1.0, top + 0.15, "less", ha="right", color=FAINT, size=8)
    write_text(
        axes, columns / 2 + 1.0, top + 0.15, "more than all users", ha="left", color=FAINT, size=8
    )


def _between_colours(far: float) -> tuple[float, ...]:
    from matplotlib.colors import to_rgb  # noqa: PLC0415  # slow to import

    strength = min(abs(far) / MAX_DEVIATION, 1.0)
    full = np.array(to_rgb(_MUCH if far > 0 else _LITTLE))
    return tuple((1 - strength * (1 - full)).tolist())


class _Side(NamedTuple):
    """One side of the flows.

    Attributes:
        x: Position of its bars.
        names: Names of its clusters by id, in order, and of users without a cluster.
        sizes: Number of users of each flow, by its ids on this side and on the other.
    """

    x: float
    names: dict[int, str]
    sizes: dict[tuple[int, int], int]


def flows_picture(
    counted: pd.DataFrame, names_before: Mapping[int, str], names_after: Mapping[int, str]
) -> bytes:
    """Draw bands from the clusters of a week before to those of the day; width shows users.

    Args:
        counted: What `flows` returned for the two days, at least one row.
        names_before: Names of the clusters a week before, by id.
        names_after: Names of the clusters of the day, by id.
    """
    ids = (counted[side].fillna(_OUTSIDE).astype("int64").tolist() for side in ("before", "after"))
    ways = list(zip(*ids, counted["users"].tolist(), strict=True))
    total = sum(users for _, _, users in ways)
    before = _Side(0.0, _in_order(names_before, "not active then"), {(a, b): n for a, b, n in ways})
    after = _Side(1.0, _in_order(names_after, "no longer active"), {(b, a): n for a, b, n in ways})
    figure, axes = _canvas_of_flows(before, after)
    write_text(axes, 0.5, -0.09, _changed(counted), color=FAINT)
    left, right = _draw_bars(axes, before, total), _draw_bars(axes, after, total)
    for start, end, users in ways:
        _draw_flow(axes, left[start, end], right[end, start], users, users / total, start)
    return to_png(figure)


def _in_order(names: Mapping[int, str], outside: str) -> dict[int, str]:
    return {**dict(sorted(names.items())), _OUTSIDE: outside}


def _canvas_of_flows(before: _Side, after: _Side) -> tuple["Figure", "Axes"]:
    """A canvas with room for all bars and for the longest name."""
    names = [*before.names.values(), *after.names.values()]
    bottom = 1.0 + _GAP * max(len(before.names), len(after.names))
    aside = 0.3 + 0.0195 * max(map(len, names))
    figure, axes = make_canvas((-aside, 1.0 + aside), (bottom, -0.14), (3.7, 3.9))
    write_text(axes, before.x, -0.09, "a week before", weight="bold", ha="right")
    write_text(axes, after.x, -0.09, "now", weight="bold", ha="left")
    return figure, axes


def _changed(counted: pd.DataFrame) -> str:
    changed = share_changed(counted)
    return "" if changed is None else f"{changed:.0%} of those still active changed cluster"


def _draw_bars(axes: "Axes", side: _Side, total: int) -> dict[tuple[int, int], float]:
    """Draw the bars of one side, and return the height at which each flow meets them."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415  # slow to import

    inside = sum(users for (key, _), users in side.sizes.items() if key != _OUTSIDE)
    left, label, align = (-0.02, -0.04, "right") if side.x == 0 else (1.0, 1.04, "left")
    top, ends = 0.0, {}
    for key, name in side.names.items():
        own = {way: users for way, users in sorted(side.sizes.items()) if way[0] == key}
        start, users = top, sum(own.values())
        for way, part in own.items():
            ends[way] = top
            top += part / total
        if own:
            axes.add_patch(Rectangle((left, start), 0.02, top - start, color=_colour(key)))
            share = "" if key == _OUTSIDE else f" ({users / inside:.0%})"
            write_text(axes, label, (start + top) / 2, f"{name}: {users:,}{share}", ha=align)
            top += _GAP
    return ends


def _draw_flow(
    axes: "Axes", left: float, right: float, users: int, share: float, start: int
) -> None:
    if share >= MIN_DRAWN_SHARE:
        _draw_band(axes, left, right, share, _colour(start))
    if share >= MIN_LABELLED_SHARE:
        write_text(axes, 0.02, left + share / 2, f"{users:,}", ha="left", size=8)
        write_text(axes, 0.98, right + share / 2, f"{users:,}", ha="right", size=8)


def _draw_band(axes: "Axes", left: float, right: float, thick: float, colour: str) -> None:
    """Draw a band from the left side to the right, level at both ends."""
    from matplotlib.patches import PathPatch  # noqa: PLC0415  # slow to import
    from matplotlib.path import Path  # noqa: PLC0415

    upper = [(0.0, left), (0.5, left), (0.5, right), (1.0, right)]
    lower = [(x, y + thick) for x, y in upper[::-1]]
    curve = [Path.CURVE4] * 3
    codes = [Path.MOVETO, *curve, Path.LINETO, *curve]
    path = Path([*upper, *lower], codes)
    axes.add_patch(PathPatch(path, facecolor=colour, alpha=0.45, linewidth=0))


def _colour(cluster: int) -> str:
    """Colour of a cluster; the same from day to day."""
    return _OUTSIDE_COLOUR if cluster == _OUTSIDE else COLOURS[(cluster - 1) % len(COLOURS)]


def _or_unknown(value: float | None, shown: Callable[[float], str]) -> str:
    return "?" if value is None or math.isnan(value) else shown(value)
