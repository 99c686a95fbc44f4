"""A session of Spark in which a computation means what it means in the embedded engine.

Belongs here: starting or reaching Spark, and the settings on which results depend. What a cluster
needs beside them, as the credentials of its storage, is Spark's own configuration.
"""

import atexit
import os
import re
import sys
import tempfile
from typing import Any

from ds_assets.errors import InputError
from ds_assets.infra.engines.spark_tables import no_word_of_pandas

_REMOTE, _MASTER = "DS_ASSETS_SPARK_REMOTE", "DS_ASSETS_SPARK_MASTER"
_CONNECT_SECONDS = 30
_RETRIES, _LONGEST_PAUSE_MS = 6, 5_000
_LEAST_HEAP_MB = 512

_MEANING = {
    # Times are those of the game's clock, without a zone; nothing may move them.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    # What does not fit is an error, and neither a null nor a wrapped number.
    "spark.sql.ansi.enabled": "true",
    # A file that cannot be read must not look like one without rows.
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
}


def remote_session(address: str) -> Any:
    """A session of a Spark Connect server.

    Args:
        address: `sc://HOST:PORT`, and what Spark Connect takes behind it.

    Raises:
        InputError: the client is not installed, the address is none, or no server answers there.
    """
    try:
        with no_word_of_pandas():
            import grpc  # noqa: PLC0415  (slow, and only there with the extra)
            from pyspark.errors import PySparkException  # noqa: PLC0415
            from pyspark.errors.exceptions.connect import SparkConnectGrpcException  # noqa: PLC0415
            from pyspark.sql.connect.client import DefaultChannelBuilder  # noqa: PLC0415
            from pyspark.sql.connect.client.retries import DefaultPolicy  # noqa: PLC0415
            from pyspark.sql.connect.session import SparkSession  # noqa: PLC0415
    except ImportError as error:
        raise _not_installed(_REMOTE, error) from None
    try:
        builder = DefaultChannelBuilder(address)
        where = builder.endpoint  # without the token that the address may hold
        with builder.toChannel() as channel:  # a session would try for ten minutes
            grpc.channel_ready_future(channel).result(timeout=_CONNECT_SECONDS)
        session = SparkSession.builder.channelBuilder(builder).create()
        policy = DefaultPolicy(max_retries=_RETRIES, max_backoff=_LONGEST_PAUSE_MS)
        session.client.set_retry_policies([policy])
        _settle(session)
    except grpc.FutureTimeoutError:
        raise InputError(
            f"no Spark Connect server answers at {where} within {_CONNECT_SECONDS} seconds "
            f"({_REMOTE}); start it, or name another"
        ) from None
    except SparkConnectGrpcException as error:
        said = re.search('details = "(.*?)"', str(error))
        raise InputError(
            f"what answers at {where} ({_REMOTE}) does not open a session of Spark Connect: "
            f"{said[1] if said else _first_line(error)}"
        ) from None
    except (PySparkException, ValueError):  # whose words would repeat the token
        raise InputError(
            f"{_REMOTE} is not an address of Spark Connect; accepted are sc://HOST:PORT and "
            "sc://HOST:PORT/;NAME=VALUE"
        ) from None
    atexit.register(session.stop)
    return session


def started_session(master: str, memory_limit_mb: int) -> Any:
    """A session of a Spark that is started for this process, or whose driver is.

    Args:
        master: `local[N]`, or a cluster's address in Spark's words.
        memory_limit_mb: Heap of a local Spark.

    Raises:
        InputError: Spark or Java is not installed, or the master is none.
    """
    try:
        with no_word_of_pandas():
            # What PySpark would load, and warn in, at some later moment.
            import pyspark.testing.utils  # noqa: F401, PLC0415
            from py4j.protocol import Py4JError  # noqa: PLC0415  (slow, and only with the extra)
            from pyspark.errors import PySparkException  # noqa: PLC0415
            from pyspark.sql import SparkSession  # noqa: PLC0415
    except ImportError as error:
        raise _not_installed(_MASTER, error) from None
    builder: Any = SparkSession.builder.appName("ds_assets").config(map=_quiet())
    if master.startswith("local"):
        # The workers of this machine have what this process has.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = builder.config(map=_private(memory_limit_mb))
    try:
        session = builder.master(master).getOrCreate()
        _settle(session)
    except (PySparkException, Py4JError) as error:
        if "JAVA_GATEWAY_EXITED" in str(error):
            raise InputError(
                f"Spark does not start ({_MASTER}): it needs Java 17 or later; install it, or name "
                "its folder with JAVA_HOME. What it printed is above"
            ) from None
        raise InputError(f"{_MASTER}={master} cannot be used: {_first_line(error)}") from None
    return session


def is_alive(session: Any) -> bool:
    """Whether a session still answers; that of a server ends when the server does."""
    from pyspark.errors import PySparkException  # noqa: PLC0415  (as above)

    try:
        return bool(session.conf.get("spark.sql.session.timeZone"))
    except PySparkException:
        return False


def _settle(session: Any) -> None:
    for key, value in _MEANING.items():
        session.conf.set(key, value)


def _quiet() -> dict[str, Any]:
    return {
        "spark.log.level": "ERROR",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Not the working directory, which may be read-only.
        "spark.sql.warehouse.dir": f"{tempfile.gettempdir()}/ds_assets_warehouse_{os.getpid()}",
    }


def _private(memory_limit_mb: int) -> dict[str, Any]:
    """Settings of a Spark that is this process's alone."""
    return {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": f"{max(memory_limit_mb, _LEAST_HEAP_MB)}m",
        "spark.local.dir": tempfile.gettempdir(),
    }


def _not_installed(setting: str, error: ImportError) -> InputError:
    return InputError(
        f'{setting} needs Spark, which is not installed: pip install "ds_assets[spark]" '
        f"({_first_line(error)})"
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
