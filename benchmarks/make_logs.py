"""Make event logs for the benchmarks: `python make_logs.py EVENTS DAYS OUT`.

Writes `OUT/dt=YYYY-MM-DD/events.jsonl.gz` for DAYS days from 2026-01-01, EVENTS events in total,
the same bytes for the same arguments. The logs are clean: no broken line, duplicate or late event,
and times in UTC. An event:

    {"id":"e000000017","ts":"2026-01-01T12:34:56Z","type":"battle",
     "user":{"id":"u001234","country":"KR","level":12},"props":{"minutes":7}}

A purchase has an `amount` instead of `props`; a chat line has no `level`. There are 32 users per
1,000 events. A visit is a `session_start` and some more events within two hours; a few visits began
on the day before and have no start. The number of visits per user is heavy-tailed: most users come
once or twice, a few many times a day.
"""

import argparse
import datetime as dt
import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from isal import igzip
from numpy.typing import NDArray

FIRST_DAY = dt.date(2026, 1, 1)
USERS_PER_EVENT = 0.032
EVENTS_PER_VISIT = 8
VISIT_SECONDS = 7_200
BEGAN_THE_DAY_BEFORE = 0.03
LEAST_WEIGHT, MAX_WEIGHT = 0.02, 60.0
TYPES = ("session_start", "battle", "stage_clear", "chat", "purchase")
SESSION_START, CHAT, PURCHASE = 0, 3, 4
SHARES = (0.0, 0.55, 0.3, 0.13, 0.02)  # of the events that start no session
COUNTRIES = ("KR", "JP", "US", "DE", "BR")
PRICES = ("0.99", "1.99", "4.99", "9.99", "49.99")

Ints = NDArray[np.int64]


def visits_of_a_day(
    day: int, days: int, events: int, weights: NDArray[np.float64], random: np.random.Generator
) -> Ints:
    """Users of the day's visits: some of them so that every user comes at least once."""
    users = len(weights)
    visits = max(events // EVENTS_PER_VISIT, 1)
    once = np.arange(day, users, days)
    more = random.random(max(visits - len(once), 0)) * weights[-1]
    return random.permutation(np.concatenate([once, np.searchsorted(weights, more)])[:events])


def make_day(day: int, visitors: Ints, events: int, random: np.random.Generator) -> dict[str, Ints]:
    """The day's events by time: user, second of the day, type, level, minutes, price."""
    visits = len(visitors)
    visit = np.concatenate([np.arange(visits), random.integers(0, visits, events - visits)])
    first = np.arange(events) < visits
    start = random.integers(0, 86_400 - VISIT_SECONDS, visits)
    second = start[visit] + np.where(first, 0, random.integers(1, VISIT_SECONDS, events))
    order = np.argsort(second, kind="stable")
    starts = first & (random.random(events) >= BEGAN_THE_DAY_BEFORE)
    kind = np.where(starts, SESSION_START, random.choice(len(TYPES), events, p=SHARES))
    user = visitors[visit]
    level = 1 + user % 40 + day * (user % 3)  # once a day, so that no two events contradict
    return {
        "user": user[order],
        "second": second[order],
        "kind": kind[order],
        "level": level[order],
        "minutes": random.integers(0, 30, events),
        "price": random.choice(len(PRICES), events, p=(0.4, 0.25, 0.2, 0.1, 0.05)),
    }


def pieces(texts: list[str], which: Ints) -> Any:
    """The text of each event, taken from ready-made ones."""
    return pa.array(texts).take(pa.array(which))


def numbers(values: Ints, width: int = 0) -> Any:
    """Numbers as text, with leading zeros up to `width`."""
    return pc.utf8_lpad(pc.cast(pa.array(values), pa.string()), width, "0")


def lines_of_a_day(date: dt.date, first_id: int, day: dict[str, Ints]) -> Any:
    """The day's lines, each with its line end, as an Arrow array."""
    hour, minute, second = (
        numbers(part, 2)
        for part in (day["second"] // 3600, day["second"] // 60 % 60, day["second"] % 60)
    )
    is_purchase, is_chat = day["kind"] == PURCHASE, day["kind"] == CHAT
    level = pc.if_else(pa.array(is_chat), "null", numbers(day["level"]))
    countries = [f'","country":"{country}","level":' for country in COUNTRIES]
    paid = [f'}},"amount":{price}}}\n' for price in PRICES]
    played = [f'}},"props":{{"minutes":{minutes}}}}}\n' for minutes in range(30)]
    end = np.where(is_purchase, day["price"], len(paid) + day["minutes"])
    types = [f'Z","type":"{name}","user":{{"id":"u' for name in TYPES]
    return pc.binary_join_element_wise(
        '{"id":"e',
        numbers(first_id + np.arange(len(end)), 9),
        f'","ts":"{date}T',
        pc.binary_join_element_wise(hour, minute, second, ":"),
        pieces(types, day["kind"]),
        numbers(day["user"], 6),
        pieces(countries, day["user"] % len(COUNTRIES)),
        level,
        pieces([*paid, *played], end),
        "",
    )


def text_of(lines: Any) -> memoryview:
    """The bytes of all lines, without a copy: Arrow keeps them one after another."""
    return memoryview(lines.buffers()[2])


def make_logs(events: int, days: int, out: Path) -> int:
    """Write the logs; returns the number of users."""
    random = np.random.default_rng(2026)
    users = max(int(events * USERS_PER_EVENT), 1)
    weights = np.cumsum(np.clip(random.pareto(1.0, users), LEAST_WEIGHT, MAX_WEIGHT))
    bounds = np.linspace(0, events, days + 1).astype(int)
    for day, (begin, end) in enumerate(pairwise(bounds)):
        size = int(end - begin)
        visitors = visits_of_a_day(day, days, size, weights, random)
        date = FIRST_DAY + dt.timedelta(days=day)
        lines = lines_of_a_day(date, int(begin), make_day(day, visitors, size, random))
        folder = out / f"dt={date}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "events.jsonl.gz").write_bytes(igzip.compress(text_of(lines), 1, mtime=0))
    return users


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("events", type=int)
    parser.add_argument("days", type=int)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    started = time.perf_counter()
    users = make_logs(arguments.events, arguments.days, arguments.out)
    seconds = round(time.perf_counter() - started, 3)
    print(json.dumps({"seconds": seconds, "events": arguments.events, "users": users}))


if __name__ == "__main__":
    main()
