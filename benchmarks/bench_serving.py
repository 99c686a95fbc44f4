"""How fast the API answers, compared with Redis alone and with servers that do the same.

A day of 200,000 users, all of them cached in Redis, and one worker with every feature switched on.
Loads come from 50 connections and share the machine with the worker and Redis, and so does the load
of each control. Each round measures everything, ours and its control one after the other.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, chdir
from unittest import mock

from benchmarks.api import SIZES, Api, installed
from benchmarks.loads import Target, ask_at, redis_rate, saturate
from benchmarks.measuring import (
    Circumstances,
    Measured,
    environment_of_a_child,
    run_child,
    say,
    values,
)
from benchmarks.peers import MODELS, are_installed, peers
from benchmarks.report import Goal, Row, absolute, not_run, ratio
from benchmarks.served_day import COPY, fill, made_day
from benchmarks.servers import cpu_seconds, resident_mb, workers_of
from ds_assets.local_servers.redis import RedisServer

USERS = 200_000
SECONDS = 5.0
"""Of each load."""
CALM = 0.7
"""Share of a server's capacity at which latency is measured."""
COMMANDS = {1: 300_000, 100: 15_000}
"""Of Redis alone, by the users of each."""

SHARE_OF_REDIS = Goal(comparison=">=", limit=0.3)
SHARE_OF_WEBDIS = Goal(comparison=">=", limit=0.8)
MAX_MS = Goal(comparison="<=", limit=5)
MAX_TAIL, MAX_OF_MANY = Goal(comparison="<=", limit=3), Goal(comparison="<=", limit=4)
OF_ONNX = Goal(comparison="<=", limit=3)
MAX_PLAIN_US, MAX_US = Goal(comparison="<=", limit=100), Goal(comparison="<=", limit=500)
TEN, THIRTY = Goal(comparison=">=", limit=10), Goal(comparison=">=", limit=30)
MAX_MB = Goal(comparison="<=", limit=250)
MAX_START_SECONDS = Goal(comparison="<=", limit=3)
FEW = Goal(comparison="<=", limit=0.001)
"""All did the same work; in a moment in which nothing runs, Redis is given up for an answer."""
BOTH = Goal(comparison=">=", limit=1.7)
SCALED = {"get": "GET", "post_100": "POST of 100", "score_100": "100 users scored"}
"""What two workers are asked. Of the last they do all the work themselves; of the others wrk and
Redis do a part, which on two cores leaves less than two for them."""
PEERS = {
    "feast": ("Feast's server, with Redis", THIRTY),
    "bentoml": ("BentoML's server, of scikit-learn", TEN),
    "bentoml_onnx": ("BentoML's server, of one ONNX file", None),
    "mlflow": ("MLflow's server, of scikit-learn", THIRTY),
    "mlflow_onnx": ("MLflow's server, of one ONNX file", None),
}


