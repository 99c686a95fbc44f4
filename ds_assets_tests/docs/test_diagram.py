import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import diagram


def text_of(svg: str) -> str:
    return "".join(ET.fromstring(svg).itertext())  # noqa: S314  (a file of this repository)


def test_the_picture_shows_the_graph_and_the_layers_of_the_code() -> None:
    drawn = text_of(diagram.PICTURE.read_text(encoding="utf-8"))
    assert diagram.read_architecture().describe() in drawn, "run `make diagram`"


@pytest.mark.slow
def test_drawing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    architecture = diagram.read_architecture()
    pictures = []
    for name in ("a.svg", "b.svg"):
        diagram.draw(architecture, tmp_path / name)
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1]


def test_an_implied_dependency_is_not_drawn() -> None:
    reads = diagram.read_architecture().assets["predictions"].reads
    assert "churn_model" in reads
    assert "user_features" not in reads
