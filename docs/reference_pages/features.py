"""The features of an example of a game."""

import datetime as dt

from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.feature_columns import FeatureColumn
from ds_assets.game import Attribute, Events, Fields, Game

GAME = Game(
    name="Example",
    first_day=dt.date(2026, 1, 1),
    fields=Fields(user_id="user", event_time="time", event_type="type"),
    events=Events(counted={"level_up": ("level_up",)}),
    properties={"minutes": "minutes"},
    attributes={"country": Attribute(field="country")},
    windows=(7, 28),
)
_INTRODUCTION = """# Features

*Written from the code by `make reference`; a test compares this page with the declarations.*

The columns of `user_features`, one row per active user and day. These are the features of a game
with the windows 7 and 28 days, the counted event type `level_up`, the summed property `minutes` and
the attribute `country`; other windows, types, properties and attributes give columns of the same
form. Features with the same reason code are given as one reason. One with a family is used for
clusters; `less` means that a larger value is less of the family, such as long gaps of activity.

| column | meaning | reason code | family |
|---|---|---|---|
"""


def page() -> str:
    """The text of the page."""
    return _INTRODUCTION + "".join(map(_row, declare_features(GAME)))


def _row(feature: FeatureColumn) -> str:
    direction = "less " if feature.direction < 0 else ""
    family = f"{direction}{feature.family}" if feature.family else ""
    code = feature.topic.code
    return f"| `{feature.name}` | {feature.description} | `{code}` | {family} |\n"
