"""`ds-assets demo`."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from ds_assets.demo.logs import ShopLogs, SimulatedLogs
from ds_assets.demo.run import run_demo

app = typer.Typer(add_completion=False)


@app.command()
def demo(  # noqa: PLR0913  (options of a command line)
    home: Annotated[Path, typer.Option(help="Folder for everything the demo writes.")] = Path(
        ".demo"
    ),
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the summary's numbers to this file.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the UI.")] = 3000,
    last_day: Annotated[
        dt.datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="YYYY-MM-DD",
            help="Last day of the logs, of a game that ended then. Default: yesterday, of a live "
            "game.",
        ),
    ] = None,
    *,
    game: Annotated[
        bool, typer.Option("--game", help="Run on a simulated mobile game instead of the shop.")
    ] = False,
    serve: Annotated[bool, typer.Option(help="Serve the Dagster UI afterwards.")] = True,
    services: Annotated[
        bool, typer.Option("--services", help="Use private servers: S3, Blob, MySQL and Redis.")
    ] = False,
) -> None:
    """Run a year of real daily logs through the graph, print a summary, open the UI."""
    run_demo(
        home.absolute(),
        SimulatedLogs() if game else ShopLogs(),
        None if last_day is None else last_day.date(),
        json_file,
        port if serve else None,
        servers=services,
    )
