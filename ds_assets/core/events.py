"""Events as every engine's reader delivers them, and what is done with them before counting.

Belongs here: the contract of the events frame, and the removal of duplicates.
Does not belong here: how lines of a format are read; that is each engine's own.
"""

from ds_assets.core.engine import DataFrame, Engine
from ds_assets.core.tables import Column, Table
from ds_assets.game import Game

LONGEST_USER_ID = 191
LARGEST_NUMBER = 10**15
"""Beyond it a number is a fault, and sums would no longer be exact."""
NOTHING = ""
"""Reason of a line that holds nothing, as a blank one or a header: neither event nor quarantine."""

_ORDER = ("event_time", "user_id", "file", "line")  # in which the first of two copies stays


def events_table(game: Game) -> Table:
    """The events frame: a row a line of the raw files, also of those that are not valid."""
    return Table(
        "events",
        (
            Column("dt", "date", "Arrival day: the partition of the raw file."),
            Column("file", "integer", "Number of the raw file in this reading."),
            Column("line", "integer", "Row of the line, ascending within a file."),
            Column("reason", "text", "Why the line is not valid; none for a valid one.", True),
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


def duplicates(events: DataFrame, engine: Engine) -> DataFrame:
    """Rows that repeat an event id of the same arrival day; the earliest event is no duplicate.

    Ids are compared by hash first, which is cheap, and in full only where hashes meet. An empty id
    is no id.

    Args:
        events: The events frame.
        engine: Engine that runs it.

    Returns:
        Columns dt, file, line: the rows to leave out.
    """
    f = engine.functions
    named = events.where(f.col("reason").isNull() & (f.col("event_id") != ""))
    mark = f.hash("event_id")
    # A scan of its own, so that nothing but hashes is held of the many events that are no repeats.
    marks = named.select(f.col("dt").alias("day"), mark.alias("shared"))
    repeated = marks.groupBy("day", "shared").agg(f.count("*").alias("times"))
    repeated = repeated.where(f.col("times") > 1)
    marked = named.select(*_ORDER, "dt", "event_id", mark.alias("mark"))
    same = (f.col("dt") == f.col("day")) & (f.col("mark") == f.col("shared"))
    order = engine.window.partitionBy("dt", "event_id").orderBy(*_ORDER)
    ranked = marked.join(repeated, same).withColumn("copy", f.row_number().over(order))
    return ranked.where(f.col("copy") > 1).select("dt", "file", "line")


def counts(lines: DataFrame, engine: Engine) -> DataFrame:
    """Lines of each arrival day by reason, of a frame that has dt and reason.

    Returns:
        Columns dt, reason, lines.
    """
    return lines.groupBy("dt", "reason").agg(engine.functions.count("*").alias("lines"))


def without(events: DataFrame, rows: DataFrame) -> DataFrame:
    """Events but for some rows, given as dt, file and line."""
    return events.join(rows, ["dt", "file", "line"], "left_anti")
