"""Tables whose columns depend on the game: `user_activity` and `user_features`."""

from dataclasses import replace

from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.local_clock import AFTER_SET_BACK, sets_clock_back
from ds_assets.core.measures import stored_measures
from ds_assets.core.schema import Column, Table
from ds_assets.game import Game

REFUNDS = "refunds"
"""Column of `user_activity` with the number of events that reduce spend."""
ACTIVITY_TIME = "activity_time"
"""Column of `user_activity` with the time of the last activity event of the date."""


_AFTER_SET_BACK = Column(
    AFTER_SET_BACK,
    "boolean",
    "Whether the clock had been set back on the event date before the last event; missing in days "
    "of earlier versions.",
    nullable=True,
    is_recent=True,
)


def has_refunds(game: Game) -> bool:
    """Whether purchases of a game can be taken back, as far as is known."""
    return game.fields.amount is not None


def user_activity_table(game: Game) -> Table:
    """What arrived on one day: a row for each user and event date."""
    events, *others = (
        Column(measure.name, measure.type, f"{measure.description} on the event date.")
        for measure in stored_measures(game)
    )
    return Table(
        "user_activity",
        (
            Column("user_id", "text", "The user."),
            Column("event_date", "date", "Day on which the events happened."),
            events,
            Column("activities", "integer", "Events that count as activity on the event date."),
            *others,
            *(
                Column(
                    f"last_{name}",
                    "real" if attribute.type == "number" else "text",
                    f"Latest value of the attribute {name}.",
                    nullable=True,
                )
                for name, attribute in game.attributes.items()
            ),
            Column("last_time", "time", "Time of the last event, in the game's time zone."),
            *([_AFTER_SET_BACK] if sets_clock_back(game) else []),
            Column(
                ACTIVITY_TIME,
                "time",
                "Time of the last event that counts as activity; missing without one, and in days "
                "of earlier versions.",
                nullable=True,
                is_recent=True,
            ),
        ),
        ("user_id", "event_date"),
        "What arrived on one day, for each user and event date.",
    )


def stored_activity_table(game: Game) -> Table:
    """`user_activity` as it is stored: with the events that only labels count, not features.

    A column is named after the type of its events and not after a target, so that it keeps its
    meaning when targets change.
    """
    table = user_activity_table(game)
    refunds = Column(
        REFUNDS,
        "integer",
        "Refunds on the event date, for labels; missing in days of earlier versions.",
        nullable=True,
        is_recent=True,
    )
    counts = (
        Column(f"count_{name}", "integer", f"Events of type {kind}, for targets.")
        for name, kind in game.target_event_types.items()
    )
    own = (refunds,) if has_refunds(game) else ()
    return replace(table, columns=(*table.columns, *own, *counts))


def user_features_table(game: Game) -> Table:
    """What is known of each active user at the end of one day: a row for each user."""
    return Table(
        "user_features",
        (Column("user_id", "text", "The user."), *declare_features(game)),
        ("user_id",),
        "What is known of each active user at the end of one day.",
    )
