"""Events as lines of JSON text, a whole table at a time.

Scope: valid and broken lines. Text is joined column by column from prepared pieces, because writing
one line at a time in Python could not keep up with the game.
"""

import datetime as dt
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.simulate.events import (
    DAY_MS,
    FIRST_BROKEN,
    Events,
    EventType,
    Ints,
    Kind,
    properties,
)
from ds_assets.simulate.mess import MAX_DAYS_AHEAD, MAX_DAYS_LATE
from ds_assets.simulate.world import CHANNELS, COUNTRIES, World

_PLATFORMS = ("android", "ios")
_BREAK = {
    Kind.BROKEN_NO_USER_ID: (rb'"user":\{"id":"[^"]*",', b'"user":{'),
    Kind.BROKEN_NO_TIME: (rb'"ts":"[^"]*",', b""),
    Kind.BROKEN_GARBAGE_TIME: (rb'"ts":"[^"]*"', b'"ts":"yesterday"'),
    Kind.BROKEN_WRONG_TYPE: (rb'"user":\{[^}]*\}', b'"user":[17]'),
}


def user_ids(users: int) -> Any:
    """Ids of the accounts, a pyarrow array in their order."""
    numbers = pc.cast(pa.array(np.arange(users)), pa.string())
    return pc.binary_join_element_wise("u", pc.utf8_lpad(numbers, 7, "0"), "")


class LineWriter:
    """Turns events into lines; holds what the lines say of each user, O(users)."""

    def __init__(self, world: World) -> None:
        self._start = world.start
        self._users = _user_pieces(world)

    def text(self, rows: Events, arrival_day: int) -> Any:
        """The lines of `rows`, each with its line end: a pyarrow buffer of UTF-8 text."""
        lines = self._lines(rows, arrival_day)
        broken = rows["kind"] >= FIRST_BROKEN
        if broken.any():
            bad = [
                _break(line, row["kind"], row["id"])
                for line, row in zip(
                    lines.filter(pa.array(broken)).to_pylist(), rows[broken], strict=True
                )
            ]
            lines = pc.replace_with_mask(lines, pa.array(broken), pa.array(bad, pa.binary()))
        return _text(lines)

    def _lines(self, rows: Events, arrival_day: int) -> Any:
        day, ms = np.divmod(rows["ts"], DAY_MS)
        second, ms = np.divmod(ms, 1000)
        kind = rows["type"].astype(np.int64)
        details, first_detail = _details()
        return pc.binary_join_element_wise(
            b'{"id":"e',
            pc.cast(pc.cast(pa.array(rows["id"]), pa.string()), pa.binary()),
            self._dates(arrival_day).take(pa.array(day - arrival_day + MAX_DAYS_LATE)),
            _seconds().take(pa.array(second)),
            _types().take(pa.array(kind * 1000 + ms)),
            self._users.take(pa.array(rows["user"])),
            pc.cast(pc.cast(pa.array(rows["level"]), pa.string()), pa.binary()),
            details.take(pa.array(first_detail[kind] + rows["detail"])),
            _ends().take(pa.array(rows["app"] * (1 + rows["user"] % len(_PLATFORMS)))),
            b"",
        )

    def _dates(self, arrival_day: int) -> Any:
        """A piece for each date that an event arriving on that day can have."""
        dates = range(arrival_day - MAX_DAYS_LATE, arrival_day + MAX_DAYS_AHEAD + 1)
        return _pieces(f'","ts":"{self._start + dt.timedelta(day):%Y-%m-%d}T' for day in dates)


@cache
def _seconds() -> Any:
    return _pieces(
        f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}." for second in range(86_400)
    )


@cache
def _types() -> Any:
    """A piece for each type and each millisecond of a second."""
    return _pieces(
        f'{ms:03}Z","type":"{event_type.name.lower()}","user":{{"id":"'
        for event_type in EventType
        for ms in range(1000)
    )


@cache
def _details() -> tuple[Any, Ints]:
    """A piece for each detail of each type, and where each type's pieces begin."""
    texts = [properties(event_type) for event_type in EventType]
    pieces = _pieces(f'}},"props":{text}' for of_type in texts for text in of_type)
    return pieces, np.cumsum([0, *map(len, texts)])[:-1]


@cache
def _ends() -> Any:
    """A piece without the new fields, and one with them for each platform."""
    new = (f',"app":{{"version":"2.0.0","platform":"{platform}"}}}}\n' for platform in _PLATFORMS)
    return _pieces(["}\n", *new])


def _user_pieces(world: World) -> Any:
    ends = _pieces(
        f'","country":"{country}","channel":"{channel}","level":'
        for country in COUNTRIES
        for channel in CHANNELS
    )
    which = world.country * len(CHANNELS) + world.channel
    ids = pc.cast(user_ids(world.users), pa.binary())
    return pc.binary_join_element_wise(ids, ends.take(pa.array(which)), b"")


def _pieces(texts: Iterable[str]) -> Any:
    return pa.array([text.encode() for text in texts], pa.binary())


def _text(lines: Any) -> Any:
    """The bytes of all lines, without a copy: Arrow keeps them one after another."""
    _, offsets, text = lines.buffers()
    bounds = np.frombuffer(offsets, np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return text[int(bounds[0]) : int(bounds[-1])]


def _break(line: bytes, kind: int, number: int) -> bytes:
    if kind == Kind.BROKEN_TRUNCATED:
        return line[: len(line) // 3 + number % (len(line) // 2)] + b"\n"
    pattern, replacement = _BREAK[Kind(kind)]
    return re.sub(pattern, replacement, line)
