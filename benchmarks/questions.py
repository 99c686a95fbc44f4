"""Requests for the servers: files with one request per line.

Scope: the bodies that our server and its peers need for the same request.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

One = TypeVar("One")


def written(file: Path, requests: Iterable[str]) -> Path:
    """The file, with these requests."""
    file.write_text("".join(f"{request}\n" for request in requests), encoding="utf-8")
    return file


def paths(user_ids: Iterable[str]) -> Iterator[str]:
    """For GET of one prediction."""
    return (f"/v1/users/{user_id}/prediction" for user_id in user_ids)


def keys(prefix: str, count: int) -> Iterator[str]:
    """For webdis's GET of a key as plain text: numbers of 12 digits after a prefix."""
    return (f"/GET/{prefix}{number:012}.txt" for number in range(count))


def ids(user_ids: Sequence[str], size: int) -> Iterator[str]:
    """For `POST /v1/predictions`, all users, so many a request."""
    return (json.dumps({"user_ids": part}) for part in _parts(user_ids, size))


def features(users: Sequence[dict[str, Any]], size: int) -> Iterator[str]:
    """For `POST /v1/score`, without reasons."""
    ready = [
        {"user_id": user["user_id"], "features": {name: user[name] for name in user.keys() - _ID}}
        for user in users
    ]
    return (json.dumps({"users": part, "reasons": False}) for part in _parts(ready, size))


def feast(user_ids: Sequence[str], size: int, names: Iterable[str]) -> Iterator[str]:
    """For Feast's `POST /get-online-features`."""
    wanted = [f"predictions:{name}" for name in names]
    for part in _parts(user_ids, size):
        yield json.dumps({"features": wanted, "entities": {"user_id": part}})


def rows(matrix: NDArray[np.float32], size: int, name: str) -> Iterator[str]:
    """Rows of numbers under a name: for BentoML, and for MLflow's tensors."""
    return (json.dumps({name: part}) for part in _parts(matrix.tolist(), size))


def frames(matrix: NDArray[np.float32], size: int) -> Iterator[str]:
    """Rows of named numbers, as MLflow takes a table."""
    columns = [f"feature_{number}" for number in range(matrix.shape[1])]
    for part in _parts(matrix.tolist(), size):
        yield json.dumps({"dataframe_split": {"columns": columns, "data": part}})


_ID = {"user_id"}


def _parts(items: Sequence[One], size: int) -> Iterator[Sequence[One]]:
    return (items[first : first + size] for first in range(0, len(items) - size + 1, size))
