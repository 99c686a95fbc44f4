"""Tables whose columns depend on the game: `user_activity` and `user_features`."""

from collections.abc import Iterable

from ds_assets.core.schema import Column, Table
from ds_assets.game import Game


def user_activity_table(game: Game) -> Table:
    """What arrived on one day: a row a user and event date."""
    return Table(
        "user_activity",
        (
            Column("user_id", "text", "The user."),
            Column("event_date", "date", "Day on which the events happened."),
            Column("events", "integer", "Events of any type."),
            Column("activities", "integer", "Events that show that the user was there."),
            Column("sessions", "integer", "Sessions opened."),
            Column("purchases", "integer", "Purchases."),
            Column("spend", "real", "Sum of the purchases' amounts."),
            *(
                Column(f"count_{name}", "integer", f"Events of type {name}.")
                for name in game.events.counted
            ),
            *(
                Column(f"sum_{name}", "real", f"Sum of the property {name}.")
                for name in game.properties
            ),
            *_attribute_columns(game),
            Column("last_time", "time", "Time of the last event, in the game's time zone."),
        ),
        ("user_id", "event_date"),
    )


def user_features_table(game: Game) -> Table:
    """What is known of each active user at the end of one day: a row a user."""
    return Table(
        "user_features",
        (
            Column("user_id", "text", "The user."),
            *(
                Column(f"{measure}_{days}d", "real", f"{meaning} in the last {days} days.")
                for measure, meaning in windowed_measures(game)
                for days in game.windows
            ),
            *(
                Column(
                    f"trend_{short}d_{long}d",
                    "real",
                    f"Active days a day in the last {short} days over those in the last {long}.",
                    nullable=True,
                )
                for short, long in window_pairs(game)
            ),
            Column("days_since_active", "real", "Days since the last active day."),
            Column(
                "days_since_purchase",
                "real",
                f"Days since the last purchase; none in the last {game.lookback_days} days: none.",
                nullable=True,
            ),
            Column(
                "tenure_days",
                "real",
                f"Days since the first active day, looking back {game.lookback_days} days.",
            ),
            Column(
                "typical_gap", "real", "Mean days from one active day to the next.", nullable=True
            ),
            Column(
                "longest_gap", "real", "Most days from one active day to the next.", nullable=True
            ),
            Column(
                "recency_in_gaps", "real", "Days since the last active day, in typical gaps.", True
            ),
            *_attribute_columns(game),
        ),
        ("user_id",),
    )


def windowed_measures(game: Game) -> list[tuple[str, str]]:
    """Measures that features sum over each window: name, and meaning."""
    return [
        ("active_days", "Active days"),
        ("events", "Events"),
        ("sessions", "Sessions"),
        ("purchases", "Purchases"),
        ("spend", "Spend"),
        *((f"count_{name}", f"Events of type {name}") for name in game.events.counted),
        *((f"sum_{name}", f"Sum of the property {name}") for name in game.properties),
    ]


def window_pairs(game: Game) -> Iterable[tuple[int, int]]:
    """Neighbouring windows, the shorter first."""
    return zip(game.windows[:-1], game.windows[1:], strict=True)


def numeric_features(game: Game) -> list[str]:
    """Names of the features that are numbers, in the order of the table."""
    return [column.name for column in user_features_table(game).columns if column.type == "real"]


def text_features(game: Game) -> list[str]:
    """Names of the features that are text: attributes, in the order of the table."""
    return [f"last_{name}" for name, kind in game.attributes.items() if kind.type == "text"]


def _attribute_columns(game: Game) -> list[Column]:
    return [
        Column(
            f"last_{name}",
            "real" if attribute.type == "number" else "text",
            f"Latest value of the attribute {name}; of rows that arrived on different days, "
            "that of the row with the latest event.",
            nullable=True,
        )
        for name, attribute in game.attributes.items()
    ]
