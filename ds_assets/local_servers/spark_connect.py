"""A private server of Spark Connect, whose Python workers have the packages of this process."""

import importlib.util
import os
import sys
from pathlib import Path

from ds_assets.errors import InputError
from ds_assets.local_servers.process import ServerProcess, accepts, free_port

_CLASS = "org.apache.spark.sql.connect.service.SparkConnectServer"


class SparkConnectServer(ServerProcess):
    """Spark Connect on a free port, which needs no password.

    Args:
        folder: Takes its log and its warehouse; it is made.
        master: Spark master, such as `local[2]`.
        heap_mb: Heap of its JVM, in MB.

    Attributes:
        url: Its address.

    Raises:
        InputError: Spark is not installed.
    """

    def __init__(self, folder: Path, master: str, heap_mb: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.url = f"sc://127.0.0.1:{port}"
        home = _spark_home()
        settings = {
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(port),
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
            "spark.ui.enabled": "false",
        }
        command = [str(home / "bin" / "spark-submit"), "--master", master, "--class", _CLASS]
        command += ["--driver-memory", f"{heap_mb}m"]
        for key, value in settings.items():
            command += ["--conf", f"{key}={value}"]
        environment = {
            "SPARK_HOME": str(home),
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        super().__init__(
            [*command, "spark-internal"], folder / "log.txt", lambda: accepts(port), environment
        )


def _spark_home() -> Path:
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise InputError('Spark is not installed: pip install "ds_assets[spark]"')
    return Path(spec.origin).parent
