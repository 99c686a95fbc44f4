import pytest

from ds_assets.core.topics import describe_topic
from ds_assets_tests.core.factories import FEATURES


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("last_seen", "time since the last visit"),
        ("active_days", "active days"),
        ("count_level_up", "level up events"),
        ("sum_play_minutes", "play minutes"),
        ("last_spend", "spend"),
        ("country", "country"),
    ],
)
def test_a_topic_is_described_without_values(code: str, words: str) -> None:
    assert describe_topic(code) == words


def test_the_topics_of_a_game_are_described_differently() -> None:
    codes = {feature.topic.code for feature in FEATURES}
    assert len({describe_topic(code) for code in codes}) == len(codes)
