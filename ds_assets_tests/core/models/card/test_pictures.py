import io

import pytest
from matplotlib.axes import Axes
from PIL import Image

from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.models.card.pictures import draw_model, draw_survival
from ds_assets.core.targets import custom_targets
from ds_assets_tests.core.factories import make_game, make_target
from ds_assets_tests.core.models.card_factories import (
    make_card,
    make_full_card,
    make_lacking_card,
    make_survival,
)

MAX_BYTES = 40_000
PICTURES = {"reliability", "gains", "scores", "importance", "drift_over_days", "survival"}


def test_everything_that_a_card_has_numbers_for_is_a_small_picture() -> None:
    pictures = draw_model(make_target(), make_full_card())
    assert set(pictures) == PICTURES
    for png in pictures.values():
        image = Image.open(io.BytesIO(png))
        assert image.format == "PNG"
        assert len(png) < MAX_BYTES
        assert len(image.convert("RGB").getcolors(1 << 16) or ()) > 10


@pytest.mark.parametrize("card", [make_card(), make_lacking_card()])
def test_a_card_without_these_numbers_has_no_pictures(card: ModelCard) -> None:
    assert draw_model(make_target(), card) == {}


def test_the_picture_of_gains_names_the_share_that_a_campaign_reaches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts: list[str] = []
    original = Axes.annotate

    def annotate(axes: Axes, text: str, *rest: object, **style: object) -> object:
        texts.append(text)
        return original(axes, text, *rest, **style)  # type: ignore[arg-type]

    monkeypatch.setattr(Axes, "annotate", annotate)
    draw_model(make_target(), make_full_card())
    assert "top 10%: 29%" in texts


def test_the_longest_names_of_events_and_features_fit() -> None:
    name = "x" * 48
    (custom,) = custom_targets(make_game(targets={"t": {"event": [name], "horizon": 7}})).values()
    card = make_full_card().model_copy(update={"importance": {name: 0.1, "last_seen": 0.0}})
    assert set(draw_model(custom, card)) == PICTURES


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