Targets = Mapping[str, Target]


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure.

    Raises:
        ValueError: a request failed.
    """
    day = made_day(USERS, circumstances)
    scratch, rounds = circumstances.scratch, []
    clean = mock.patch.dict(os.environ, environment_of_a_child(os.environ), clear=True)
    with chdir(scratch), clean, ExitStack() as stack:  # a folder without a file of settings
        cache = stack.enter_context(RedisServer(scratch / "redis"))
        say("  filling Redis")
        fill(cache.url, day)
        ours, others = installed(scratch / "ours", day, cache.url), dict[str, Target]()
        if are_installed():
            others = stack.enter_context(peers(scratch / "peers", day, cache.url))
        for number in range(circumstances.repetitions):
            folder = circumstances.round(number)
            folder.mkdir()
            measured = _with_one_worker(Api(ours, folder / "one"), cache.url, others)
            measured |= _with_two_workers(Api(ours, folder / "two", workers=2))
            rounds.append(measured | run_child("subjects.live_score", [day.folder], folder))
            say(f"  round {number + 1}  {json.dumps(rounds[-1])}")
    return [*_rows(rounds), *_rows_of_peers(rounds), *_rows_of_the_process(rounds)]


def _with_one_worker(api: Api, redis_url: str, others: Targets) -> Measured:
    began = time.perf_counter()
    with api:
        measured = {"start": time.perf_counter() - began}
        for size, name, command in ((1, "get", "GET"), (100, "post_100", "MGET")):
            measured[command] = _redis_alone(redis_url, command, size)
            measured |= _in_full_and_calm(name, api.target(name))
            measured |= _in_full(others, [f"feast_{size}", f"webdis_{size}"])
        measured |= _in_full_and_calm("post_1", api.target("post_1"))
        for size in SIZES:
            name = f"score_{size}"
            measured[name] = saturate(api.target(name), SECONDS).rate
            measured |= _in_full(others, [f"{other}_{size}" for other in MODELS])
        measured |= _of_workers("one", api)
        measured["memory"] = max(map(resident_mb, workers_of(api)))
        measured["elsewhere"] = api.elsewhere()
    return measured


def _with_two_workers(api: Api) -> Measured:
    with api:
        return _of_workers("two", api)


def _redis_alone(url: str, command: str, size: int) -> float:
    """Values a second that Redis gives, so many at once."""
    keys = [f"{COPY}__rand_int__"] * size
    return size * redis_rate(url, (command, *keys), COMMANDS[size], USERS)


def _in_full(targets: Targets, names: Sequence[str]) -> Measured:
    """Requests a second that servers can do, of those that are there."""
    present = [name for name in names if name in targets]
    return {name: saturate(targets[name], SECONDS).rate for name in present}


def _in_full_and_calm(name: str, target: Target) -> Measured:
    """Requests a second that a server can do, and milliseconds that they take at less."""
    most = saturate(target, SECONDS).rate
    calm = ask_at(target, CALM * most, SECONDS)
    return {name: most, f"{name}_p50": calm.p50_ms, f"{name}_p99": calm.p99_ms}


def _of_workers(name: str, api: Api) -> Measured:
    """Requests a second that workers can do, and processor time that one takes."""
    measured: Measured = {}
    for what in SCALED:
        used = cpu_seconds(workers_of(api))
        load = saturate(api.target(what), SECONDS)
        used = cpu_seconds(workers_of(api)) - used
        measured |= {f"{name}_{what}": load.rate, f"{name}_{what}_cpu": used / load.requests}
    return measured


def _rows(rounds: Sequence[Measured]) -> Iterator[Row]:
    """Users who are in Redis."""
    single, many = values(rounds, "get"), [100 * rate for rate in values(rounds, "post_100")]
    get, mget = values(rounds, "GET"), values(rounds, "MGET")
    tail, of_many, of_one = (
        values(rounds, f"{name}_p99") for name in ("get", "post_100", "post_1")
    )
    half = values(rounds, "get_p50")
    share = f"at {CALM:.0%}"
    yield ratio("GET: predictions a second", single, "redis-benchmark, GET", get, SHARE_OF_REDIS)
    yield absolute(f"GET {share}: p99", tail, "ms", MAX_MS)
    yield ratio(f"GET {share}: p99", tail, "its p50", half, MAX_TAIL)
    control = "redis-benchmark, MGET of 100"
    yield ratio("POST of 100: predictions a second", many, control, mget, SHARE_OF_REDIS)
    yield ratio(f"POST of 100 {share}: p99", of_many, "that of 1", of_one, MAX_OF_MANY)


def _rows_of_peers(rounds: Sequence[Measured]) -> Iterator[Row]:
    yield _peer_row(
        rounds,
        "GET: predictions a second",
        "get",
        "webdis_1",
        "webdis, with Redis",
        SHARE_OF_WEBDIS,
    )
    for size in SIZES:
        commands = {"feast": "get" if size == 1 else "post_100"}
        for peer, (control, goal) in PEERS.items():
            what = "cached" if peer == "feast" else "scored"
            name, ours = f"requests of {size} {what} a second", commands.get(peer, f"score_{size}")
            yield _peer_row(rounds, name, ours, f"{peer}_{size}", control, goal)


def _peer_row(
    rounds: Sequence[Measured], name: str, ours: str, theirs: str, control: str, goal: Goal | None
) -> Row:
    if theirs not in rounds[0]:
        return not_run(name, control, goal)
    return ratio(name, values(rounds, ours), control, values(rounds, theirs), goal)


def _rows_of_the_process(rounds: Sequence[Measured]) -> Iterator[Row]:
    for name, words, goal in (
        ("users_1", "1 user", None),
        ("users_100", "100 users", MAX_PLAIN_US),
        ("users_1_with_reasons", "1 user, with reasons", MAX_US),
        ("users_100_with_reasons", "100 users, with reasons", MAX_US),
    ):
        yield absolute(f"live score of {words}, each", values(rounds, name), "us", goal)
    yield ratio(
        "live score of 1 user, with reasons",
        values(rounds, "users_1_with_reasons"),
        "ONNX Runtime's calls of the same models",
        values(rounds, "onnx"),
        OF_ONNX,
    )
    elsewhere = values(rounds, "elsewhere")
    yield absolute("answers from elsewhere than Redis and the model", elsewhere, "share", FEW)
    yield absolute("start to ready", values(rounds, "start"), "s", MAX_START_SECONDS)
    yield absolute("memory of the worker", values(rounds, "memory"), "MB", MAX_MB)
    for what, words in SCALED.items():
        one_worker, two_workers = (
            values(rounds, f"{workers}_{what}") for workers in ("one", "two")
        )
        yield ratio(
            f"two workers, {words}: requests a second", two_workers, "one worker", one_worker, BOTH
        )
        one_worker, two_workers = (
            values(rounds, f"{workers}_{what}_cpu") for workers in ("one", "two")
        )
        yield ratio(
            f"two workers, {words}: CPU of a request", two_workers, "one worker", one_worker
        )
