"""How large logs and tables are: bytes per row of the last day of a simulated game.

Sizes do not depend on the machine. Each is that of a file with its header, over its rows, so that
small tables look a little larger than they are in a large game.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from pyarrow import parquet

from benchmarks.bench_growth import (
    ACCOUNTS,
    CONTROL,
    DAY,
    DAYS,
    GAME,
    HOME,
    simulate_game,
)
from benchmarks.measuring import Circumstances, run_child, say
from benchmarks.report import Row, absolute
from benchmarks.training_days import last_day
from benchmarks.whole_day import open_game
from ds_assets.game import load_game
from ds_assets.infra.lake.tables import stored_days
from ds_assets.installation import Installation
from ds_assets.local_servers.mysql import MySQLServer

RAW_LOGS, MYSQL = "raw_logs", "MySQL"
TABLES = ("event_ids", "user_activity", "user_features", "user_lifetimes", "predictions")
"""Tables of the lake that grow with events or users."""
COPIES = 10
"""Of the predictions that are delivered to MySQL: it reserves space in steps."""
SIZES = sa.text(
    "SELECT sum(data_length + index_length) FROM information_schema.tables "
    "WHERE table_schema = database()"
)


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure."""
    game = simulate_game(circumstances.scratch, ACCOUNTS, DAYS, circumstances)
    return list(size_rows(game))


def size_rows(game: Path) -> Iterator[Row]:
    """Bytes per row of logs, tables and the results database on the last day of a game."""
    say("  running the last day")
    run_child(DAY, [game, game / HOME], game)
    logs = game / "source" / f"dt={last_day(load_game(game / GAME))}"
    events = run_child(CONTROL, [logs], game)["events"]
    yield _row(RAW_LOGS, sum(file.stat().st_size for file in logs.iterdir()) / events)
    installation = open_game(game, game / HOME, GAME)
    for table in TABLES:
        file = newest_file(table, installation)
        yield _row(table, file.stat().st_size / parquet.read_metadata(file).num_rows)
    say("  delivering two days")
    yield _row(MYSQL, measure_mysql(newest_file("predictions", installation), game / "mysql"))


def newest_file(table: str, installation: Installation) -> Path:
    """The file of the newest day of a table."""
    lake = installation.lake()
    days = stored_days(table, lake)
    return Path(lake.local(days[max(days)].name))


def measure_mysql(predictions: Path, folder: Path) -> float:
    """Bytes that a delivered row adds to a database, with its indexes."""
    folder.mkdir()
    rows, address = folder / "rows.parquet", folder / "address"
    parquet.write_table(copy_users(parquet.read_table(predictions, partitioning=None)), rows)
    with MySQLServer(folder / "server") as server:
        address.touch(mode=0o600)  # not an argument: every user of the machine can see those
        address.write_text(server.url, encoding="utf-8")
        sizes = []
        for _ in range(2):  # the first also makes what is there once
            delivered = run_child("subjects.deliver_day", [address, rows], folder)["rows"]
            sizes.append(read_size(server.url))
    return (sizes[1] - sizes[0]) / delivered


def copy_users(rows: pa.Table) -> pa.Table:
    """So many copies of predictions as `COPIES`, each of other users."""
    place = rows.schema.get_field_index("user_id")
    copies = (
        rows.set_column(
            place,
            rows.schema.field(place),
            pc.binary_join_element_wise(f"{number}", rows["user_id"], "-"),
        )
        for number in range(COPIES)
    )
    return pa.concat_tables(copies)


def read_size(url: str) -> float:
    """Bytes of all tables and indexes of a MySQL database."""
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            for table in sa.inspect(connection).get_table_names():
                connection.execute(sa.text(f"ANALYZE TABLE `{table}`")).fetchall()
            return float(connection.execute(SIZES).scalar_one())
    finally:
        engine.dispose()


def _row(name: str, size_bytes: float) -> Row:
    return absolute(f"{name}: bytes per row", [round(size_bytes, 2)], "bytes")
