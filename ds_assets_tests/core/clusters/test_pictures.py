import io
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from PIL import Image

from ds_assets.core.clusters.clustering import FittedClusters, fit_clusters
from ds_assets.core.clusters.flows import flows
from ds_assets.core.clusters.pictures import flows_picture, profiles_picture
from ds_assets.core.clusters.profiles import cluster_profiles
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.feature_columns import FeatureColumn
from ds_assets.game import ClusterRange
from ds_assets_tests.core.factories import FEATURES, FIRST_DAY, make_features, make_game

MAX_BYTES = 60_000
NAMES = {1: "frequent spenders", 2: "fading, away", 3: "new"}


def fitted(
    features: pd.DataFrame, number: int = 3, declared: Sequence[FeatureColumn] = FEATURES
) -> FittedClusters:
    k_range = ClusterRange(min=number, max=number)
    return fit_clusters(features, declared, k_range, None, as_of=FIRST_DAY)


def picture_of(
    features: pd.DataFrame,
    number: int = 3,
    declared: Sequence[FeatureColumn] = FEATURES,
    **predicted: object,
) -> bytes:
    fitted_clusters = fitted(features, number, declared)
    predictions = pd.DataFrame({"user_id": features["user_id"], **predicted})
    rows = cluster_profiles(
        FIRST_DAY, features, declared, fitted_clusters.assignments, predictions, None
    )
    return profiles_picture(rows, declared, fitted_clusters.card.deviations)


def week(*clusters: int, first: int = 0) -> pd.DataFrame:
    users = [f"u{first + number}" for number in range(len(clusters))]
    return pd.DataFrame({"user_id": users, "cluster": clusters})


def counted() -> pd.DataFrame:
    return flows(week(*[1] * 50, *[2] * 30, *[3] * 20), week(*[1] * 40, *[2] * 60, first=10))


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is written on a picture."""
    texts: list[str] = []
    original = Axes.text

    def text(axes: Axes, x: float, y: float, s: str, **style: object) -> object:
        texts.append(s)
        return original(axes, x, y, s, **style)  # type: ignore[arg-type]

    monkeypatch.setattr(Axes, "text", text)
    return texts


def test_profiles_say_names_sizes_and_values_beside_those_of_all_users(written: list[str]) -> None:
    features = make_features(600)
    picture_of(features, churn_probability=0.25)
    card = fitted(features).card
    for cluster in card.clusters:
        assert cluster.name in written
        assert f"{cluster.size:,} users, {cluster.size / 600:.0%}" in written
    assert written.count("25%") >= 4
    assert {"all users", "will leave", "known for", "last seen", "trend"} <= set(written)
    assert "will pay" not in written


def test_flows_say_how_many_stayed_changed_came_and_went(written: list[str]) -> None:
    flows_picture(counted(), NAMES, {1: "frequent spenders", 2: "fading, away"})
    assert {
        "frequent spenders: 50 (50%)",
        "fading, away: 30 (30%)",
        "new: 20 (20%)",
        "not active then: 10",
        "frequent spenders: 40 (40%)",
        "fading, away: 60 (60%)",
        "no longer active: 10",
        "22% of those still active changed cluster",
    } <= set(written)
    assert [written.count(number) for number in ("40", "30", "20")] == [2, 2, 2]


@pytest.mark.slow
def test_pictures_are_white_small_and_the_same_each_time() -> None:
    features = make_features(1_200)
    chance = np.random.default_rng(0).random(1_200)
    for number in (2, 8):
        first = picture_of(features, number, churn_probability=chance)
        assert picture_of(features, number, churn_probability=chance) == first
        assert len(first) < MAX_BYTES
        image = Image.open(io.BytesIO(first)).convert("RGB")
        assert image.getpixel((1, 1)) == (255, 255, 255)
    again = flows_picture(counted(), NAMES, NAMES)
    assert flows_picture(counted(), NAMES, NAMES) == again
    assert len(again) < MAX_BYTES


@pytest.mark.slow
def test_pictures_need_no_display_and_leave_no_state() -> None:
    # In a process of its own: in this one another test may have opened pyplot.
    script = (
        "import sys; import ds_assets_tests.core.clusters.test_pictures as pictures; "
        "pictures.flows_picture(pictures.counted(), pictures.NAMES, pictures.NAMES); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)  # noqa: S603  (fixed)


def test_the_flows_of_eight_clusters_are_a_small_picture_too() -> None:
    chance = np.random.default_rng(0)
    then = chance.integers(1, 9, 4_000)
    now = np.where(chance.random(4_000) < 0.7, then, chance.integers(1, 9, 4_000))
    before, after = week(*then[:3_800]), week(*now[200:], first=200)
    names = {number: f"long-standing, light, fading ({number})" for number in range(1, 9)}
    assert len(flows_picture(flows(before, after), names, names)) < MAX_BYTES


def test_a_picture_grows_with_its_clusters() -> None:
    features = make_features(1_200)
    heights = [Image.open(io.BytesIO(picture_of(features, n))).height for n in (2, 6, 12)]
    assert heights == sorted(set(heights))


@pytest.mark.parametrize("windows", [(1,), (7, 14), (30, 365)])
def test_any_windows_of_a_game_can_be_drawn(windows: tuple[int, ...]) -> None:
    game = make_game(windows=windows, active_days=1)
    features = make_features(300, game=game)
    features["spend_1d"] = np.arange(300.0) % 7 if 1 in windows else 0.0
    assert picture_of(features, declared=declare_features(game))


def test_unknown_zero_and_enormous_values_can_be_drawn(written: list[str]) -> None:
    features = make_features(300)
    silent = [name for name in features.columns if name.startswith(("spend", "purchases"))]
    features[silent] = 0.0
    features["spend_28d"] = np.where(np.arange(300) < 100, 1e30, 0.0)
    features[[name for name in features.columns if name.startswith("trend")]] = np.nan
    assert picture_of(features, churn_probability=0.0)
    assert "?" in written
    assert any("e+" in text for text in written)


def test_weeks_without_a_user_in_common_can_be_drawn(written: list[str]) -> None:
    assert flows_picture(flows(week(1, 1, 2), week(1, first=9)), NAMES, NAMES)
    assert not [text for text in written if "changed" in text]
