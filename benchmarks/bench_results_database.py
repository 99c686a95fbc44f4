"""Delivering a day to MySQL and PostgreSQL, compared with a bare bulk load of a ready file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Circumstances, Measured, interleave, run_child, say, values
from benchmarks.report import Goal, Row, absolute, ratio
from ds_assets.local_servers.mysql import MySQLServer
from ds_assets.local_servers.postgresql import PostgreSQLServer

ROWS = 1_000_000
SUBJECT = "subjects.deliver_day"


@dataclass(frozen=True)
class Product:
    """A database product.

    Attributes:
        name: Its name.
        server: A private server of it.
        control: Module that loads a ready file.
        statement: How it does so.
    """

    name: str
    server: type[MySQLServer | PostgreSQLServer]
    control: str
    statement: str


PRODUCTS = (
    Product("MySQL", MySQLServer, "controls.load_data", "LOAD DATA"),
    Product("PostgreSQL", PostgreSQLServer, "controls.copy_data", "COPY"),
)


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure."""
    scratch = circumstances.scratch
    rows, file = scratch / "rows.parquet", scratch / "rows.tsv"
    say(f"  making {ROWS:,} predictions")
    run_child("make_predictions", [str(ROWS), rows, file], scratch)
    return [row for product in PRODUCTS for row in _measure(product, rows, file, circumstances)]


def _measure(
    product: Product, rows: Path, file: Path, circumstances: Circumstances
) -> Iterator[Row]:
    folder = circumstances.scratch / product.name
    folder.mkdir()
    with product.server(folder / "server") as server:
        measured = _deliver(server.url, product, rows, file, circumstances.within(folder))
    yield ratio(
        f"rows a second into {product.name}",
        _rates(measured[SUBJECT]),
        f"{product.statement} of a ready file into the same table",
        _rates(measured[product.control]),
        Goal(comparison=">=", limit=0.75),
    )
    yield absolute(
        f"memory beside the rows, {product.name}", values(measured[SUBJECT], "memory_mb"), "MB"
    )


def _deliver(
    url: str, product: Product, rows: Path, file: Path, circumstances: Circumstances
) -> dict[str, list[Measured]]:
    address = circumstances.scratch / "address"
    address.touch(mode=0o600)  # not an argument: every user of the machine can see those
    address.write_text(url, encoding="utf-8")
    say(f"  warming up {product.name}: delivering a day that is not measured")
    run_child(SUBJECT, [address, rows], circumstances.scratch)
    return interleave(
        {SUBJECT: lambda _: [address, rows], product.control: lambda _: [address, file]},
        circumstances,
    )


def _rates(runs: Sequence[Measured]) -> list[float]:
    return [run["rows"] / run["seconds"] for run in runs]
