"""The embedded server: one a folder, whoever starts it, and none that nobody uses."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ds_assets.core.prediction_json import EncodedPrediction
from ds_assets.infra.cache import embedded_server
from ds_assets.infra.cache.connection import CacheUnavailable
from ds_assets.infra.cache.prediction_cache import CachePut, PredictionCache
from ds_assets_tests.infra.factories import DAYS, fresh, get_rows, put, row, server_process, table


def is_running(folder: Path) -> bool:
    lock = embedded_server._take_lock(folder / "server.lock")
    if lock is not None:
        os.close(lock)
    return lock is None


def kill(cache: PredictionCache, folder: Path) -> None:
    os.kill(server_process(cache), signal.SIGKILL)
    while is_running(folder):
        time.sleep(0.005)


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(  # noqa: S603 - a script of this file
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_the_embedded_server_opens_no_port_and_no_door_to_other_users(tmp_path: Path) -> None:
    with fresh(tmp_path) as cache:
        cache.ping()
        assert cache._client.config_get("port") == {"port": "0"}
        assert (tmp_path / "valkey.sock").stat().st_mode & 0o077 == 0


def test_a_killed_server_is_started_again_with_what_it_had(tmp_path: Path) -> None:
    with fresh(tmp_path) as cache:
        put(cache, DAYS[0], table(row("a")))
        kill(cache, tmp_path)
        assert get_rows(cache, ["a"]) == [row("a")]
        kill(cache, tmp_path)
        assert put(cache, DAYS[1], table(row("a", DAYS[1]))) == CachePut(1, 0)


def test_a_server_that_is_killed_under_an_event_loop_is_started_again(tmp_path: Path) -> None:
    async def ask(cache: PredictionCache) -> list[EncodedPrediction | None]:
        before = await cache.fetch(["a"])
        await asyncio.to_thread(kill, cache, tmp_path)
        assert await cache.fetch(["a"]) == before
        await cache.close_loop()
        return before[1]

    with fresh(tmp_path) as cache:
        put(cache, DAYS[0], table(row("a")))
        (answer,) = asyncio.run(ask(cache))
    assert answer is not None


def test_values_outlast_the_last_process_and_the_server_does_not(tmp_path: Path) -> None:
    with PredictionCache(tmp_path, "game", 7) as cache:
        put(cache, DAYS[0], table(row("a")))
        assert is_running(tmp_path)
    assert not is_running(tmp_path)
    assert get_rows(cache, ["a"]) == [row("a")]
    assert is_running(tmp_path)
    cache.close()
    assert not is_running(tmp_path)


def test_a_cache_that_is_forgotten_leaves_the_server(tmp_path: Path) -> None:
    cache = fresh(tmp_path)
    cache.ping()
    del cache
    assert not is_running(tmp_path)


def test_threads_that_begin_at_once_share_one_server(tmp_path: Path) -> None:
    caches = [fresh(tmp_path) for _ in range(6)]
    threads = [threading.Thread(target=cache.ping) for cache in [*caches, caches[0]]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({server_process(cache) for cache in caches}) == 1
    for cache in caches:
        assert is_running(tmp_path)
        cache.close()
    assert not is_running(tmp_path)


USER = """
import sys
from pathlib import Path
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets_tests.infra.factories import get_rows

cache = PredictionCache(Path(sys.argv[1]), "game", 7)
print(get_rows(cache, ["a"])[0]["as_of"].toordinal(), cache._client.info("server")["process_id"])
sys.stdout.flush()
sys.stdin.readline()
"""


@pytest.mark.slow
def test_processes_share_one_server_which_the_last_of_them_stops(tmp_path: Path) -> None:
    with PredictionCache(tmp_path, "game", 7) as cache:
        put(cache, DAYS[0], table(row("a")))
    users = [python(USER, tmp_path) for _ in range(2)]
    with users[0] as killed, users[1] as last:
        lines = [user.stdout.readline().split() for user in users if user.stdout]
        assert lines[0] == lines[1]
        assert lines[0][0] == str(DAYS[0].toordinal())
        killed.kill()
        killed.wait()
        assert is_running(tmp_path)
        last.communicate("end\n")
    assert last.returncode == 0
    assert not is_running(tmp_path)


def test_a_server_that_a_killed_process_left_is_used_and_stopped_by_the_next(
    tmp_path: Path,
) -> None:
    with PredictionCache(tmp_path, "game", 7) as cache:
        put(cache, DAYS[0], table(row("a")))
    with python(USER, tmp_path) as user:
        assert user.stdout
        process = int(user.stdout.readline().split()[1])
        user.kill()
    assert is_running(tmp_path)
    with cache:
        cache.ping()
        assert server_process(cache) == process
    assert not is_running(tmp_path)


def test_a_folder_with_a_path_too_long_for_a_socket_works_too(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / "cache"
    with fresh(folder) as cache, fresh(folder) as other:
        put(cache, DAYS[0], table(row("a")))
        assert server_process(cache) == server_process(other)
    assert not is_running(folder)


def test_a_folder_removed_under_a_server_does_not_keep_the_next_from_starting(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "cache"
    with fresh(folder) as before:
        before.ping()
        folder.rename(tmp_path / "elsewhere")
        with fresh(folder) as after:
            after.ping()
            assert server_process(after) != server_process(before)
    assert not is_running(tmp_path / "elsewhere")


def test_a_file_that_the_server_cannot_read_is_a_clear_error(tmp_path: Path) -> None:
    with fresh(tmp_path) as cache:
        put(cache, DAYS[0], table(row("a")))
    for part in (tmp_path / "appendonlydir").glob("*.incr.aof"):
        part.write_bytes(b"rubbish\r\n" * 20)
    with pytest.raises(CacheUnavailable, match="Bad file format") as caught:
        cache.ping()
    assert f"Remove {tmp_path}" in str(caught.value)
    cache.close()
