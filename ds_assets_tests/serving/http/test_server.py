"""The API as a server: granian and its worker processes."""

import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import httpx
import pytest

from ds_assets.errors import InputError
from ds_assets.local_servers.process import free_port
from ds_assets.serving.http.auth import KeyFile
from ds_assets.serving.http.requests import MAX_BODY_BYTES
from ds_assets.serving.http.server import kill_workers_after, serve
from ds_assets.serving.http.workers import Shared
from ds_assets_tests.serving.http.clients import Service
from ds_assets_tests.serving.http.fake import SLOW

USER = "/v1/users/u1/prediction"
MAX_START_SECONDS = 3
"""Of a processor: the machine of the tests may be busy."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service")) as running_service:
        yield running_service


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as http_client:
        yield http_client


def worker_of(metrics: str) -> int:
    """Number of the process that the first of these metrics is of."""
    return int(metrics.partition('worker="')[2].partition('"')[0])


def never_made(_shared: Shared) -> NoReturn:
    pytest.fail("an application was made")


def raw(service: Service, request: bytes) -> bytes:
    """The first line of a reply to bytes that no client would send."""
    host, _, port = service.url.rpartition("/")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        return connection.recv(4_096).partition(b"\r\n")[0]


@pytest.mark.server
def test_the_hot_routes_answer(client: httpx.Client) -> None:
    assert client.get(USER).json()["user_id"] == "u1"
    reply = client.post("/v1/predictions", json={"user_ids": ["a"] * 1_000})
    assert len(reply.json()["predictions"]) == 1_000
    assert client.head(USER).content == b""


@pytest.mark.server
@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /v1/users/%b/prediction HTTP/1.1\r\nHost: x\r\n\r\n" % (b"x" * 1_000_000), b"431"),
        (b"GET /v1/users/\xc3\xa9/prediction HTTP/1.1\r\nHost: x\r\n\r\n", b"401"),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET /x HTTP/1.1\r\nHost: x\r\nX: \xff\r\n\r\n", b"404"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
    ],
)
def test_bytes_that_no_client_sends_are_a_mistake_of_the_client(
    service: Service, request_bytes: bytes, status: bytes
) -> None:
    assert raw(service, request_bytes).split()[1] == status


@pytest.mark.server
def test_a_body_that_is_too_large_is_refused_and_the_refusal_is_read(client: httpx.Client) -> None:
    json = {"Content-Type": "application/json"}
    reply = client.post("/v1/predictions", content=b" " * (MAX_BODY_BYTES + 1), headers=json)
    assert reply.status_code == 413
    assert client.get(USER).is_success


@pytest.mark.server
def test_a_key_that_is_revoked_is_worth_nothing_a_second_later(
    service: Service, client: httpx.Client
) -> None:
    headers = {"Authorization": f"Bearer {service.keys.add('guest')}"}
    time.sleep(1.1)
    assert client.get(USER, headers=headers).is_success
    service.keys.revoke("guest")
    time.sleep(1.1)
    assert client.get(USER, headers=headers).status_code == 401
    assert client.get(USER).is_success


@pytest.mark.server
def test_a_key_is_used_too_often_in_one_second_only(tmp_path: Path) -> None:
    with Service(tmp_path, rate=5) as service, service.client() as client:
        statuses = [client.get(USER).status_code for _ in range(20)]
        assert statuses[:5] == [200] * 5
        assert 429 in statuses
        time.sleep(1)
        assert client.get(USER).is_success


@pytest.mark.server
@pytest.mark.skipif(sys.platform != "linux", reason="a policy of Linux")
def test_no_thread_of_a_worker_interrupts_another(client: httpx.Client) -> None:
    worker = worker_of(client.get("/metrics").text)
    threads = [int(task.name) for task in Path(f"/proc/{worker}/task").iterdir()]
    assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_BATCH}


@pytest.mark.server
@pytest.mark.slow
def test_workers_tell_of_each_other_and_one_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with Service(tmp_path, workers=2) as service:
        for _ in range(40):
            with service.client() as client:  # a connection of its own, for either worker
                client.get(USER)
        time.sleep(1.5)
        with service.client() as client:
            text = client.get("/metrics").text
            counted = {
                worker_of(line): float(line.rpartition(" ")[2])
                for line in text.splitlines()
                if line.startswith("ds_assets_http_requests_total") and "/v1/users" in line
            }
            assert sum(counted.values()) == 40
            workers = {
                worker_of(line)
                for line in text.splitlines()
                if line.startswith("ds_assets_cache_hits_total")
            }
        assert len(workers) == 2
        os.kill(min(workers), signal.SIGKILL)
        time.sleep(2)
        for _ in range(10):
            with service.client() as client:
                assert client.get(USER).is_success


@pytest.mark.server
@pytest.mark.slow
def test_a_service_that_is_told_to_end_answers_everybody_who_has_asked(tmp_path: Path) -> None:
    with Service(tmp_path) as service, ThreadPoolExecutor(20) as pool:
        clients = [service.client() for _ in range(20)]
        slow = [
            pool.submit(client_connection.get, f"/v1/users/{SLOW}/prediction")
            for client_connection in clients
        ]
        time.sleep(0.5)
        service.stop()
        assert [future.result().status_code for future in slow] == [200] * 20
        for client_connection in clients:
            client_connection.close()
    assert service.log.read_text().splitlines()[1:] == ["closed"]


def request_until_sent_away(service: Service, ends_at: float) -> tuple[int, bool]:
    """Send requests on one connection until a reply asks the client to connect elsewhere.

    Returns:
        The number of replies, and whether one of them did. Every request must get a reply.
    """
    answers = 0
    with service.client() as client:
        while time.monotonic() < ends_at:
            reply = client.get(USER)
            assert reply.is_success
            answers += 1
            if reply.headers.get("connection") == "close":
                return answers, True
    return answers, False


@pytest.mark.server
@pytest.mark.slow
def test_no_request_is_lost_of_clients_that_ask_without_a_pause_while_it_ends(
    tmp_path: Path,
) -> None:
    with Service(tmp_path) as service, ThreadPoolExecutor(10) as pool:
        ends_at = time.monotonic() + 20
        asking = [pool.submit(request_until_sent_away, service, ends_at) for _ in range(10)]
        time.sleep(1)
        service.stop()
        assert [sent_away for _, sent_away in (future.result() for future in asking)] == [True] * 10
    assert service.log.read_text().splitlines()[1:] == ["closed"]


def test_a_worker_that_does_not_stop_is_killed_and_that_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    worker = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
    worker.start()
    kill_workers_after(0.1)
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    assert capsys.readouterr().out == (
        f"worker {worker.pid} did not stop within 0.1 s and was killed\n"
    )


@pytest.mark.server
@pytest.mark.slow
def test_its_start_takes_little(tmp_path: Path) -> None:
    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = spent()
    with Service(tmp_path) as service, service.client() as client:
        assert client.get("/readyz").is_success
    assert spent() - before < MAX_START_SECONDS


def test_without_a_key_it_listens_to_this_machine_only(tmp_path: Path) -> None:
    everywhere = "0.0.0.0"  # noqa: S104  (that is what is refused)
    with pytest.raises(
        InputError, match=r"requires an API key; create one with `ds-assets keys add"
    ):
        serve(never_made, KeyFile(tmp_path / "none"), everywhere, free_port(), 1)


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.7", "no such host"])
def test_an_address_that_is_not_free_is_told(tmp_path: Path, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen on {host}, port {port}"):
            serve(never_made, KeyFile(tmp_path / "none"), host, port, 1)


@pytest.mark.slow
def test_what_serves_is_light() -> None:
    code = (
        "import sys, ds_assets.serving.http.adapter, ds_assets.installation; "
        "sys.exit(any(name in sys.modules for name in ('dagster', 'duckdb', 'sklearn', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
