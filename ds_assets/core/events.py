"""Events as every engine's reader delivers them, and what is done with them before counting.

Belongs here: the contract of the events frame, and which events are duplicates.
Does not belong here: how lines of a format are read; that is each engine's own.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from ds_assets.core.engine import DataFrame, Engine
from ds_assets.core.schema import Column, Table
from ds_assets.game import Game

LONGEST_USER_ID = 191
LARGEST_NUMBER = 10**15
"""Beyond it a number is a fault, and sums would no longer be exact."""
NOTHING = ""
"""Reason of a line that holds nothing, as a blank one or a header: neither event nor quarantine."""

DUPLICATE = "duplicate"
"""Reason of an event that repeats another one: counted, but neither event nor quarantine."""


@dataclass(frozen=True)
class RejectedLine:
    """A line that is no event.

    Attributes:
        day: Its arrival day.
        line: Its number among the lines of that day, from 1.
        reason: Why, as quarantine says it.
    """

    day: dt.date
    line: int
    reason: str


_ORDER = ("event_time", "user_id", "file", "line")  # in which the first of two copies stays


def events_table(game: Game) -> Table:
    """The events frame: a row a line of the raw files, also of those that are not valid."""
    return Table(
        "events",
        (
            Column("dt", "date", "Arrival day: the partition of the raw file."),
            Column("file", "integer", "Number of the raw file in this reading."),
            Column("line", "integer", "Number of the line in its file, from 1."),
            Column("reason", "text", "Why the line is no event; none for an event.", True),
            Column("user_id", "text", "The user.", True),
            Column("event_time", "time", "When it happened, in the game's time zone.", True),
            Column("event_date", "date", "Day on which it happened.", True),
            Column("event_type", "text", "What happened.", True),
            Column("event_id", "text", "The event's own id.", True),
            Column("amount", "real", "Amount of a purchase, in the unit of the reports.", True),
            *(
                Column(f"property_{name}", "real", f"The property {name}.", True)
                for name in game.properties
            ),
            *(
                Column(
                    f"attribute_{name}",
                    "real" if attribute.type == "number" else "text",
                    f"The attribute {name}.",
                    True,
                )
                for name, attribute in game.attributes.items()
            ),
        ),
        ("dt", "file", "line"),
    )


def repeated_ids(events: DataFrame, engine: Engine) -> DataFrame:
    """Event ids that more than one event of an arrival day has. An empty id is no id.

    Args:
        events: The events frame.
        engine: Engine that runs it.

    Returns:
        Columns dt, event_id, each pair once.
    """
    f = engine.functions
    ids = _named(events, f).groupBy("dt", "event_id").agg(f.count("*").alias("times"))
    return ids.where(f.col("times") > 1).select("dt", "event_id")


def duplicates(events: DataFrame, repeated: DataFrame, engine: Engine) -> DataFrame:
    """Rows that repeat an event; of those with one id the earliest is no duplicate.

    Args:
        events: The events frame.
        repeated: What `repeated_ids` gave: a frame of its own, so that of the many events that
            have no copy nothing more than the id is looked at.
        engine: Engine that runs it.

    Returns:
        Columns dt, file, line: the rows whose reason is `DUPLICATE`.
    """
    f = engine.functions
    shared = _named(events, f).join(repeated, ["dt", "event_id"], "left_semi")
    order = engine.window.partitionBy("dt", "event_id").orderBy(*_ORDER)
    ranked = shared.withColumn("copy", f.row_number().over(order))
    return ranked.where(f.col("copy") > 1).select("dt", "file", "line")


def _named(events: DataFrame, f: Any) -> DataFrame:
    return events.where(f.col("reason").isNull() & (f.col("event_id") != ""))


def counts(lines: DataFrame, engine: Engine) -> DataFrame:
    """Lines of each arrival day by reason, of a frame that has dt and reason.

    Returns:
        Columns dt, reason, lines.
    """
    return lines.groupBy("dt", "reason").agg(engine.functions.count("*").alias("lines"))
