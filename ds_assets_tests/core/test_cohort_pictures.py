import io

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from ds_assets.core.cohort_curves import CohortCurve
from ds_assets.core.cohort_pictures import MAX_CURVES_PER_PICTURE, spend_picture, values_picture

MAX_BYTES = 60_000


def make_curve(value: str = "ads", cost: float | None = 1.5, *, ages: int = 60) -> CohortCurve:
    """A user spends 0.05 a day, and one of two is active on each."""
    spend = np.arange(1, ages + 1, dtype=np.float64) * 0.05
    return CohortCurve(value, 1234, spend, np.full(ages, 0.5), np.full(ages, 0.25), cost)


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts that are written into pictures."""
    written: list[str] = []
    for name in ("text", "annotate"):
        draw = getattr(Axes, name)

        def record(axes: Axes, *args: object, _draw: object = draw, **style: object) -> object:
            written.extend(arg for arg in args if isinstance(arg, str))
            return _draw(axes, *args, **style)  # type: ignore[operator]

        monkeypatch.setattr(Axes, name, record)
    return written


def test_curves_show_value_and_payback_day(texts: list[str]) -> None:
    picture = spend_picture([make_curve(), make_curve("organic", None), make_curve("new", 12.0)])
    assert {"ads", "paid back on day 29", "day 29"} <= {*texts}
    assert {"organic", "3 per user", "new", "25% of 12 paid back"} <= {*texts}
    assert Image.open(io.BytesIO(picture)).format == "PNG"
    assert len(picture) < MAX_BYTES


def test_the_table_shows_retention_spend_and_payback_of_each_value(texts: list[str]) -> None:
    picture = values_picture([make_curve(ages=200), make_curve("new", 12.0, ages=20)])
    assert {"ads", "1,234 users", "50%", "0.40", "1.6", "4.5", "29", "not yet", "–"} <= {*texts}  # noqa: RUF001  (a dash in a table)
    assert {"667%", "8%"} <= {*texts}
    assert len(picture) < MAX_BYTES


def test_a_table_without_costs_has_no_columns_of_payback(texts: list[str]) -> None:
    values_picture([make_curve(cost=None)])
    assert "payback" not in texts


def test_a_picture_has_the_largest_values_and_a_table_has_all(texts: list[str]) -> None:
    curves = [make_curve(f"v{number}") for number in range(MAX_CURVES_PER_PICTURE + 1)]
    spend_picture(curves)
    assert curves[-1].value not in texts
    values_picture(curves)
    assert curves[-1].value in texts


@pytest.mark.parametrize("value", ["$x$ \\frac", "日本", "x" * 100, "", "<b>"])
@pytest.mark.filterwarnings("ignore:Glyph")  # a font without these letters
def test_any_value_can_be_drawn(value: str) -> None:
    curves = [make_curve(value), make_curve(ages=1, cost=None)]
    assert spend_picture(curves)
    assert values_picture(curves)


def test_the_same_curves_give_the_same_bytes() -> None:
    assert spend_picture([make_curve()]) == spend_picture([make_curve()])
    assert values_picture([make_curve()]) == values_picture([make_curve()])
