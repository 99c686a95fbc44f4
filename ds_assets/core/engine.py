"""The part of the PySpark DataFrame API that feature code uses.

Feature code is written once against this interface, and runs on DuckDB in the process or on Spark.

Scope: the interface. The engines are in `infra.engines`.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache, wraps
from typing import Any, ParamSpec, Protocol, TypeVar, cast

_Arguments = ParamSpec("_Arguments")
_Plan = TypeVar("_Plan")

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

    def values(
        self, rows: Sequence[tuple[object, ...]], columns: str
    ) -> AbstractContextManager[DataFrame]:
        """Open a frame of a few rows, which is valid within the context; see `plan_once`.

        Args:
            rows: The rows.
            columns: Name and type of each column, such as `snapshot date`.
        """
        ...

    def plan(self, build: Callable[..., DataFrame], arguments: tuple[Any, ...]) -> DataFrame:
        """Return the frame that a function builds from its arguments; see `plan_once`."""
        ...

    def step(self, frame: DataFrame) -> DataFrame:
        """Return a frame of the same rows, on which further steps are planned as on a table.

        An operation on a frame can take as long to plan as everything that the frame is made of.
        """
        ...


@contextmanager
def pausing_garbage_collection() -> Iterator[None]:
    """Keep Python from searching all objects for garbage within the context.

    Building a query makes a hundred thousand objects, of which few are garbage. Without a pause,
    half of the time is spent on searching them and everything else in the process.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def plan_once(build: Callable[_Arguments, _Plan]) -> Callable[_Arguments, _Plan]:
    """Let a function that builds frames return the same ones for the same arguments.

    Building a query takes longer than running it on a small day. An engine may open the same frame
    again for other rows, as DuckDB does; then the queries of a game are built once per process, or
    by another process before.

    Args:
        build: Takes frames, plain values, and the engine as the last argument.
    """

    @lru_cache(maxsize=_MAX_PLANS_PER_FUNCTION)
    @wraps(build)
    def plan(*arguments: Any) -> Any:
        engine: Engine = arguments[-1]
        return engine.plan(build, arguments)

    return cast("Callable[_Arguments, _Plan]", plan)


_MAX_PLANS_PER_FUNCTION = 16
