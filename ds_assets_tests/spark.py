"""Spark for tests: one in the process, and the configuration of every Spark that they start."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ds_assets.infra.engines.spark_session import started_session

MASTER = "local[2]"
HEAP_MB = 1024
_DEFAULTS = {
    "spark.sql.shuffle.partitions": "2",  # the data is small
    "spark.ui.enabled": "false",
    # Tests run each query once or twice: code compiled for speed would never pay for itself.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}


@contextmanager
def spark_defaults(folder: Path) -> Iterator[None]:
    """An environment in which every Spark that starts has the configuration of tests."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{key} {value}\n" for key, value in _DEFAULTS.items())
    (folder / "spark-defaults.conf").write_text(text)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SPARK_CONF_DIR", str(folder))
        yield


def local_session(folder: Path) -> Any:
    """A session of the Spark in this process; it is started once, and ends with the process."""
    with spark_defaults(folder):
        return started_session(MASTER, HEAP_MB)
