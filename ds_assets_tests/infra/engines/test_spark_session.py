import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest

from ds_assets.errors import InputError
from ds_assets.infra.engines import spark_session
from ds_assets.infra.engines.spark_session import SparkUnavailable, remote_session


@pytest.fixture
def silent() -> Iterator[str]:
    """Address of a server that accepts connections but never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_named_within_bounded_time(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_session, "_CONNECT_TIMEOUT_S", 1)
    with pytest.raises(
        SparkUnavailable, match=rf"no Spark Connect server answers at {silent} within 1"
    ):
        remote_session(f"sc://{silent}/;token=Hunter2")


@pytest.mark.parametrize("address", ["sc://host/;token=Hunter2==", "sc://", "sc://host/path"])
def test_an_invalid_address_is_an_input_error_that_repeats_no_token(address: str) -> None:
    with pytest.raises(InputError, match=r"DS_ASSETS_SPARK_REMOTE is not an address") as caught:
        remote_session(address)
    assert "Hunter2" not in str(caught.value)


@contextmanager
def grpc_server(status: grpc.StatusCode) -> Iterator[str]:
    """Address of a gRPC server that ends every call with a status."""

    def end(_: object, context: grpc.ServicerContext) -> None:
        context.abort(status, "of the test")

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
        def service(self, _: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            return grpc.unary_unary_rpc_method_handler(end)

    with ThreadPoolExecutor() as executor:
        server = grpc.server(executor, handlers=[Handler()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(grace=None).wait()


@pytest.mark.slow
@pytest.mark.filterwarnings(r"ignore:\[RETRIES_EXCEEDED\]")  # PySpark warns, then raises
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (grpc.StatusCode.UNAVAILABLE, SparkUnavailable),
        (grpc.StatusCode.UNIMPLEMENTED, InputError),
        (grpc.StatusCode.UNAUTHENTICATED, InputError),
    ],
)
def test_a_server_that_refuses_a_session_is_an_input_error_unless_it_is_worth_a_retry(
    status: grpc.StatusCode, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_session, "_RETRIES", 0)
    with grpc_server(status) as address:
        sentence = rf"{address} \(DS_ASSETS_SPARK_REMOTE\) does not open a session"
        with pytest.raises(error, match=sentence):
            remote_session(f"sc://{address}")


def complaint(code: str, **environment: str) -> str:
    """What a process of its own says: Spark starts once in a process."""
    program = f"from ds_assets.infra.engines.spark_session import *\n{code}"
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    return ended.stderr.splitlines()[-1]


@pytest.mark.slow
def test_without_java_it_is_said_what_to_install() -> None:
    text = complaint("started_session('local[1]', 512)", JAVA_HOME="/nowhere", PATH="/nowhere:/bin")
    assert "Spark does not start (DS_ASSETS_SPARK_MASTER): it needs Java 17 or later" in text


@pytest.mark.parametrize("call", ["started_session('local', 512)", "remote_session('sc://host')"])
def test_without_spark_it_is_said_how_to_install_it(call: str) -> None:
    text = complaint(f"import sys\nsys.modules['pyspark'] = None\n{call}", PATH="/nowhere")
    assert 'which is not installed: pip install "ds_assets[spark]"' in text
