"""Loads: HTTP requests to a server, and commands to Redis, over many connections at once.

Scope: wrk and redis-benchmark, and their output.
"""

import csv
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from ds_assets.local_servers.install import path_of

CONNECTIONS = 50
FEWER_CONNECTIONS = 10
"""For what takes a server so long that it would refuse more at once."""
_SCRIPT = Path(__file__).with_name("load.lua")
_TIMEOUT_SECONDS = 20
_SETTLE_SECONDS = 2
_TRIALS = 2
"""Loads that only find out for how long connections have to pause."""


@dataclass(frozen=True)
class Target:
    """What is asked.

    Attributes:
        url: Address; of a GET, that of the server.
        method: How.
        requests: File that has on each line a body or, for a GET, a path.
        key: API key; none where there is none.
        connections: From how many it is asked at once.
    """

    url: str
    method: Literal["GET", "POST"]
    requests: Path
    key: str | None = None
    connections: int = CONNECTIONS


@dataclass(frozen=True)
class Load:
    """How a server bore it.

    Attributes:
        requests: How many were answered.
        rate: As many a second.
        p50_ms: Time that half of the requests took at most.
        p99_ms: The same of 99 in 100.
    """

    requests: int
    rate: float
    p50_ms: float
    p99_ms: float


def saturate(target: Target, seconds: float) -> Load:
    """Ask as fast as there are answers: each connection asks again at once.

    Raises:
        ValueError: a request failed.
    """
    return _wrk(target, seconds, {})


def ask_at(target: Target, rate: float, seconds: float) -> Load:
    """Ask at about a rate, at random times.

    A time counts from when a request is sent. Answers that hold up the requests after them are
    counted as wrk does: as if those had been sent all the same.

    Args:
        target: What is asked.
        rate: Requests a second, which are fewer than the server can answer.
        seconds: How long.

    Raises:
        ValueError: a request failed.
    """
    round_trip = target.connections / rate
    pause = round_trip
    for _ in range(_TRIALS):
        load = _wrk(target, _SETTLE_SECONDS, _pausing(pause))
        pause = max(0.0, pause + round_trip - target.connections / load.rate)
    return _wrk(target, seconds, _pausing(pause))


def _pausing(seconds: float) -> dict[str, str]:
    return {"PAUSE_MS": f"{1e3 * seconds:.3f}"}


def _wrk(target: Target, seconds: float, more: Mapping[str, str]) -> Load:
    options = ("-t", "1", "-c", str(target.connections), "-d", f"{max(1, round(seconds))}s")
    limit = ("--timeout", f"{_TIMEOUT_SECONDS}s")
    environment = {"METHOD": target.method, "REQUESTS": str(target.requests), **more}
    if target.key is not None:
        environment["API_KEY"] = target.key
    done = subprocess.run(
        [path_of("wrk"), *options, *limit, "-s", str(_SCRIPT), target.url],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    summary = json.loads(done.stdout.splitlines()[-1])
    if summary["failed"] or not summary["requests"]:
        raise ValueError(
            f"{target.url}: {summary['failed']} of {summary['requests']} requests failed"
        )
    requests, rate = summary["requests"], summary["requests"] / summary["seconds"]
    return Load(requests, rate, summary["p50_ms"], summary["p99_ms"])


def redis_rate(url: str, command: Sequence[str], requests: int, keys: int) -> float:
    """Commands a second that Redis does, each sent when the one before is answered.

    Args:
        url: Address of the server.
        command: The command; a number of 12 digits below `keys` stands for each `__rand_int__`.
        requests: How many.
        keys: How many numbers there are.
    """
    parts = urlsplit(url)
    server = ("-h", str(parts.hostname), "-p", str(parts.port), "-a", str(parts.password))
    options = ("-c", str(CONNECTIONS), "-n", str(requests), "-r", str(keys), "--csv")
    done = subprocess.run(
        [path_of("redis-benchmark"), *server, *options, *command],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    *_, (_title, rate, *_) = csv.reader(done.stdout.splitlines())
    return float(rate)
