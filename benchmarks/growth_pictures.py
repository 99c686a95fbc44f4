"""Draw the stored results of `growth`: `python -m benchmarks.growth_pictures`.

One picture per axis, with seconds and peak memory, into `docs/pictures/`. Every number in a picture
is that of `results/growth_NAME.json`.
"""

import statistics
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from benchmarks.measuring import ROOT, say
from benchmarks.report import Report, Row
from ds_assets.core.canvas import COLOURS, EDGE, FAINT, INK, format_number, make_figure, to_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RESULTS, PICTURES = ROOT / "benchmarks" / "results", ROOT / "docs" / "pictures"
AXES = {
    "growth_events": "events a day",
    "growth_history": "days of history",
    "growth_users": "active users",
    "growth_games": "games, one after the other",
    "growth_targets": "targets of the game's own",
}
"""What the points of each part differ by."""
_SIZE, _WIDTH, _LEFT = (8.0, 3.4), 0.385, (0.085, 0.595)
_HALF, _LINES = 2.0, (("s", "seconds of a day's run"), ("MB", "peak memory in MB"))


def main() -> None:
    for name in AXES:
        file = RESULTS / f"{name}.json"
        if file.exists():
            report = Report.model_validate_json(file.read_bytes())
            (PICTURES / f"{name}.png").write_bytes(draw_growth(report))
            say(f"{name}.png")


def draw_growth(report: Report) -> bytes:
    """Draw seconds and peak memory of the points of a report, both axes logarithmic."""
    rows = [row for row in report.rows if row.place is not None]
    figure = make_figure(*_SIZE)
    for left, (unit, title) in zip(_LEFT, _LINES, strict=True):
        axes = figure.add_axes((left, 0.16, _WIDTH, 0.74))
        axes.set_title(title, loc="left", size=10, color=INK)
        _draw_lines(axes, [row for row in rows if row.unit == unit])
        if unit == "s":
            _draw_control(axes, rows)
        _style(axes, AXES[report.benchmark])
    return to_png(figure)


def _draw_lines(axes: "Axes", rows: Sequence[Row]) -> None:
    """Draw a line for each series."""
    for colour, (series, own) in zip(COLOURS, groupby(rows, _series), strict=False):
        points = [(row.place.at, row.value) for row in own if row.place and row.value]
        axes.plot(*zip(*points, strict=True), "o-", color=colour, label=series or "a day", lw=1.8)


def _draw_control(axes: "Axes", rows: Sequence[Row]) -> None:
    """Draw the seconds of the control beside the first series."""
    ratios = [row for row in rows if row.unit == "ratio"]
    first = next(groupby(ratios, _series))[1]
    points = [(row.place.at, statistics.median(row.control_values)) for row in first if row.place]
    axes.plot(*zip(*points, strict=True), ":", color=FAINT, label="the control", lw=1.4)


def _series(row: Row) -> str:
    return row.place.series if row.place else ""


def _style(axes: "Axes", x_label: str) -> None:
    axes.set(xscale="log", yscale="log")
    low, high = axes.get_ylim()
    axes.set_ylim(low / _HALF, high * _HALF)
    axes.xaxis.set_major_formatter(lambda value, _: format_number(value))
    axes.yaxis.set_major_formatter(lambda value, _: format_number(value))
    axes.set_xlabel(x_label, color=FAINT, size=9)
    axes.tick_params(colors=FAINT, labelsize=8.5)
    for side, spine in axes.spines.items():
        spine.set(visible=side in {"left", "bottom"}, color=EDGE)
    axes.grid(color=EDGE, lw=0.5)
    axes.legend(frameon=False, fontsize=8.5, labelcolor=INK)


if __name__ == "__main__":
    main()
