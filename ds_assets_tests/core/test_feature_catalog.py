import datetime as dt
from pathlib import Path

import pytest

from ds_assets import core
from ds_assets.core.clusters.clustering import distance_features
from ds_assets.core.feature_catalog import declare_features, find_filling_features, find_sums
from ds_assets.game import Events
from ds_assets_tests.core.factories import make_game

GAME = make_game(
    events=Events(counted={"level_up": ("level_up",)}), properties={"minutes": "minutes"}
)
FEATURES = {feature.name: feature for feature in declare_features(GAME)}


@pytest.mark.parametrize(
    ("feature", "description"),
    [
        ("active_days_1d", "Active on the last day."),
        ("active_days_7d", "Active days in the last 7 days."),
        ("events_1d", "Events on the last day."),
        ("count_level_up_28d", "Events of type level_up in the last 28 days."),
        ("sum_minutes_3d", "Sum of the property minutes in the last 3 days."),
        (
            "trend_1d_3d",
            "Share of active days on the last day, divided by that in the last 3 days.",
        ),
        (
            "days_since_purchase",
            "Days since the last purchase; null without one in the last 90 days.",
        ),
        ("last_country", "Latest known value of the attribute country, by the time of the event."),
    ],
)
def test_a_description_is_a_sentence_about_the_feature(feature: str, description: str) -> None:
    assert FEATURES[feature].description == description


@pytest.mark.parametrize(
    ("feature", "measure", "windows"),
    [
        ("spend_28d", "spend", (28,)),
        ("count_level_up_7d", "count_level_up", (7,)),
        ("trend_7d_14d", "trend", (7, 14)),
        ("tenure_days", "tenure_days", ()),
        ("last_level", "level", ()),
    ],
)
def test_measure_and_windows_are_declared(
    feature: str, measure: str, windows: tuple[int, ...]
) -> None:
    assert (FEATURES[feature].measure, FEATURES[feature].windows) == (measure, windows)


def test_each_family_is_declared_with_its_direction() -> None:
    families = {
        name: (feature.family, feature.direction)
        for name, feature in FEATURES.items()
        if feature.family
    }
    assert families["active_days_7d"] == ("activity", 1)
    assert families["typical_gap"] == families["longest_gap"] == ("activity", -1)
    assert families["trend_7d_14d"] == ("trend", 1)
    assert families["days_since_active"] == families["recency_in_gaps"] == ("recency", -1)
    assert families["tenure_days"] == ("tenure", 1)
    assert families["spend_7d"] == families["purchases_7d"] == ("spend", 1)
    assert families["days_since_purchase"] == ("spend", -1)


def test_features_of_a_games_own_events_and_attributes_make_no_distances() -> None:
    names = {feature.name for feature in distance_features(FEATURES.values())}
    assert not {name for name in names if name.startswith(("count_", "sum_", "last_"))}


def test_no_module_of_the_core_takes_names_apart_by_regular_expressions() -> None:
    folder = Path(core.__file__).parent
    with_patterns = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if "import re\n" in path.read_text("utf-8")
    }
    # These are about what players, other programs and authors of a game file write, and know no
    # feature.
    of_texts = {"csv_records.py", "json_elements.py", "log_names.py", "user_ids.py"}
    assert with_patterns == {*of_texts, "game_settings.py"}


def test_a_window_is_filling_until_the_logs_reach_back_as_far() -> None:
    game = make_game(windows=(7, 28), active_days=28)
    first = game.first_day
    on_the_first_day = find_filling_features(first, game)
    assert {"spend_7d", "spend_28d", "trend_7d_28d", "tenure_days"} <= on_the_first_day
    assert "last_country" not in on_the_first_day
    a_week = find_filling_features(first + dt.timedelta(days=6), game)
    assert "spend_7d" not in a_week
    assert {"spend_28d", "trend_7d_28d", "tenure_days"} <= a_week
    four_weeks = find_filling_features(first + dt.timedelta(days=27), game)
    assert not {"spend_28d", "trend_7d_28d"} & four_weeks
    assert "tenure_days" in four_weeks
    assert find_filling_features(first + dt.timedelta(days=55), game) == frozenset()


def test_sums_are_the_features_of_one_window_and_not_trends() -> None:
    sums = find_sums(make_game(windows=(7, 28), active_days=28))
    assert sums["spend_7d"] == 7
    assert sums["active_days_28d"] == 28
    assert not {"trend_7d_28d", "tenure_days", "last_country"} & sums.keys()
