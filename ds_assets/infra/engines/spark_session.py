"""Spark sessions in which computations have the same results as in the embedded engine.

Scope: starting or connecting to Spark, and the settings on which results depend. What else a
cluster needs, such as credentials of its storage, belongs in Spark's own configuration.
"""

import atexit
import os
import re
import sys
import tempfile
from typing import Any

from ds_assets.errors import InputError, Unavailable
from ds_assets.infra.engines.spark_tables import without_pandas_warning

_REMOTE, _MASTER = "DS_ASSETS_SPARK_REMOTE", "DS_ASSETS_SPARK_MASTER"
_CONNECT_TIMEOUT_S = 30
_RETRIES, _MAX_BACKOFF_MS = 6, 5_000
_TRANSIENT = {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
"""gRPC status codes of a server that cannot be used at the moment."""
_MIN_HEAP_MB = 512

_SEMANTICS = {
    # Times are in the game's time zone, without an offset, and must not be converted.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    # An overflow is an error, not a null or a wrapped number.
    "spark.sql.ansi.enabled": "true",
    # An unreadable file must not look like an empty one.
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
}


class SparkUnavailable(Unavailable):
    """The Spark Connect server cannot be used at the moment."""


def remote_session(address: str) -> Any:
    """Open a session of a Spark Connect server.

    Args:
        address: `sc://HOST:PORT`, optionally with parameters.

    Raises:
        InputError: the client is not installed, the address is not valid, or the server refuses
            the session.
        SparkUnavailable: no server answers.
    """
    try:
        with without_pandas_warning():
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
        where = builder.endpoint  # without the token that the address may contain
        with builder.toChannel() as channel:  # a session would retry for ten minutes
            grpc.channel_ready_future(channel).result(timeout=_CONNECT_TIMEOUT_S)
        session = SparkSession.builder.channelBuilder(builder).create()
        policy = DefaultPolicy(max_retries=_RETRIES, max_backoff=_MAX_BACKOFF_MS)
        session.client.set_retry_policies([policy])
        _settle(session)
    except grpc.FutureTimeoutError:
        raise SparkUnavailable(
            f"no Spark Connect server answers at {where} within {_CONNECT_TIMEOUT_S} seconds "
            f"({_REMOTE}); start it, or name another"
        ) from None
    except SparkConnectGrpcException as error:
        kind = SparkUnavailable if error.getGrpcStatusCode().name in _TRANSIENT else InputError
        details = re.search('details = "(.*?)"', str(error))
        raise kind(
            f"the server at {where} ({_REMOTE}) does not open a session of Spark Connect: "
            f"{details[1] if details else _first_line(error)}"
        ) from None
    except (PySparkException, ValueError):  # whose message would repeat the token
        raise InputError(
            f"{_REMOTE} is not an address of Spark Connect; accepted are sc://HOST:PORT and "
            "sc://HOST:PORT/;NAME=VALUE"
        ) from None
    atexit.register(session.stop)
    return session


def started_session(master: str, memory_limit_mb: int) -> Any:
    """Start a local Spark, or a driver on a cluster, and open a session.

    Args:
        master: Spark master: `local[N]`, or the address of a cluster.
        memory_limit_mb: Heap of a local Spark.

    Raises:
        InputError: Spark or Java is not installed, or the master is not valid.
    """
    try:
        with without_pandas_warning():
            # Loaded here because PySpark would load it later, and emit its warning then.
            import pyspark.testing.utils  # noqa: F401, PLC0415
            from py4j.protocol import Py4JError  # noqa: PLC0415  (slow, and only with the extra)
            from pyspark.errors import PySparkException  # noqa: PLC0415
            from pyspark.sql import SparkSession  # noqa: PLC0415
    except ImportError as error:
        raise _not_installed(_MASTER, error) from None
    builder: Any = SparkSession.builder.appName("ds_assets").config(map=_quiet_settings())
    if master.startswith("local"):
        # Local workers use the same environment as this process.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = builder.config(map=_local_settings(memory_limit_mb))
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
    """Return whether a session still responds. A server's sessions end with the server."""
    from pyspark.errors import PySparkException  # noqa: PLC0415  (as above)

    try:
        return bool(session.conf.get("spark.sql.session.timeZone"))
    except PySparkException:
        return False


def _settle(session: Any) -> None:
    for key, value in _SEMANTICS.items():
        session.conf.set(key, value)


def _quiet_settings() -> dict[str, Any]:
    return {
        "spark.log.level": "ERROR",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Not in the working directory, which may be read-only.
        "spark.sql.warehouse.dir": f"{tempfile.gettempdir()}/ds_assets_warehouse_{os.getpid()}",
    }


def _local_settings(memory_limit_mb: int) -> dict[str, Any]:
    """Return the settings of a local Spark."""
    return {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": f"{max(memory_limit_mb, _MIN_HEAP_MB)}m",
        "spark.local.dir": tempfile.gettempdir(),
    }


def _not_installed(setting: str, error: ImportError) -> InputError:
    return InputError(
        f'{setting} needs Spark, which is not installed: pip install "ds_assets[spark]" '
        f"({_first_line(error)})"
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
