"""The prediction service over a real cache and a real database."""

import dataclasses
import datetime as dt
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ds_assets.errors import InputError
from ds_assets.resources.cache import PredictionCache
from ds_assets.resources.results_database import ResultsDatabase
from ds_assets.serving.service import LiveUnavailable, PredictionService, Records
from ds_assets_tests.resources.factories import DAYS, fresh, row, table


class Live:
    """A live model that knows some users, and remembers what it was asked."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = {row["user_id"]: row for row in rows}
        self.asked: list[list[str]] = []

    def score(self, user_ids: Sequence[str]) -> Records:
        self.asked.append(list(user_ids))
        return {user_id: self.rows[user_id] for user_id in user_ids if user_id in self.rows}


class NoModel:
    def score(self, user_ids: Sequence[str]) -> Records:
        raise LiveUnavailable(f"there is no model yet for {len(user_ids)} users")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with PredictionCache(folder, "nobody's", 1) as keeper:
        keeper.ping()
        yield folder


@pytest.fixture
def cache(folder: Path) -> Iterator[PredictionCache]:
    with fresh(folder) as cache:
        yield cache


@pytest.fixture
def results(tmp_path: Path) -> Iterator[ResultsDatabase]:
    with ResultsDatabase(f"sqlite:///{tmp_path / 'results.sqlite'}") as results:
        yield results


@pytest.fixture
def no_cache() -> PredictionCache:
    return PredictionCache("redis://127.0.0.1:1/0", "game", 7)


@pytest.fixture
def no_results(tmp_path: Path) -> Iterator[ResultsDatabase]:
    (tmp_path / "notes").write_text("no database " * 100)
    with ResultsDatabase(f"sqlite:///{tmp_path / 'notes'}") as results:
        yield results


def service(cache: PredictionCache, results: ResultsDatabase, live: Any) -> PredictionService:
    return PredictionService(cache, results, live, dt.UTC)


def test_each_user_is_answered_by_the_first_source_that_knows(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    cache.put(DAYS[1], table(row("cached", DAYS[1], cluster=1)))
    results.deliver(DAYS[1], table(row("cached", DAYS[1]), row("stored", DAYS[1])), "run")
    live = Live(row("stored", DAYS[2]), row("scored", DAYS[2]))
    asked = ["scored", "nobody", "cached", "stored", "cached", "nobody"]
    answers = service(cache, results, live).answer(asked)
    assert [answer.user_id for answer in answers.answers] == asked
    assert [(answer.source, answer.status) for answer in answers.answers] == [
        ("live", "ok"),
        ("none", "unknown_user"),
        ("cache", "ok"),
        ("table", "ok"),
        ("cache", "ok"),
        ("none", "unknown_user"),
    ]
    assert answers.hits == {"cache": 1, "table": 1, "live": 1}
    assert answers.misses == {"cache": 3, "table": 2, "live": 1}
    assert answers.degraded == []
    assert live.asked == [["scored", "nobody"]]


def test_the_answer_is_the_same_whatever_it_comes_from(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    known = row("a", churn_probability=1 / 3, payment_probability=None, cluster_name="naïve 🎮")
    from_live = service(cache, results, Live(known)).answer(["a"]).answers[0]
    results.deliver(DAYS[0], table(known), "run")
    from_cache = service(cache, results, Live()).answer(["a"]).answers[0]
    cache._client.flushdb()
    from_table = service(cache, results, Live()).answer(["a"]).answers[0]
    found = [from_cache, from_table, from_live]
    assert [answer.source for answer in found] == ["cache", "table", "live"]
    same = {dataclasses.replace(answer, source="none", age_seconds=0) for answer in found}
    assert len(same) == 1


def test_what_the_table_or_the_live_model_knew_is_in_the_cache_the_next_time(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    results.deliver(DAYS[0], table(row("stored")), "run")
    asks = service(cache, results, Live(row("scored", DAYS[1])))
    asks.answer(["stored", "scored", "nobody"])
    answers = asks.answer(["stored", "scored", "nobody"])
    assert [answer.source for answer in answers.answers] == ["cache", "cache", "none"]


def test_one_request_asks_each_source_once(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    results.deliver(DAYS[0], table(*(row(f"u{n}") for n in range(500))), "run")
    users = [f"u{n}" for n in range(1_000)]
    live = Live(*(row(user) for user in users[:700]))
    statements: list[str] = []
    sa.event.listen(
        results._connected(),
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: statements.append(statement),
    )
    cache._client.config_resetstat()
    answers = service(cache, results, live).answer(users)
    assert answers.hits == {"cache": 0, "table": 500, "live": 200}
    assert len([statement for statement in statements if "SELECT" in statement]) == 1
    calls = {name: it["calls"] for name, it in cache._client.info("commandstats").items()}
    # What puts values in asks once for those that are there.
    assert calls["cmdstat_mget"] - calls["cmdstat_evalsha"] == 1
    assert live.asked == [users[500:]]


def test_when_the_cache_knows_all_nothing_else_is_asked(
    cache: PredictionCache, no_results: ResultsDatabase
) -> None:
    cache.put(DAYS[0], table(row("a")))
    answers = service(cache, no_results, NoModel()).answer(["a"])
    assert answers.degraded == []
    assert answers.hits == {"cache": 1}


def test_without_the_cache_the_table_answers_and_the_answer_says_so(
    no_cache: PredictionCache, results: ResultsDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    results.deliver(DAYS[0], table(row("a")), "run")
    with caplog.at_level(logging.WARNING):
        answers = service(no_cache, results, Live(row("b"))).answer(["a", "b"])
    assert [answer.source for answer in answers.answers] == ["table", "live"]
    assert answers.degraded == ["cache"]
    assert answers.misses == {"cache": 2, "table": 1, "live": 0}
    assert "DS_ASSETS_CACHE_URL" in caplog.text


def test_without_the_table_the_live_model_answers_and_the_answer_says_so(
    cache: PredictionCache, no_results: ResultsDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        answers = service(cache, no_results, Live(row("a"))).answer(["a"])
    assert [answer.source for answer in answers.answers] == ["live"]
    assert answers.degraded == ["table"]
    assert "DS_ASSETS_RESULTS_URL" in caplog.text


def test_without_any_source_the_user_is_unknown_and_the_answer_says_why(
    no_cache: PredictionCache, no_results: ResultsDatabase
) -> None:
    answers = service(no_cache, no_results, NoModel()).answer(["a"])
    assert [answer.status for answer in answers.answers] == ["unknown_user"]
    assert answers.degraded == ["cache", "table", "live"]


def test_a_cache_that_fails_while_it_is_written_does_not_take_the_answer_with_it(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    results.deliver(DAYS[0], table(row("a")), "run")
    cache._client.config_set("maxmemory", 1)
    try:
        answers = service(cache, results, Live(row("b"))).answer(["a", "b"])
    finally:
        cache._client.config_set("maxmemory", 0)
    assert [answer.source for answer in answers.answers] == ["table", "live"]
    assert answers.degraded == ["cache"]


@given(users=st.lists(st.sampled_from(["cached", "stored", "scored", "nobody", "ü"]), max_size=9))
@settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_place_of_a_request_is_answered_for_the_user_asked_for(
    cache: PredictionCache, results: ResultsDatabase, users: list[str]
) -> None:
    cache._client.flushdb()
    cache.put(DAYS[0], table(row("cached", cluster=1)))
    results.deliver(DAYS[0], table(row("stored", cluster=2)), "run")
    answers = service(cache, results, Live(row("scored", cluster=3))).answer(users)
    clusters = {"cached": 1, "stored": 2, "scored": 3}
    assert [(answer.user_id, answer.cluster) for answer in answers.answers] == [
        (user, clusters.get(user)) for user in users
    ]


@pytest.mark.parametrize(
    ("users", "complaint"),
    [
        ("abc", "must be a list; found a single text"),
        ([""], "user id 1 is ''; accepted is a text of 1 to 191 characters"),
        (["a", "x" * 192], r"user id 2 is 'x+; accepted is a text of 1 to 191 characters"),
        (["\ud800"], r"user id 1 is '\\ud800'; accepted"),
        ([7], "user id 1 is 7; accepted is a text"),
        (["a"] * 1_001, "1,001 user ids were asked for; accepted are 1,000"),
    ],
)
def test_ids_beyond_the_limits_are_a_clear_mistake(
    no_cache: PredictionCache, no_results: ResultsDatabase, users: Any, complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        service(no_cache, no_results, NoModel()).answer(users)


def test_the_longest_id_and_the_most_users_are_answered(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    users = [f"{n:🎮>191}" for n in range(1_000)]
    results.deliver(DAYS[0], table(*map(row, users)), "run")
    asks = service(cache, results, NoModel())
    assert asks.answer(users).hits == {"cache": 0, "table": 1_000}
    assert asks.answer(users).hits == {"cache": 1_000}
