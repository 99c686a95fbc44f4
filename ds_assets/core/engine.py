"""What a computation needs of the engine that runs it: the PySpark DataFrame API.

Feature code is written once against these names; an engine is DuckDB in the process or Spark.
Belongs here: the contract. The engines themselves are resources.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any, Protocol

DataFrame = Any
"""A DataFrame of the PySpark API, of whichever engine runs."""


class Engine(Protocol):
    """The parts of the PySpark API that feature code uses."""

    @property
    def functions(self) -> Any:
        """The module of column functions: `pyspark.sql.functions` or its equal."""
        ...

    @property
    def session(self) -> Any:
        """The session, of which only `createDataFrame` is used."""
        ...

    @property
    def window(self) -> Any:
        """The class that builds window specifications."""
        ...


def frame_of_days(days: Iterable[dt.date], name: str, engine: Engine) -> DataFrame:
    """A frame of one column of days, each once, ascending."""
    rows = [(day,) for day in sorted(set(days))]
    return engine.session.createDataFrame(rows, f"{name} date")
