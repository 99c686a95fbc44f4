"""The service for callers without an event loop, shared by threads."""

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from ds_assets.errors import InputError
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.serving.answer import calendar_of
from ds_assets.serving.blocking import BlockingService, blocking
from ds_assets.serving.service import REFRESH_INTERVAL_S, PredictionService
from ds_assets_tests.core.factories import make_game
from ds_assets_tests.infra.factories import DAYS, fresh, numbered_rows, put_day, row, table
from ds_assets_tests.serving.factories import PATIENCE, Live


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[PredictionCache]:
    with fresh(tmp_path / "cache") as cache:
        yield cache


@pytest.fixture
def live() -> Live:
    return Live()


@pytest.fixture
def asks(cache: PredictionCache, results: ResultsDatabase, live: Live) -> Iterator[BlockingService]:
    results.deliver(DAYS[0], table(row("stored", cluster=2)), "run")
    put_day(cache, DAYS[0], *numbered_rows(100))
    calendar = calendar_of(make_game())
    service = PredictionService(cache, results, live, calendar, timeout=PATIENCE)
    with blocking(service) as asks:
        yield asks


def test_many_threads_get_each_their_own_answers(asks: BlockingService) -> None:
    def ask(number: int) -> None:
        users = [f"u{number}", "stored", f"u{99 - number}", "nobody"]
        predictions = asks.answer(users)
        assert [prediction.user_id for prediction in predictions] == users
        clusters = [prediction.values["cluster"] for prediction in predictions]
        assert clusters == [number, 2, 99 - number, None]

    with ThreadPoolExecutor(16) as threads:
        for done in [threads.submit(ask, number % 100) for number in range(200)]:
            done.result()


def test_a_mistake_is_raised_in_the_thread_of_its_caller(asks: BlockingService) -> None:
    with pytest.raises(InputError, match="user id 1 is ''"):
        asks.answer([""])
    assert asks.answer([]) == []


@pytest.mark.slow
def test_a_new_day_is_noticed_and_its_models_are_loaded_without_requests(
    asks: BlockingService, cache: PredictionCache, live: Live
) -> None:
    assert (asks.health().as_of, live.refreshes) == (DAYS[0], 0)
    put_day(cache, DAYS[1], row("u1", DAYS[1]))
    time.sleep(REFRESH_INTERVAL_S + 1)
    assert (asks.health().as_of, live.refreshes) == (DAYS[1], 1)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [None, ZeroDivisionError])
def test_afterwards_no_thread_runs_and_the_service_can_be_opened_again(
    cache: PredictionCache,
    results: ResultsDatabase,
    fault: type[Exception] | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def use() -> None:
        service = PredictionService(cache, results, Live(), calendar_of(make_game()), PATIENCE)
        with blocking(service) as asks:
            asks.answer(["a"])
            if fault:
                raise fault

    for _ in range(2):
        with pytest.raises(fault) if fault else nullcontext():
            use()
    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name == "ds-assets-answers"]
    assert caplog.messages == []


def test_requests_during_the_closing_are_answered_or_refused(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    answered: list[bool] = []

    def ask(asks: BlockingService, number: int) -> None:
        while True:
            users = [f"u{number}", f"{len(answered)}"]
            answered.append([prediction.user_id for prediction in asks.answer(users)] == users)

    service = PredictionService(cache, results, Live(), calendar_of(make_game()), PATIENCE)
    with ThreadPoolExecutor(16) as threads:
        with blocking(service) as asks:
            asking = [threads.submit(ask, asks, number) for number in range(16)]
            while len(answered) < 100:
                time.sleep(0.01)
        for future in asking:
            with pytest.raises(RuntimeError, match="the service is "):
                future.result(timeout=PATIENCE)
    assert set(answered) == {True}


@pytest.mark.slow
def test_a_forked_process_is_refused_and_exits_by_itself(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.serving.blocking import blocking
from ds_assets.serving.answer import calendar_of
from ds_assets.serving.service import PredictionService
from ds_assets_tests.core.factories import make_game
from ds_assets_tests.serving.factories import PATIENCE, Live

home = Path({str(tmp_path)!r})
with (
    PredictionCache(home / "cache", "game", days_to_live=7) as cache,
    ResultsDatabase(f"sqlite:///{{home / 'results.sqlite'}}") as results,
    blocking(
        PredictionService(cache, results, Live(), calendar_of(make_game()), PATIENCE)
    ) as asks,
):
    if os.fork() == 0:
        signal.alarm(30)
        try:
            asks.answer(["a"])
        except RuntimeError as error:
            print(error, flush=True)
    else:
        os.wait()
        print(asks.answer(["a"])[0].status, flush=True)
"""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "the service is closed, or was opened before this process was forked",
        "unknown_user",
    ]
