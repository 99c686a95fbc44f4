"""The prediction service over a real cache and a real database."""

import asyncio
import datetime as dt
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ds_assets.errors import InputError
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.serving.answer import Prediction
from ds_assets.serving.circuit_breaker import MAX_FAILURES
from ds_assets.serving.health import Health
from ds_assets.serving.live_scoring import UserToScore
from ds_assets.serving.sources import LiveLoading, Records
from ds_assets_tests.infra.factories import DAYS, embedded_server, fresh, put, put_day, row, table
from ds_assets_tests.serving.factories import (
    ACTIVE_DAYS,
    Live,
    NoModel,
    all_done,
    ask,
    ask_each,
    end_of,
    queries,
    serving,
    statements_of,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with embedded_server(tmp_path_factory.mktemp("cache")) as folder:
        yield folder


@pytest.fixture
def cache(folder: Path) -> Iterator[PredictionCache]:
    with fresh(folder) as cache:
        yield cache


@pytest.fixture
def no_cache() -> PredictionCache:
    return PredictionCache("redis://127.0.0.1:1/0", "game", 7)


@pytest.fixture
def no_results(tmp_path: Path) -> Iterator[ResultsDatabase]:
    (tmp_path / "notes").write_text("no database " * 100)
    with ResultsDatabase(f"sqlite:///{tmp_path / 'notes'}") as results:
        yield results


def sources(predictions: Sequence[Prediction]) -> list[tuple[str, str]]:
    return [(prediction.source, prediction.status) for prediction in predictions]


def test_each_user_is_answered_by_the_first_source_that_knows(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    put(cache, DAYS[1], table(row("cached", DAYS[1], cluster=1)))
    results.deliver(DAYS[1], table(row("cached", DAYS[1]), row("stored", DAYS[1])), "run")
    live = Live(row("stored", DAYS[1]), row("scored", DAYS[1]))
    ids = ["scored", "nobody", "cached", "stored", "cached", "nobody"]
    expected = [
        ("live", "ok"),
        ("default", "unknown_user"),
        ("cache", "ok"),
        ("table", "ok"),
        ("cache", "ok"),
        ("default", "unknown_user"),
    ]

    async def run() -> None:
        async with serving(cache, results, live) as service:
            predictions = await ask(service, *ids)
            assert [prediction.user_id for prediction in predictions] == ids
            assert sources(predictions) == expected
            assert live.asked == [["scored", "nobody"]]
            assert service.health().degraded == ()

    asyncio.run(run())


def test_a_user_is_found_by_any_form_of_the_id_and_answered_with_the_one_in_the_request(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    put_day(cache, DAYS[1], row("123", DAYS[1]))
    live = Live(row("456", DAYS[1]))
    ids = ["123.0", " 123", "1.23e2", "0123", " "]
    expected = [("cache", "ok")] * 3 + [("default", "unknown_user")] * 2

    async def run() -> None:
        async with serving(cache, results, live) as service:
            predictions = await ask(service, *ids)
            assert ([prediction.user_id for prediction in predictions], sources(predictions)) == (
                ids,
                expected,
            )
            alone = [(await service.answer_one(user)).to_prediction() for user in ids]
            assert alone == predictions
            events = [UserToScore("456.0", None, [{"type": "visit"}])]
            (answer,) = await service.score(events, reasons=True)
            scored = answer.to_prediction()
            assert (scored.user_id, scored.source) == ("456.0", "live")

    asyncio.run(run())


def test_one_user_alone_gets_the_same_answers(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    put_day(cache, DAYS[1], row("cached", DAYS[1]))
    results.deliver(DAYS[1], table(row("stored", DAYS[1])), "run")
    users = ["cached", "stored", "scored", "nobody"]

    async def run() -> None:
        async with serving(cache, results, Live(row("scored", DAYS[1]))) as service:
            alone = [(await service.answer_one(user)).to_prediction() for user in users]
        cache._client.delete(*(cache._key(user.encode()) for user in users[1:]))
        async with serving(cache, results, Live(row("scored", DAYS[1]))) as service:
            assert await ask(service, *users) == alone
        assert sources(alone) == [
            ("cache", "ok"),
            ("table", "ok"),
            ("live", "ok"),
            ("default", "unknown_user"),
        ]

    asyncio.run(run())


def test_the_answer_is_the_same_from_every_source(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    stored_row = row(
        "a", churn_probability=1 / 3, payment_probability=None, cluster_name="naïve 🎮"
    )

    async def answer(live: Live) -> Prediction:
        async with serving(cache, results, live) as service:
            return (await ask(service, "a"))[0]

    from_live = asyncio.run(answer(Live(stored_row)))
    results.deliver(DAYS[0], table(stored_row), "run")
    from_cache = asyncio.run(answer(Live()))
    cache._client.flushdb()
    from_table = asyncio.run(answer(Live()))
    assert [prediction.source for prediction in (from_cache, from_table, from_live)] == [
        "cache",
        "table",
        "live",
    ]
    assert replace(from_cache, source="live") == replace(from_table, source="live") == from_live


def test_predictions_of_the_table_and_the_live_model_are_in_the_cache_the_next_time(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    results.deliver(DAYS[0], table(row("stored")), "run")

    async def run() -> None:
        async with serving(cache, results, Live(row("scored", DAYS[1]))) as service:
            await service.answer(["stored", "scored"])  # and ends at once
        async with serving(cache, results, NoModel()) as service:
            predictions = await ask(service, "stored", "scored")
            assert [prediction.source for prediction in predictions] == ["cache", "cache"]

    asyncio.run(run())


def test_a_batch_is_one_mget_one_query_and_one_call_of_the_model(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    users = [f"u{n}" for n in range(1_000)]
    put_day(cache, DAYS[0], *map(row, users[:300]))
    results.deliver(DAYS[0], table(*map(row, users[:600])), "run")
    live = Live(*map(row, users[:800]))
    statements = statements_of(results)

    async def run() -> None:
        async with serving(cache, results, live) as service:
            cache._client.config_resetstat()
            predictions = [answer.to_prediction() for answer in await service.answer(users)]
        expected = ["cache"] * 300 + ["table"] * 300 + ["live"] * 200 + ["default"] * 200
        assert [prediction.source for prediction in predictions] == expected

    asyncio.run(run())
    assert queries(statements) == 1
    assert live.asked == [users[600:]]
    calls = {name: it["calls"] for name, it in cache._client.info("commandstats").items()}
    # What puts values in asks once for those that are there.
    assert calls["cmdstat_mget"] - calls["cmdstat_evalsha"] == 1


def test_users_who_are_asked_for_at_once_share_one_mget_and_misses_one_query(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    users = [f"u{n}" for n in range(50)]
    put_day(cache, DAYS[0], *map(row, users))
    results.deliver(DAYS[0], table(row("stored")), "run")
    statements = statements_of(results)

    async def run() -> None:
        async with serving(cache, results, Live()) as service:
            await service.refresh()
            cache._client.config_resetstat()
            predictions = await ask_each(service, *users)
            assert {prediction.source for prediction in predictions} == {"cache"}
            assert cache._client.info("commandstats")["cmdstat_mget"]["calls"] == 1
            predictions = await ask_each(service, *["stored"] * 50)
            assert sources(predictions) == [("table", "ok")] * 50

    asyncio.run(run())
    assert queries(statements) == 1


@pytest.mark.slow
def test_requests_that_wait_for_a_slow_cache_are_answered_in_their_time(
    cache: PredictionCache, no_results: ResultsDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_day(cache, DAYS[0], row("a"))
    fetch = cache.fetch

    async def slow(user_ids: Sequence[str]) -> Any:
        await asyncio.sleep(0.04)
        return await fetch(user_ids)

    async def run() -> None:
        async with serving(cache, no_results, NoModel(), timeout=1) as service:
            await service.refresh()
            monkeypatch.setattr(cache, "fetch", slow)
            began = time.monotonic()
            answers = await asyncio.gather(*(service.answer(["a"]) for _ in range(400)))
            assert time.monotonic() - began < 2.5  # one after the other they take 4
        assert {answer.to_prediction().source for (answer,) in answers} <= {"cache", "default"}

    asyncio.run(run())


@pytest.mark.slow
def test_batches_that_miss_the_same_users_share_one_query(
    cache: PredictionCache, results: ResultsDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = [f"u{n}" for n in range(100)]
    results.deliver(DAYS[0], table(*map(row, users)), "run")
    statements, latest = statements_of(results), results.latest

    def slow(user_ids: Sequence[str]) -> list[dict[str, Any]]:
        time.sleep(0.5)  # so that all have missed them by then
        return latest(user_ids)

    monkeypatch.setattr(results, "latest", slow)

    async def run() -> None:
        async with serving(cache, results, Live()) as service:
            batches = await asyncio.gather(*(ask(service, *users) for _ in range(5)))
            assert {prediction.source for batch in batches for prediction in batch} == {"table"}

    asyncio.run(run())
    assert queries(statements) == 1


def test_a_cancelled_request_does_not_cancel_another_for_the_same_user(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    results.deliver(DAYS[0], table(row("a")), "run")

    async def run(wait: float) -> None:
        async with serving(cache, results, Live()) as service:
            leaves, stays = (asyncio.create_task(service.answer_one("a")) for _ in range(2))
            await asyncio.sleep(wait)
            leaves.cancel()
            assert (await stays).to_prediction().status == "ok"

    for wait in (0, 0.001, 0.005):
        cache._client.flushdb()
        asyncio.run(run(wait))


def test_when_the_cache_knows_all_nothing_else_is_asked(
    cache: PredictionCache, no_results: ResultsDatabase
) -> None:
    put(cache, DAYS[0], table(row("a")))

    async def run() -> Health:
        async with serving(cache, no_results, NoModel()) as service:
            assert sources(await ask(service, "a")) == [("cache", "ok")]
            return service.health()

    assert asyncio.run(run()).degraded == ()


def test_an_old_day_in_the_cache_is_used_only_if_the_table_has_no_newer(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    put(cache, DAYS[0], table(row("back", cluster=1), row("gone", cluster=1)))
    put_day(cache, DAYS[1], row("other", DAYS[1]))
    rows = table(row("back", DAYS[1], cluster=2), row("other", DAYS[1]))
    results.deliver(DAYS[0], table(row("gone", cluster=1)), "run")
    results.deliver(DAYS[1], rows, "run")

    async def run() -> None:
        async with serving(cache, results, NoModel()) as service:
            back, gone = await ask(service, "back", "gone")
            assert (back.source, back.status, back.values["cluster"]) == ("table", "ok", 2)
            assert (gone.source, gone.status, gone.values["cluster"]) == ("cache", "stale", 1)
            assert gone.age_seconds == 86_460

    asyncio.run(run())


def test_a_user_not_seen_for_too_long_is_inactive_and_the_answer_has_the_day(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    newest = DAYS[0] + dt.timedelta(ACTIVE_DAYS)
    results.deliver(DAYS[0], table(row("gone", last_seen=DAYS[0])), "run")
    results.deliver(DAYS[1], table(row("late", DAYS[1], last_seen=DAYS[1])), "run")
    put_day(cache, newest, row("other", newest))
    statements = statements_of(results)

    async def run() -> None:
        async with serving(cache, results, NoModel(), clock=lambda: end_of(newest)) as service:
            gone, late = await ask(service, "gone", "late")
            assert (gone.status, gone.values["last_seen"]) == ("inactive", DAYS[0])
            assert gone.values["as_of"] == DAYS[0]
            assert gone.age_seconds == ACTIVE_DAYS * 86_400
            assert late.status == "stale"
            for _ in range(3):
                predictions = await ask(service, "gone", "late")
                assert sources(predictions) == [("cache", "inactive"), ("cache", "stale")]

    asyncio.run(run())
    # Once for the answer, and once more to learn that the cache's is the newest there is.
    assert queries(statements) == 2


def test_no_user_is_inactive_while_the_table_that_may_have_a_newer_day_is_down(
    cache: PredictionCache, no_results: ResultsDatabase
) -> None:
    newest = DAYS[0] + dt.timedelta(ACTIVE_DAYS)
    put(cache, DAYS[0], table(row("gone", last_seen=DAYS[0])))
    put_day(cache, newest, row("other", newest))

    async def run() -> None:
        async with serving(cache, no_results, Live(), clock=lambda: end_of(newest)) as service:
            assert sources(await ask(service, "gone")) == [("cache", "stale")]

    asyncio.run(run())


def test_predictions_of_days_ago_are_stale_and_say_how_old_they_are(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    put_day(cache, DAYS[0], row("a"))

    async def run() -> None:
        async with serving(cache, results, Live(), clock=lambda: end_of(DAYS[3])) as service:
            (prediction,) = await ask(service, "a")
            assert (prediction.status, prediction.age_seconds) == ("stale", 3 * 86_400)
            assert service.health().as_of == DAYS[0]
            assert service.health().age_seconds == 3 * 86_400
            assert service.health().lag_days == 3
            assert not service.health().is_outdated

    asyncio.run(run())


def test_predictions_are_outdated_once_they_lag_by_more_than_two_weeks(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    put_day(cache, DAYS[0], row("a"))

    async def run(lag_days: int) -> bool:
        now = end_of(DAYS[0] + dt.timedelta(lag_days))
        async with serving(cache, results, Live(), clock=lambda: now) as service:
            assert not service.health().is_outdated  # there are no data yet
            await service.refresh()
            assert service.health().lag_days == lag_days
            return service.health().is_outdated

    assert [asyncio.run(run(days)) for days in (14, 15, 281)] == [False, True, True]


def test_an_unknown_user_gets_the_averages_of_all_users(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    rows = [row("a", DAYS[1], churn_probability=0.2), row("b", DAYS[1], churn_probability=0.4)]
    put_day(cache, DAYS[1], *rows)

    async def run() -> None:
        async with serving(cache, results, Live()) as service:
            (prediction,) = await ask(service, "nobody")
            assert sources([prediction]) == [("default", "unknown_user")]
            assert prediction.values["churn_probability"] == pytest.approx(0.3)
            assert (prediction.values["as_of"], prediction.age_seconds) == (DAYS[1], 60)
            assert prediction.values["cluster"] is None

    asyncio.run(run())


def test_an_unknown_user_of_a_known_group_gets_the_averages_of_that_group(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    sigmoid = {"country=KR": 0.2, "country=JP": 0.4}
    rows = [
        row(f"u{group}", DAYS[1], churn_probability=chance, user_group=group)
        for group, chance in sigmoid.items()
    ]
    put_day(cache, DAYS[1], *rows)

    async def run() -> None:
        async with serving(cache, results, NoModel()) as service:
            coroutines = [service.answer_one("nobody", group) for group in (*sigmoid, "country=BR")]
            predictions = [(await answer).to_prediction() for answer in coroutines]
            values = [
                (prediction.values["churn_probability"], prediction.values["user_group"])
                for prediction in predictions
            ]
            assert values == [
                (pytest.approx(0.2), "country=KR"),
                (pytest.approx(0.4), "country=JP"),
                (pytest.approx(0.3), None),
            ]
            (many,) = await service.answer(["nobody"], "country=JP")
            assert many.to_prediction().values == predictions[1].values
            (answer,) = await service.answer(["ucountry=KR"], "country=JP")
            assert answer.to_prediction().values["user_group"] == "country=KR"
            scored = await service.score(
                [UserToScore("nobody", {"x": 1}, None, "country=JP")], reasons=True
            )
            assert scored[0].to_prediction().values == predictions[1].values

    asyncio.run(run())


def test_a_live_model_that_is_still_loading_does_not_open_its_circuit(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    class Loads(Live):
        def score_lines(self, lines: Sequence[str], as_of: dt.date, *, reasons: bool) -> Records:
            raise LiveLoading(f"{len(lines)} lines of {as_of} have to wait: {reasons}")

    async def run() -> None:
        async with serving(cache, results, Loads()) as service:
            for _ in range(MAX_FAILURES + 1):
                users = [UserToScore("played", None, [{"type": "visit"}])]
                (prediction,) = await service.score(users, reasons=True)
                assert sources([prediction.to_prediction()]) == [("default", "not_enough_data")]
            assert service.health().degraded == ()

    asyncio.run(run())


def test_users_are_scored_by_features_and_by_events_in_one_request(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    class Clusters(Live):
        """The cluster of each user is the feature x."""

        def score_features(
            self, users: Sequence[Mapping[str, Any]], *, reasons: bool
        ) -> Sequence[Mapping[str, Any]]:
            rows = super().score_features(users, reasons=reasons)
            return [{**it, "cluster": user["x"]} for it, user in zip(rows, users, strict=True)]

    live = Clusters(row("played", DAYS[1]), row("known", DAYS[0]))
    users = [
        UserToScore("known", {"x": 1}, None),
        UserToScore("played", None, [{"type": "visit"}]),
        UserToScore("quiet", None, []),
    ]

    async def run() -> None:
        async with serving(cache, results, live) as service:
            predictions = [
                answer.to_prediction() for answer in await service.score(users, reasons=True)
            ]
            assert [prediction.user_id for prediction in predictions] == [
                "known",
                "played",
                "quiet",
            ]
            assert [prediction.source for prediction in predictions] == ["live", "live", "default"]
            twice = [UserToScore("known", {"x": value}, None) for value in (1, 2)]
            predictions = [
                answer.to_prediction() for answer in await service.score(twice, reasons=True)
            ]
            assert [prediction.values["cluster"] for prediction in predictions] == [1, 2]
            other = [UserToScore("somebody", None, [{"type": "visit"}])]
            with pytest.raises(
                InputError, match="an event belongs to the user 'played', who is not"
            ):
                await service.score(other, reasons=True)

    asyncio.run(run())


@pytest.mark.parametrize("down", ["table", "live"])
def test_no_user_is_called_unknown_while_a_source_that_might_know_is_down(
    cache: PredictionCache, results: ResultsDatabase, no_results: ResultsDatabase, down: str
) -> None:
    put_day(cache, DAYS[1], row("a", DAYS[1]))
    table_of, live = (no_results, Live()) if down == "table" else (results, NoModel())

    async def run() -> None:
        async with serving(cache, table_of, live) as service:
            for _ in range(2):
                (prediction,) = await ask(service, "nobody")
                assert sources([prediction]) == [("default", "not_enough_data")]
                assert prediction.values["churn_probability"] == 0.25
            assert service.health().degraded == (down,)

    asyncio.run(run())


def test_unknown_users_are_remembered_until_there_is_a_new_day(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    put_day(cache, DAYS[0], row("a"))
    statements, live = statements_of(results), Live()

    async def run() -> None:
        async with serving(cache, results, live) as service:
            for _ in range(3):
                assert sources(await ask(service, "new")) == [("default", "unknown_user")]
            assert (queries(statements), live.asked) == (1, [["new"]])
            results.deliver(DAYS[1], table(row("a", DAYS[1]), row("new", DAYS[1])), "run")
            put_day(cache, DAYS[1], row("a", DAYS[1]))
            await service.refresh()
            assert sources(await ask(service, "new")) == [("table", "ok")]

    asyncio.run(run())


def test_a_query_from_before_a_new_day_leaves_no_user_remembered_as_unknown(
    cache: PredictionCache, results: ResultsDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_day(cache, DAYS[0], row("a"))
    has_read, may_answer, latest = threading.Event(), threading.Event(), results.latest

    def slow(user_ids: Sequence[str]) -> list[dict[str, Any]]:
        records = latest(user_ids)
        has_read.set()
        may_answer.wait(60)
        return records

    monkeypatch.setattr(results, "latest", slow)

    async def run() -> None:
        async with serving(cache, results, Live()) as service:
            await service.refresh()
            asking = asyncio.create_task(service.answer_one("new"))
            await asyncio.to_thread(has_read.wait, 60)
            results.deliver(DAYS[1], table(row("new", DAYS[1])), "run")
            put_day(cache, DAYS[1], row("a", DAYS[1]))
            await service.refresh()
            may_answer.set()
            assert (await asking).header.status == "unknown_user"
            assert sources(await ask(service, "new")) == [("table", "ok")]

    asyncio.run(run())


def test_a_remembered_unknown_user_stays_so_beside_one_who_cannot_be_looked_up(
    cache: PredictionCache, results: ResultsDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        live = Live()
        async with serving(cache, results, live) as service:
            assert sources(await ask(service, "nobody")) == [("default", "unknown_user")]
            monkeypatch.setattr(live, "score", NoModel().score)
            assert sources(await ask(service, "nobody", "new")) == [
                ("default", "unknown_user"),
                ("default", "not_enough_data"),
            ]

    asyncio.run(run())


def test_a_new_day_is_served_without_a_restart_and_without_emptying_the_cache(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    users = [f"u{n}" for n in range(10)]
    put_day(cache, DAYS[0], *map(row, users))
    statements = statements_of(results)

    async def run() -> None:
        async with serving(cache, results, Live()) as service:
            assert {prediction.values["as_of"] for prediction in await ask(service, *users)} == {
                DAYS[0]
            }
            put(cache, DAYS[1], table(*(row(user, DAYS[1]) for user in users[:5])))
            predictions = await ask(service, *users)  # the day is on its way
            assert [prediction.values["as_of"] for prediction in predictions] == [DAYS[1]] * 5 + [
                DAYS[0]
            ] * 5
            assert {prediction.status for prediction in predictions} == {"ok"}
            put_day(cache, DAYS[1], *(row(user, DAYS[1]) for user in users))
            predictions = await ask_each(service, *users)
            assert {prediction.values["as_of"] for prediction in predictions} == {DAYS[1]}
            assert service.health().as_of == DAYS[1]

    asyncio.run(run())
    assert queries(statements) == 0


@pytest.mark.parametrize("lost", ["down", "empty"])
def test_without_the_cache_the_newest_day_is_that_of_the_table(
    cache: PredictionCache, no_cache: PredictionCache, results: ResultsDatabase, lost: str
) -> None:
    rows = table(row("a", DAYS[0], churn_probability=0.5))
    results.deliver(DAYS[0], rows, "run")

    async def run() -> None:
        used = no_cache if lost == "down" else cache
        async with serving(used, results, Live()) as service:
            await service.refresh()
            await all_done(service)
            predictions = await ask(service, "a", "nobody")
            assert sources(predictions) == [("table", "ok"), ("default", "unknown_user")]
            assert predictions[1].values["churn_probability"] == 0.5
            assert service.health().as_of == DAYS[0]
            results.deliver(DAYS[1], table(row("b", DAYS[1], churn_probability=0.75)), "run")
            await service.refresh()
            await all_done(service)
            a, nobody = await ask(service, "a", "nobody")
            assert (a.status, service.health().as_of) == ("stale", DAYS[1])
            assert (nobody.values["churn_probability"], nobody.age_seconds) == (0.75, 60)

    asyncio.run(run())


def test_a_cache_that_is_lost_later_does_not_hide_the_tables_newer_day(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    put_day(cache, DAYS[0], row("a"))

    async def run() -> None:
        async with serving(cache, results, Live()) as service:
            await service.refresh()
            cache._client.flushdb()
            results.deliver(DAYS[1], table(row("a", DAYS[1])), "run")
            await service.refresh()
            assert service.health().as_of == DAYS[1]

    asyncio.run(run())


def test_without_the_cache_the_table_answers_and_the_health_says_so(
    no_cache: PredictionCache, results: ResultsDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    results.deliver(DAYS[0], table(row("a")), "run")

    async def run() -> None:
        async with serving(no_cache, results, Live(row("b"))) as service:
            predictions = await ask(service, "a", "b")
            assert sources(predictions) == [("table", "ok"), ("live", "ok")]
            assert service.health().degraded == ("cache",)

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert "DS_ASSETS_CACHE_URL" in caplog.text


def test_without_the_table_the_live_model_answers_and_the_health_says_so(
    cache: PredictionCache, no_results: ResultsDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with serving(cache, no_results, Live(row("a"))) as service:
            assert sources(await ask(service, "a")) == [("live", "ok")]
            assert service.health().degraded == ("table",)

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert "DS_ASSETS_RESULTS_URL" in caplog.text


def test_a_live_model_that_cannot_have_the_newest_day_is_degraded_though_it_answers(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    live = Live(row("scored", DAYS[0]))
    live.load_error = "the lake is lost"

    async def run() -> None:
        async with serving(cache, results, live) as service:
            assert sources(await ask(service, "scored")) == [("live", "ok")]
            assert service.health().degraded == ("live",)
            live.load_error = None
            assert service.health().degraded == ()

    asyncio.run(run())


def test_without_any_source_there_is_an_answer_and_the_breakers_open(
    no_cache: PredictionCache, no_results: ResultsDatabase
) -> None:
    async def run() -> None:
        async with serving(no_cache, no_results, NoModel()) as service:
            for _ in range(MAX_FAILURES):
                await service.refresh()
                (prediction,) = await ask(service, "a")
                assert sources([prediction]) == [("default", "not_enough_data")]
                assert (prediction.age_seconds, prediction.values["churn_probability"]) == (
                    None,
                    None,
                )
            health = service.health()
            assert health.degraded == ("cache", "table", "live")
            assert set(health.breakers.values()) == {"open"}
            assert (health.as_of, health.age_seconds) == (None, None)

    asyncio.run(run())


def test_a_cache_that_fails_while_it_is_written_does_not_take_the_answer_with_it(
    cache: PredictionCache, results: ResultsDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    results.deliver(DAYS[0], table(row("a")), "run")

    async def run() -> None:
        async with serving(cache, results, Live(row("b"))) as service:
            predictions = await ask(service, "a", "b")
            assert sources(predictions) == [("table", "ok"), ("live", "ok")]

    cache._client.config_set("maxmemory", 1)
    try:
        asyncio.run(run())
    finally:
        cache._client.config_set("maxmemory", 0)
    assert "could not store predictions of other sources in the cache" in caplog.text


def test_a_database_that_never_answers_delays_no_other_source(cache: PredictionCache) -> None:
    over = threading.Event()

    class Silent:
        def latest(self, _: Sequence[str]) -> list[dict[str, Any]]:
            over.wait()
            return []

    async def run() -> None:
        silent: Any = Silent()
        users = [f"u{n}" for n in range(12)]
        async with serving(cache, silent, Live(*map(row, users)), timeout=0.5) as service:
            began = asyncio.get_running_loop().time()
            for user in users:
                (prediction,) = await ask_each(service, user)
                assert (prediction.user_id, prediction.source) == (user, "live")
            assert asyncio.get_running_loop().time() - began < MAX_FAILURES * 0.2 + 2
            assert service.health().degraded == ("table",)

    try:
        asyncio.run(run())
    finally:
        over.set()


@pytest.mark.slow
@given(users=st.lists(st.sampled_from(["cached", "stored", "scored", "nobody", "ü"]), max_size=9))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_place_of_a_request_is_answered_for_the_user_asked_for(
    cache: PredictionCache, results: ResultsDatabase, users: list[str]
) -> None:
    cache._client.flushdb()
    put(cache, DAYS[0], table(row("cached", cluster=1)))
    results.deliver(DAYS[0], table(row("stored", cluster=2)), "run")
    clusters = {"cached": 1, "stored": 2, "scored": 3}
    expected = [(user, clusters.get(user)) for user in users]

    async def run() -> None:
        async with serving(cache, results, Live(row("scored", cluster=3))) as service:
            for predictions in (await ask(service, *users), await ask_each(service, *users)):
                assert [
                    (prediction.user_id, prediction.values["cluster"]) for prediction in predictions
                ] == expected

    asyncio.run(run())


@pytest.mark.parametrize(
    ("users", "complaint"),
    [
        ("abc", "must be a list; found a single text"),
        ([""], "user id 1 is ''; accepted is a text of 1 to 191 characters"),
        (["a", "x" * 192], r"user id 2 is 'x+; accepted is a text of 1 to 191 characters"),
        (["\ud800"], r"user id 1 is '\\ud800'; accepted"),
        ([7], "user id 1 is 7; accepted is a text"),
        (["a"] * 1_001, "the request names 1,001 user ids; accepted are up to 1,000"),
    ],
)
def test_ids_beyond_the_limits_are_a_clear_mistake(
    no_cache: PredictionCache, no_results: ResultsDatabase, users: Any, complaint: str
) -> None:
    async def run() -> None:
        async with serving(no_cache, no_results, NoModel()) as service:
            with pytest.raises(InputError, match=complaint):
                await service.answer(users)
            if len(users) == 1:
                with pytest.raises(InputError, match=complaint):
                    await service.answer_one(users[0])

    asyncio.run(run())


def test_the_longest_id_and_the_most_users_are_answered(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    users = [f"{n:🎮>191}" for n in range(1_000)]
    results.deliver(DAYS[0], table(*map(row, users)), "run")

    async def run() -> None:
        async with serving(cache, results, NoModel()) as service:
            for source in ("table", "cache"):
                assert {prediction.source for prediction in await ask(service, *users)} == {source}

    asyncio.run(run())
