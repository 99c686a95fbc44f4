"""What each fault does, seen by a client of a server that sends back what it gets."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from ds_assets_tests.faults.proxy import (
    BLACK_HOLE,
    HALF_OPEN,
    NONE,
    REFUSED,
    UNREACHABLE,
    Bandwidth,
    FaultProxy,
    Latency,
    Reset,
)


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, EchoServer)
        with suppress(ConnectionError):
            while content := self.request.recv(65_536):
                self.request.sendall(content)
        server.ended.set()


class EchoServer(socketserver.ThreadingTCPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.ended = threading.Event()
        """A connection has ended here."""


@pytest.fixture
def server() -> Iterator[EchoServer]:
    with EchoServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(server: EchoServer) -> Iterator[FaultProxy]:
    with FaultProxy(server.server_address[1]) as proxy:
        yield proxy


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=10)


def receive(client: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size and (part := client.recv(size - len(content))):
        content += part
    return content


def echo(client: socket.socket, content: bytes = b"hello") -> bytes:
    client.sendall(content)
    return receive(client, len(content))


def assert_silent(client: socket.socket) -> None:
    client.settimeout(0.1)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(10)


def test_without_a_fault_everything_passes_and_is_counted(
    proxy: FaultProxy, server: EchoServer
) -> None:
    with connect(proxy) as first, connect(proxy) as other:
        assert (echo(first), echo(other, b"x" * 200_000)) == (b"hello", b"x" * 200_000)
        first.shutdown(socket.SHUT_WR)
        assert first.recv(1) == b""
    assert server.ended.wait(10)
    assert (proxy.connections, proxy.passed) == (2, {"up": 200_005, "down": 200_005})


@pytest.mark.parametrize(
    ("fault", "least"),
    [(Latency(0.1), 0.2), (Latency(0.1, "up"), 0.1), (Latency(0.1, "down"), 0.1)],
)
def test_latency_delays_each_way_it_is_for_and_keeps_the_order(
    proxy: FaultProxy, fault: Latency, least: float
) -> None:
    with connect(proxy) as client:
        proxy.fault = fault
        began = time.monotonic()
        for part in (b"a", b"b", b"c"):
            client.sendall(part)
        assert receive(client, 3) == b"abc"
        assert time.monotonic() - began >= least


def test_bandwidth_limits_the_bytes_of_a_second(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        proxy.fault = Bandwidth(100_000)
        began = time.monotonic()
        assert echo(client, b"x" * 20_000) == b"x" * 20_000
        assert time.monotonic() - began >= 0.15


def test_a_reset_comes_after_its_bytes_on_each_connection(
    proxy: FaultProxy, server: EchoServer
) -> None:
    with connect(proxy) as old:
        assert echo(old) == b"hello"
        proxy.fault = Reset(after=3)
        with connect(proxy) as new:
            for client in (old, new):
                server.ended.clear()
                client.sendall(b"hello")
                assert receive(client, 3) == b"hel"
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
                assert server.ended.wait(10)


def test_a_reset_on_the_way_up_keeps_the_rest_from_the_server(proxy: FaultProxy) -> None:
    proxy.fault = Reset(after=100_000, way="up")
    with connect(proxy) as client, pytest.raises(ConnectionError):  # noqa: PT012
        client.sendall(b"x" * 5_000_000)
        receive(client, 5_000_000)
    assert proxy.passed["up"] == 100_000


def test_in_a_black_hole_nothing_passes_until_it_is_over(proxy: FaultProxy) -> None:
    with connect(proxy) as old:
        assert echo(old) == b"hello"
        proxy.fault = BLACK_HOLE
        with connect(proxy) as new:
            for client in (old, new):
                client.sendall(b"late")
                assert_silent(client)
            assert proxy.passed["up"] == 5
            proxy.fault = NONE
            assert (receive(old, 4), receive(new, 4)) == (b"late", b"late")


@pytest.mark.slow
def test_an_unreachable_server_lets_no_connect_complete(proxy: FaultProxy) -> None:
    with connect(proxy) as old:
        proxy.fault = UNREACHABLE
        for _ in range(2):
            with pytest.raises(TimeoutError):
                socket.create_connection(("127.0.0.1", proxy.port), timeout=0.3)
        old.sendall(b"late")
        assert_silent(old)
        proxy.fault = NONE
        assert receive(old, 4) == b"late"
        with connect(proxy) as new:
            assert echo(new) == b"hello"
    assert proxy.connections == 2


def test_a_half_open_connection_has_lost_the_server_and_does_not_know(
    proxy: FaultProxy, server: EchoServer
) -> None:
    with connect(proxy) as old:
        assert echo(old) == b"hello"
        for _ in range(2):
            proxy.fault = HALF_OPEN
            assert server.ended.wait(10)
            old.sendall(b"anybody?")
            assert_silent(old)
        with connect(proxy) as new:
            assert echo(new) == b"hello"
        proxy.fault = NONE
        assert_silent(old)
    assert proxy.passed["up"] == 10


def test_a_refusing_server_resets_what_is_open_and_comes_back(
    proxy: FaultProxy, server: EchoServer
) -> None:
    with connect(proxy) as old:
        assert echo(old) == b"hello"
        proxy.fault = REFUSED
        with pytest.raises(ConnectionResetError):
            old.recv(1)
        assert server.ended.wait(10)
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)
    proxy.fault = NONE
    with connect(proxy) as new:
        assert echo(new) == b"hello"


def test_a_server_that_is_not_there_resets_the_client() -> None:
    with FaultProxy(1) as proxy, pytest.raises(ConnectionResetError), connect(proxy) as client:
        client.recv(1)


@pytest.mark.parametrize(
    "fault", [NONE, BLACK_HOLE, UNREACHABLE, HALF_OPEN, REFUSED, Latency(60), Bandwidth(1)]
)
def test_nothing_is_left_when_it_ends_whatever_is_going_on(
    server: EchoServer, fault: object
) -> None:
    with FaultProxy(server.server_address[1]) as proxy:
        client = connect(proxy)
        assert echo(client) == b"hello"
        proxy.fault = fault  # type: ignore[assignment]
        with suppress(ConnectionError):
            client.sendall(b"some more")
        threads = [thread for thread in threading.enumerate() if thread.name == "fault proxy"]
        assert len(threads) == 1
    assert not threads[0].is_alive()
    with client, suppress(ConnectionResetError):
        receive(client, 100)  # to the end
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
