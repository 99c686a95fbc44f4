"""Reading files of several kinds, each with its own format, times and fields; see `logs.kinds`."""

from collections.abc import Callable, Iterator, Mapping

import duckdb

from ds_assets.game import Game
from ds_assets.infra.engines.csv_reader import read_csv
from ds_assets.infra.engines.json_reader import read_json
from ds_assets.infra.engines.line_times import parsing_zone
from ds_assets.infra.engines.parquet_reader import read_parquet
from ds_assets.infra.engines.raw_files import Damage, RawText
from ds_assets.infra.engines.sql import literal

_READERS: Mapping[str, Callable[..., list[Damage]]] = {
    "jsonl": read_json,
    "json": read_json,
    "csv": read_csv,
    "parquet": read_parquet,
}
"""Functions that insert the lines of files, by format."""

Insert = Callable[[str, Game], None]
"""Inserts lines, given as a query (see `raw_files.Insert`), by the rules of their kind."""


def read_files(
    connection: duckdb.DuckDBPyConnection, files: Mapping[int, RawText], game: Game, insert: Insert
) -> list[Damage]:
    """Insert the lines of files.

    Args:
        connection: Where they are read; its time zone becomes that of the times.
        files: Files by their number.
        game: The game, with its kinds of files.
        insert: Receives the lines, once or several times.

    Returns:
        The damaged files, and those that are not of one kind.
    """
    damaged = []
    for own, group in split_by_kind(files, game):
        if isinstance(own, str):
            damaged += [Damage(number, own) for number in group]
            continue
        connection.execute(f"SET TimeZone = {literal(parsing_zone(own))}")
        read = _READERS[own.logs.format]
        damaged += read(connection, group, own, _by_rules_of(own, insert))
    return damaged


def _by_rules_of(game: Game, insert: Insert) -> Callable[[str], None]:
    return lambda lines: insert(lines, game)


def split_by_kind(
    files: Mapping[int, RawText], game: Game
) -> Iterator[tuple[Game | str, Mapping[int, RawText]]]:
    """Yield the files of each kind with the game as they are written.

    Those that are not of one kind are with the reason. In a game without kinds all are alike.
    """
    if not game.logs.kinds:
        yield game, files
        return
    groups: dict[tuple[str, ...], dict[int, RawText]] = {}
    for number, file in files.items():
        groups.setdefault(tuple(game.logs.find_kinds(file.name)), {})[number] = file
    for kinds, group in groups.items():
        yield (game.of_kind(kinds[0]) if len(kinds) == 1 else _describe_misfit(kinds)), group


def _describe_misfit(kinds: tuple[str, ...]) -> str:
    if not kinds:
        return "the file is of no kind in logs.kinds"
    return f"the file is of several kinds in logs.kinds: {', '.join(kinds)}"
