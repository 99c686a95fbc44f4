"""The rules for the time of a log line, as DuckDB SQL.

Scope: from the text of a time to the time on the game's clock, and the reason why it is invalid.
"""

import datetime as dt

from ds_assets.core.local_clock import set_back_months, sets_clock_back
from ds_assets.game import Game
from ds_assets.infra.engines.sql import literal
from ds_assets.time_formats import ISO, TICKS_PER_SECOND

_EARLIEST = dt.date(2000, 1, 1)
"""Earlier times are faults of a clock, unless the game is older."""
_IMPOSSIBLE_OFFSET = ":[0-9.]+ ?[+-](1[5-9]|[2-9][0-9])"
"""Regular expression of a time with an offset of 15 hours or more, which DuckDB accepts."""


def parsing_zone(game: Game) -> str:
    """The zone of times that name none; DuckDB's zone while lines are read."""
    return game.logs.times_without_zone or game.time_zone


def instant(game: Game) -> str:
    """Return the SQL of the event's instant, with a zone; null for an invalid one."""
    time_format = game.logs.time_format
    if time_format == ISO:
        return f"""CASE WHEN NOT ends_with(text_event_time, 'Z')
            AND regexp_matches(text_event_time, {literal(_IMPOSSIBLE_OFFSET)}) THEN NULL
            ELSE try_cast(text_event_time AS TIMESTAMPTZ) END"""
    if time_format in TICKS_PER_SECOND:
        return f"try(timezone('UTC', {_epoch(game)}))"
    moment = f"try_strptime(text_event_time, {literal(time_format)})"
    return f"try(CAST({moment} AS TIMESTAMPTZ))"


def with_instant(source: str, game: Game) -> str:
    """Return the query of lines with what `local_time` needs, from that of a reader.

    In a zone that sets the clock back that is the column `instant`.
    """
    if not sets_clock_back(game):
        return source
    return f"SELECT *, {instant(game)} AS instant FROM ({source})"


def local_time(game: Game) -> str:
    """Return the SQL of the local time of lines `with_instant`; null for an invalid one."""
    if sets_clock_back(game):
        return _on_the_clock("instant", game)
    if game.logs.time_format == ISO:
        return _local_iso(game)
    if game.time_zone == "UTC" and game.logs.time_format in TICKS_PER_SECOND:
        return _epoch(game)
    return _on_the_clock(instant(game), game)


def after_set_back(game: Game) -> str:
    """Return the SQL of whether the clock had been set back on the date before the event.

    It had, if the clock was further ahead of UTC at noon of the day before.
    """
    noon = "(CAST(event_time AS DATE) - INTERVAL 12 HOUR)"
    zone, months = literal(game.time_zone), ", ".join(map(str, set_back_months(game.time_zone)))
    ahead = f"epoch_us({noon}) - epoch_us(timezone({zone}, {noon}))"
    is_behind = f"epoch_us(event_time) - epoch_us(instant) < {ahead}"
    return f"CASE WHEN month(event_time) IN ({months}) THEN try({is_behind}) ELSE false END"


def _local_iso(game: Game) -> str:
    # A cast to TIMESTAMP ignores the offset; TIMESTAMPTZ applies it, but takes three times as long.
    local = _on_the_clock("try_cast(text_event_time AS TIMESTAMPTZ)", game)
    utc = "try_cast(text_event_time AS TIMESTAMP)" if game.time_zone == "UTC" else local
    return f"""CASE WHEN ends_with(text_event_time, 'Z') THEN {utc}
        WHEN regexp_matches(text_event_time, {literal(_IMPOSSIBLE_OFFSET)}) THEN NULL
        ELSE {local} END"""


def _epoch(game: Game) -> str:
    """Return the SQL of the time in UTC that a number stands for."""
    ticks = TICKS_PER_SECOND[game.logs.time_format]
    number = f"try_cast(text_event_time AS DOUBLE) * {1_000_000 / ticks!r}"
    return f"try(make_timestamp(CAST({number} AS BIGINT)))"


def _on_the_clock(moment: str, game: Game) -> str:
    """Return the SQL of the time that the game's clock shows at an instant; null if it has none.

    An instant near either end of the range has none, which `try_cast` does not catch.
    """
    if parsing_zone(game) == game.time_zone:
        return f"try(CAST({moment} AS TIMESTAMP))"
    return f"try(timezone({literal(game.time_zone)}, {moment}))"


def earliest_date(game: Game) -> dt.date:
    """First date of a possible event; an old game's may be a year before its logs begin."""
    a_year_before = dt.date.fromordinal(max(1, game.first_day.toordinal() - 365))
    return min(_EARLIEST, a_year_before)


def wrong_time(game: Game) -> list[tuple[str, str]]:
    """Return the SQL of each test of an invalid time, with the reason."""
    earliest = earliest_date(game)
    return [
        ("text_event_time IS NULL", "no time"),
        ("event_time IS NULL OR NOT isfinite(event_time)", "an impossible time"),
        (
            f"event_time < DATE '{earliest}'",
            f"dated before {earliest}, the earliest possible date of this game",
        ),
        (f"event_time > {_latest(game)}", "dated after its arrival day"),
    ]


def _latest(game: Game) -> str:
    """Return the SQL of the latest valid time of an event of an arrival day."""
    return f"dt + INTERVAL {24 * 60 + game.clock_skew_minutes} MINUTE"
