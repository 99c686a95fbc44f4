import io
from typing import Any

import pandas as pd
import pytest
from matplotlib.axes import Axes
from PIL import Image

from ds_assets.core.promotions.result_picture import effects_picture
from ds_assets.core.promotions.words import Outcome

OUTCOMES = {"churn": Outcome("churn", "points", -1), "spend": Outcome("spend", "USD")}
COLUMNS = ["promotion", "arm", "outcome", "effect", "low", "high"]
ROWS = pd.DataFrame(
    [
        ("bundle", "treated", "churn", -0.016, -0.031, -0.002),
        ("bundle", "as_before", "churn", 0.02, 0.004, 0.036),
        ("all", "treated", "spend", 0.3, -0.1, 0.7),
    ],
    columns=COLUMNS,
)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[object]]:
    """Texts and colours of lines in the picture."""
    texts: list[str] = []
    colours: list[object] = []
    write, plot = Axes.text, Axes.plot

    def record_text(axes: Axes, x: float, y: float, text: str, **style: Any) -> object:
        texts.append(text)
        return write(axes, x, y, text, **style)

    def record_line(axes: Axes, *args: Any, **style: Any) -> object:
        colours.append(style.get("color"))
        return plot(axes, *args, **style)

    monkeypatch.setattr(Axes, "text", record_text)
    monkeypatch.setattr(Axes, "plot", record_line)
    return texts, colours


def test_each_effect_is_shown_with_its_interval(drawn: tuple[list[str], list[object]]) -> None:
    picture = effects_picture(ROWS, OUTCOMES)
    texts, _ = drawn
    assert {"bundle", "bundle (as_before)", "all", "churn", "spend"} <= {*texts}
    assert "-1.6 points (-3.1 to -0.2)" in texts
    assert "+0.300 USD (-0.100 to +0.700)" in texts
    assert Image.open(io.BytesIO(picture)).format == "PNG"


def test_better_worse_and_neither_have_colours_of_their_own(
    drawn: tuple[list[str], list[object]],
) -> None:
    effects_picture(ROWS, OUTCOMES)
    _, colours = drawn
    _, *lines = colours  # the first one is that of no effect
    better, worse, neither = lines[::2]
    assert len({better, worse, neither}) == 3


def test_an_effect_that_is_exactly_0_can_be_drawn() -> None:
    nothing = pd.DataFrame([("bundle", "treated", "spend", 0.0, 0.0, 0.0)], columns=COLUMNS)
    assert effects_picture(nothing, OUTCOMES)
