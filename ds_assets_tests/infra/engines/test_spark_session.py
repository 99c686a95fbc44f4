import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ds_assets.errors import InputError
from ds_assets.infra.engines import spark_session
from ds_assets.infra.engines.spark_session import remote_session


@pytest.fixture
def silent() -> Iterator[str]:
    """Address of somebody who takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_named_within_bounded_time(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_session, "_CONNECT_TIMEOUT_S", 1)
    with pytest.raises(InputError, match=rf"no Spark Connect server answers at {silent} within 1"):
        remote_session(f"sc://{silent}/;token=Hunter2")


@pytest.mark.parametrize("address", ["sc://host/;token=Hunter2==", "sc://", "sc://host/path"])
def test_what_is_no_address_is_a_plain_mistake_that_repeats_no_token(address: str) -> None:
    with pytest.raises(InputError, match=r"DS_ASSETS_SPARK_REMOTE is not an address") as caught:
        remote_session(address)
    assert "Hunter2" not in str(caught.value)


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
