"""Files with arms that another program has assigned, beside the game file.

Scope: reading and checking them. What is made of the arms is in `core.promotions`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import csv, parquet

from ds_assets.core.promotions.assignment import AS_BEFORE, CONTROL, TREATED
from ds_assets.errors import InputError
from ds_assets.game import Game

_COLUMNS = ("user_id", "arm")
_ARMS = (TREATED, CONTROL, AS_BEFORE)


@dataclass(frozen=True)
class AssignmentFiles:
    """The files of a game.

    Attributes:
        folder: Folder of the game file.
    """

    folder: Path

    def read_all(self, game: Game) -> tuple[dict[str, Mapping[str, str]], dict[str, str]]:
        """Read the files of all promotions that name one.

        Returns:
            The arms of each promotion by user, and what is wrong with the files of the others.
        """
        arms: dict[str, Mapping[str, str]] = {}
        mistakes: dict[str, str] = {}
        for name, promotion in game.promotions.items():
            if promotion.assigned_by is not None:
                try:
                    arms[name] = self.read(promotion.assigned_by)
                except InputError as error:
                    mistakes[name] = str(error)
        return arms, mistakes

    def read(self, name: str) -> Mapping[str, str]:
        """Read the arm of each user from a CSV or Parquet file.

        Args:
            name: Name of the file, relative to the folder.

        Raises:
            InputError: the file cannot be read, lacks a column, names a user twice, or an arm that
                does not exist.
        """
        file = self.folder / name
        rows = _read(file)
        users, arms = (rows[column].cast(pa.string()).to_pylist() for column in _COLUMNS)
        by_user = dict(zip(users, arms, strict=True))
        if None in by_user:
            raise InputError(f"{file}: a row has no user_id")
        if len(by_user) < len(users):
            raise InputError(
                f"{file} has {len(users):,} rows of {len(by_user):,} users; accepted is one row "
                "for each user"
            )
        if others := sorted({str(arm) for arm in arms} - {*_ARMS}):
            raise InputError(f"{file}: found the arm {others[0]!r}; use {', '.join(_ARMS)}")
        return by_user


def _read(file: Path) -> pa.Table:
    try:
        rows = parquet.read_table(file) if file.suffix == ".parquet" else _read_csv(file)
    except FileNotFoundError:
        raise InputError(f"there is no file {file}, which assigned_by of game.yaml names") from None
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file} cannot be read: {error}") from None
    if missing := [column for column in _COLUMNS if column not in rows.column_names]:
        listed = ", ".join(rows.column_names)
        raise InputError(f"{file} lacks the column {missing[0]}; found are {listed}")
    return rows


def _read_csv(file: Path) -> pa.Table:
    texts = csv.ConvertOptions(column_types=dict.fromkeys(_COLUMNS, pa.string()))
    return csv.read_csv(file, convert_options=texts)
