"""The part of the PySpark DataFrame API that feature code uses.

Feature code is written once against this interface, and runs on DuckDB in the process or on Spark.

Scope: the interface. The engines are in `infra.engines`.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any, Protocol

DataFrame = Any
"""A PySpark-compatible DataFrame of any engine."""


class Engine(Protocol):
    """An engine that runs feature code."""

    @property
    def functions(self) -> Any:
        """The module of column functions: `pyspark.sql.functions` or a compatible one."""
        ...

    @property
    def session(self) -> Any:
        """The session. Only its method `createDataFrame` is used."""
        ...

    @property
    def window(self) -> Any:
        """The class that builds window specifications: `Window`."""
        ...


def frame_of_days(days: Iterable[dt.date], name: str, engine: Engine) -> DataFrame:
    """Make a frame with one column of distinct days, ascending."""
    rows = [(day,) for day in sorted(set(days))]
    return engine.session.createDataFrame(rows, f"{name} date")
