"""SQL of plans in a folder, so that a process does not plan what another one has planned.

Building the queries of a day takes longer than running them on a small game. They depend on the
code, the game file and nothing else, so their SQL is kept, as Python keeps compiled modules.

Scope: what identifies a plan, frames that are built only when they are needed, and the files.
"""

import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ds_assets.core.engine import DataFrame

_PLANNERS = ("duckdb", "sqlframe", "sqlglot")
_PACKAGE = Path(__file__).parents[2]
_PLAIN = (bool, int, float, str, tuple, type(None))
_log = logging.getLogger(__name__)


class PlannedFrame:
    """A frame that is built when something other than its SQL is asked of it.

    Args:
        build: Builds it.
        key: What identifies it, the same in all processes; None if only this one has it.
        sql: Its SQL; None if that has to be planned.
    """

    def __init__(
        self, build: Callable[[], DataFrame], key: str | None, sql: str | None = None
    ) -> None:
        self._build = build
        self.plan_key = key
        self.stored_sql = sql

    @cached_property
    def frame(self) -> DataFrame:
        """The frame itself."""
        frame = self._build()
        if self.plan_key is not None:
            frame.plan_key = self.plan_key
        return frame

    def __getattr__(self, name: str) -> Any:
        return getattr(self.frame, name)


class StoredPlans:
    """SQL of plans by their keys; files of other versions of the code are removed.

    Args:
        folder: Is created when needed. Where it cannot be written, nothing is stored.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / fingerprint_code()

    def read(self, key: str) -> str | None:
        """The SQL of a plan; none if it is not stored."""
        try:
            return (self._folder / f"{key}.sql").read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, key: str, sql: str) -> None:
        """Store the SQL of a plan; other processes have the whole of it, or nothing."""
        try:
            self._make_folder()
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=self._folder, delete=False
            ) as file:
                file.write(sql)
            Path(file.name).replace(self._folder / f"{key}.sql")
        except OSError as error:
            _log.info("a plan is not stored, so each process plans it: %s", error)

    def _make_folder(self) -> None:
        if self._folder.exists():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for other in self._folder.parent.iterdir():
            if other != self._folder:
                shutil.rmtree(other, ignore_errors=True)  # another process may be at it as well


def key_of(build: Callable[..., DataFrame], arguments: tuple[Any, ...]) -> str | None:
    """What identifies the frame that a function builds; None if a frame given to it has no key.

    Args:
        build: The function.
        arguments: Its arguments but for the engine.

    Raises:
        TypeError: an argument is neither a frame nor a plain value or a record of such.
    """
    texts = [_describe(argument) for argument in arguments]
    if None in texts:
        return None
    text = "\n".join([build.__module__, build.__qualname__, *map(str, texts)])
    return hashlib.sha256(text.encode()).hexdigest()


def real_frame(argument: Any) -> Any:
    """The frame itself of an argument that is planned; other arguments stay as they are."""
    return argument.frame if isinstance(argument, PlannedFrame) else argument


def _describe(argument: Any) -> str | None:
    if isinstance(argument, BaseModel):
        return argument.model_dump_json()
    if isinstance(argument, _PLAIN) or is_dataclass(argument):
        return repr(argument)
    if hasattr(type(argument), "sparkSession") or isinstance(argument, PlannedFrame):
        key: str | None = getattr(argument, "plan_key", None)
        return key
    raise TypeError(f"a plan cannot depend on {type(argument).__name__}")


@cache
def fingerprint_code() -> str:
    """What differs if the code that plans does: files of the package, and versions."""
    versions = (f"{name} {version(name)}" for name in _PLANNERS)
    text = "\n".join([*versions, *sorted(_list_files(_PACKAGE))])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _list_files(folder: Path) -> Iterator[str]:
    """Name, size and time of change of each module, as Python compares them."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _list_files(Path(entry.path))
            elif entry.name.endswith(".py"):
                stat = entry.stat()
                yield f"{entry.path} {stat.st_size} {stat.st_mtime_ns}"
