"""Pictures of how a day's run grows."""

import io
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import growth_pictures
from benchmarks.bench_growth import Point, point_rows
from benchmarks.growth_pictures import draw_growth, main
from benchmarks.report import Report, report_of, write_report


def make_report(seconds: float) -> Report:
    points = [
        Point(series, at, [{"seconds": at * seconds, "peak_rss_mb": 100.0}], [{"seconds": 2.0}])
        for series in ("short", "long")
        for at in (30, 90)
    ]
    return report_of("growth_history", list(point_rows("days of history", points)))


def test_a_picture_shows_the_figures_of_the_report() -> None:
    picture = draw_growth(make_report(1.0))
    assert Image.open(io.BytesIO(picture)).format == "PNG"
    assert picture == draw_growth(make_report(1.0))
    assert picture != draw_growth(make_report(2.0))


def test_each_stored_report_with_an_axis_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth_pictures, "RESULTS", tmp_path)
    monkeypatch.setattr(growth_pictures, "PICTURES", tmp_path)
    write_report(make_report(1.0), tmp_path)
    write_report(report_of("growth_import", []), tmp_path)
    main()
    assert [file.name for file in tmp_path.glob("*.png")] == ["growth_history.png"]
