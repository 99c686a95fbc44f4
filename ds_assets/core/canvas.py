"""Pictures as PNG: a canvas in memory without a display, texts, numbers and colours.

Scope: what all pictures of the UI share.
"""

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, EDGE = "#1f2933", "#6b7683", "#dfe3e8"
"""Colours of texts, of secondary texts and of lines between areas."""
COLOURS = (
    *("#4c86c6", "#e08e45", "#5aa469", "#c75d63", "#8d7bc4"),
    *("#9c7a5b", "#d682b5", "#59a9b5", "#b5b04a", "#3f5b7a"),
)
"""Colours of groups, in order."""
_DPI = 100
_SHADES = 128
"""Colours of a picture: enough for flat areas and their edges, and a quarter of the bytes."""
_MAX_NUMBER = 1e7
"""Larger numbers are written with a power of ten."""


def make_figure(width: float, height: float) -> "Figure":
    """A white figure of a size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  # slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def make_canvas(
    x: tuple[float, float], y: tuple[float, float], scale: tuple[float, float]
) -> tuple["Figure", "Axes"]:
    """A white figure whose units are `scale` inches wide and high.

    Args:
        x: Left and right end.
        y: Lower and upper end; y grows downwards.
        scale: Inches per unit of x and of y.
    """
    figure = make_figure((x[1] - x[0]) * scale[0], (y[0] - y[1]) * scale[1])
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set(xlim=x, ylim=y)
    return figure, axes


def write_text(axes: "Axes", x: float, y: float, text: str, **style: Any) -> None:
    """Write a text at a point, without reading formulas in it."""
    options: dict[str, Any] = {
        "ha": "center",
        "va": "center",
        "size": 9.5,
        "color": INK,
        "parse_math": False,
    }
    axes.text(x, y, text, **options | style)


def to_png(figure: "Figure") -> bytes:
    """Draw a figure as a PNG file."""
    from PIL import Image  # noqa: PLC0415  # only pictures need it

    drawn, file = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="rgba")
    size = figure.canvas.get_width_height()
    image = Image.frombytes("RGBA", size, drawn.getvalue()).convert("RGB")
    image.quantize(_SHADES).save(file, format="png", optimize=True)
    return file.getvalue()


def format_number(value: float, decimals: int | None = None) -> str:
    """A readable number: 0.25, 3.5, 24, 1,200, 3.4e+38; or one with a number of decimals."""
    if decimals is not None:
        return f"{value:.{decimals}f}"
    if abs(value) >= _MAX_NUMBER:
        return f"{value:.2g}"
    if abs(value) >= 100 or value == int(value):  # noqa: PLR2004  # three digits are enough
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"
