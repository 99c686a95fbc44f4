"""Events as the reader of every engine returns them.

Scope: the contract of the events frame, and which events are duplicates. How lines of a format are
read is up to each engine.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from ds_assets.core.engine import DataFrame, Engine
from ds_assets.core.schema import Column, Table
from ds_assets.game import Game

MAX_NUMBER = 10**15
"""A larger number is an error in the log, and sums would no longer be exact."""
NOTHING = ""
"""Reason of a line without content, such as a header: neither an event nor quarantined."""

NOT_TEXT = "not text: bad UTF-8 or longer than 1 MiB"
"""Reason of a line that cannot be read."""

DUPLICATE = "duplicate"
"""Reason of an event that repeats another one: counted, but neither an event nor quarantined."""


@dataclass(frozen=True)
class RejectedLine:
    """A line that is not an event.

    Attributes:
        day: Its arrival day.
        line: Its number among the lines of that day, from 1.
        reason: Why it is rejected, as in the quarantine.
    """

    day: dt.date
    line: int
    reason: str


_ORDER = ("event_time", "user_id", "file", "line")
"""Of events with one id, the first in this order is kept."""


def events_table(game: Game) -> Table:
    """The events frame: one row per line of the raw files, including invalid lines."""
    return Table(
        "events",
        (
            Column("dt", "date", "Arrival day: the partition of the raw file."),
            Column("file", "integer", "Number of the raw file in this reading."),
            Column("line", "integer", "Number of the line in its file, from 1."),
            Column("reason", "text", "Why the line is not an event; null for an event.", True),
            Column("user_id", "text", "The user; see `core.user_ids`.", True),
            Column("user_id_changed", "boolean", "Whether the line has it in another form.", True),
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
    """Find event ids that occur more than once on an arrival day. An empty id does not count.

    Args:
        events: The events frame.
        engine: Engine that runs it.

    Returns:
        Columns dt, event_id; each pair once.
    """
    f = engine.functions
    ids = _named(events, f).groupBy("dt", "event_id").agg(f.count("*").alias("times"))
    return ids.where(f.col("times") > 1).select("dt", "event_id")


def duplicates(events: DataFrame, repeated: DataFrame, engine: Engine) -> DataFrame:
    """Find the rows that repeat an event; the earliest event with an id is not a duplicate.

    Args:
        events: The events frame.
        repeated: What `repeated_ids` returned: a separate frame, so that of the many events without
            a copy only the id is read.
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


def count_lines(events: DataFrame, engine: Engine) -> DataFrame:
    """Count the lines of each raw file by reason.

    Args:
        events: The events frame.
        engine: Engine that runs it.

    Returns:
        Columns dt, file, reason, lines, changed_user_ids.
    """
    f = engine.functions
    changed = f.sum(f.when(f.col("user_id_changed"), f.lit(1)).otherwise(f.lit(0)))
    lines = f.count("*").alias("lines")
    return events.groupBy("dt", "file", "reason").agg(lines, changed.alias("changed_user_ids"))


def count_bad_lines(bad_lines: DataFrame, engine: Engine) -> DataFrame:
    """Count the invalid lines and the damage of each raw file by reason.

    Args:
        bad_lines: Columns dt, file (its name), line and reason; damage has no line.
        engine: Engine that runs it.

    Returns:
        Columns dt, file, reason, lines, damages; the lines include the damages.
    """
    f = engine.functions
    damages = f.sum(f.when(f.col("line").isNull(), f.lit(1)).otherwise(f.lit(0)))
    lines = f.count("*").alias("lines")
    return bad_lines.groupBy("dt", "file", "reason").agg(lines, damages.alias("damages"))
