import io

import pytest
from matplotlib.axes import Axes
from PIL import Image

from ds_assets.core.models.card.pictures import draw_survival
from ds_assets_tests.core.models.card_factories import make_survival

MAX_BYTES = 40_000


def test_the_curve_is_a_small_picture() -> None:
    png = draw_survival(make_survival())
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    assert len(png) < MAX_BYTES
    assert len(image.convert("RGB").getcolors(1 << 16) or ()) > 10


def test_lines_are_solid_as_far_as_users_were_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[tuple[float, float, str]] = []
    original = Axes.plot

    def plot(axes: Axes, days: object, *rest: object, **style: object) -> object:
        lines.append((days[0], days[-1], str(style.get("ls", "-"))))  # type: ignore[index]
        return original(axes, days, *rest, **style)  # type: ignore[arg-type]

    monkeypatch.setattr(Axes, "plot", plot)
    curve = make_survival().curve
    draw_survival(make_survival())
    observed = curve.steps * curve.step_days
    assert set(lines) == {(0, observed, "-"), (observed, curve.longest_days, "--")}
    assert len(lines) == 8
