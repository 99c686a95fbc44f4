"""Events as the reader of every engine returns them.

Scope: the contract of the events frame, and which events are duplicates. How lines of a format are
read is up to each engine.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ds_assets.core.attribute_texts import is_long
from ds_assets.core.engine import DataFrame, Engine, plan_once
from ds_assets.core.local_clock import AFTER_SET_BACK, sets_clock_back
from ds_assets.core.schema import Column, Table
from ds_assets.core.user_ids import NULL_USER_IDS
from ds_assets.game import Game

MAX_NUMBER = 10**15
"""A larger number is an error in the log, and sums would no longer be exact."""
NOTHING = ""
"""Reason of a line without content, such as a header: neither an event nor quarantined."""

NOT_TEXT = "not text: bad UTF-8 or longer than 1 MiB"
"""Reason of a line that cannot be read."""

NO_USER_ID = "no user id"
"""Reason of a line without a user."""

NULL_EVENT_IDS = (*NULL_USER_IDS, "0", "0.0", "00000000-0000-0000-0000-000000000000")
"""What programs write in place of an event id that they do not have, in lower case."""

DUPLICATE = "duplicate"
"""Reason of an event that repeats another one: counted, but neither an event nor quarantined."""

LEFT_OUT = "left out"
"""Reason of a line that a rule of the game file leaves out, likewise."""

NO_FAULTS = (NOTHING, DUPLICATE, LEFT_OUT)
"""Reasons of lines that are not quarantined."""


MAX_TYPES = 50
"""Event types with lines in quarantine that are counted on a day: those with the most."""
MAX_TYPE_LENGTH = 100
"""Length of an event type in characters; a longer text is taken for a fault of the line."""


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
"""Of events with one key, the first in this order is kept."""


_AFTER_SET_BACK = Column(
    AFTER_SET_BACK, "boolean", "Whether the clock had been set back on that day.", True
)


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
            *([_AFTER_SET_BACK] if sets_clock_back(game) else []),
            Column("event_date", "date", "Day on which it happened.", True),
            Column("event_type", "text", "What happened.", True),
            Column("event_key", "integer", "Hash of its id and its user; null without id.", True),
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


@plan_once
def repeated_keys(events: DataFrame, earlier: DataFrame, engine: Engine) -> DataFrame:
    """Find event keys that occur more than once.

    Args:
        events: The events frame.
        earlier: Columns dt and event_key: keys of the frame that also arrived on other days.
        engine: Engine that runs it.

    Returns:
        Column event_key, each once.
    """
    f = engine.functions
    counts = _identified(events, f).groupBy("event_key").agg(f.count("*").alias("times"))
    repeated = counts.where(f.col("times") > 1).select("event_key")
    return repeated.union(earlier.select("event_key")).distinct()


@plan_once
def duplicates(
    events: DataFrame, repeated: DataFrame, earlier: DataFrame, days: int, engine: Engine
) -> DataFrame:
    """Find the rows that repeat an event.

    Of the events with a key on an arrival day the earliest is not a duplicate, unless the key
    arrived within so many days before.

    Args:
        events: The events frame.
        repeated: What `repeated_keys` returned: a separate frame, so that of the many events
            without a copy only the key is read.
        earlier: As for `repeated_keys`.
        days: Number of days.
        engine: Engine that runs it.

    Returns:
        Columns dt, file, line: the rows whose reason is `DUPLICATE`.
    """
    f, window = engine.functions, engine.window
    shared = _identified(events, f).join(repeated, ["event_key"], "left_semi")
    arrivals = shared.select("dt", "event_key").union(earlier.select("dt", "event_key")).distinct()
    previous = f.lag("dt").over(window.partitionBy("event_key").orderBy("dt"))
    arrivals = arrivals.withColumn("previous", previous)
    is_again = f.datediff(f.col("dt"), f.col("previous")) <= days
    again = arrivals.where(is_again).select("dt", "event_key", f.lit(1).alias("again"))
    order = window.partitionBy("dt", "event_key").orderBy(*_ORDER)
    ranked = shared.withColumn("copy", f.row_number().over(order))
    marked = ranked.join(again, ["dt", "event_key"], "left")
    is_duplicate = (f.col("copy") > 1) | f.col("again").isNotNull()
    return marked.where(is_duplicate).select("dt", "file", "line")


@plan_once
def event_ids(events: DataFrame, probe: int, engine: Engine) -> DataFrame:
    """Collect the keys of the events that arrived on each day, duplicates among them.

    They depend on the day's own events only, so that a change of one day never spreads over all
    days after it.

    Args:
        events: The events frame.
        probe: Hash of a fixed text; see `EVENT_IDS`.
        engine: Engine that runs it.

    Returns:
        dt and the columns of `EVENT_IDS`.
    """
    f = engine.functions
    is_event = f.col("reason").isNull() | (f.col("reason") == DUPLICATE)
    keys = events.where(is_event & f.col("event_key").isNotNull()).select("dt", "event_key")
    return keys.distinct().withColumn("probe", f.lit(probe))


@plan_once
def find_repeating_days(
    before: DataFrame, after: DataFrame, later: DataFrame, days: int, engine: Engine
) -> DataFrame:
    """Find the days that repeat events which an earlier day no longer has, or did not have before.

    Args:
        before: The keys of some days as they were: columns dt, event_key.
        after: The keys of these days as they are now.
        later: The keys of days that were read before now.
        days: Days over which an id identifies an event.
        engine: Engine that runs it.

    Returns:
        Columns changed, repeated: pairs of days, each once.
    """
    f, key = engine.functions, ["dt", "event_key"]
    old, new = before.select(*key), after.select(*key)
    differing = old.join(new, key, "left_anti").union(new.join(old, key, "left_anti"))
    changed = differing.select(f.col("dt").alias("changed"), "event_key")
    repeated = later.select(f.col("dt").alias("repeated"), "event_key")
    gap = f.datediff(f.col("repeated"), f.col("changed"))
    pairs = repeated.join(changed, ["event_key"]).withColumn("gap", gap)
    is_within = (f.col("gap") > 0) & (f.col("gap") <= days)
    return pairs.where(is_within).select("changed", "repeated").distinct()


def _identified(events: DataFrame, f: Any) -> DataFrame:
    return events.where(f.col("reason").isNull() & f.col("event_key").isNotNull())


@plan_once
def count_lines(events: DataFrame, game: Game, engine: Engine) -> DataFrame:
    """Count the lines of each raw file by reason.

    Args:
        events: The events frame.
        game: Declares the attributes.
        engine: Engine that runs it.

    Returns:
        Columns dt, file, reason, lines, changed_user_ids, cut_texts.
    """
    f = engine.functions
    texts = [name for name, kind in game.attributes.items() if kind.type == "text"]

    def count(conditions: Iterable[Any]) -> Any:
        ones = (f.when(condition, f.lit(1)).otherwise(f.lit(0)) for condition in conditions)
        return f.sum(sum(ones, f.lit(0)))

    return events.groupBy("dt", "file", "reason").agg(
        f.count("*").alias("lines"),
        count([f.col("user_id_changed")]).alias("changed_user_ids"),
        count(is_long(f, f.col(f"attribute_{name}")) for name in texts).alias("cut_texts"),
    )


@plan_once
def count_lines_by_type(events: DataFrame, game: Game, engine: Engine) -> DataFrame:
    """Count the lines of each event type that has lines in quarantine, as far as types are read.

    Args:
        events: The events frame.
        game: Names the types that are counted first.
        engine: Engine that runs it.

    Returns:
        Columns dt, event_type, reason, lines: all lines of up to `MAX_TYPES` types per day; reason
        is null for events.
    """
    f, key = engine.functions, ["dt", "event_type"]
    typed = events.where(f.length("event_type").between(1, MAX_TYPE_LENGTH))
    bad = typed.where(~f.col("reason").isin(*NO_FAULTS)).groupBy(*key).agg(f.count("*").alias("n"))
    named = [name for types in game.event_types.values() for name in types]
    is_other = ~f.col("event_type").isin(*named) if named else f.lit(True)
    by_weight = engine.window.partitionBy("dt").orderBy("is_other", f.desc("n"), "event_type")
    ranked = bad.withColumn("is_other", is_other).withColumn("rank", f.row_number().over(by_weight))
    chosen = ranked.where(f.col("rank") <= MAX_TYPES).select(*key)
    is_line = f.col("reason").isNull() | ~f.col("reason").isin(NOTHING, LEFT_OUT)
    lines = typed.where(is_line).join(chosen, key, "left_semi")
    return lines.groupBy(*key, "reason").agg(f.count("*").alias("lines"))


@plan_once
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
