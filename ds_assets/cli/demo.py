"""`ds-assets demo`."""

from pathlib import Path
from typing import Annotated

import typer

from ds_assets.demo.run import run_demo

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    home: Annotated[Path, typer.Option(help="Folder for everything the demo writes.")] = Path(
        ".demo"
    ),
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the summary's numbers to this file.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the UI.")] = 3000,
    *,
    serve: Annotated[bool, typer.Option(help="Serve the Dagster UI afterwards.")] = True,
    services: Annotated[
        bool, typer.Option("--services", help="Use private servers: S3, Blob, MySQL and Redis.")
    ] = False,
) -> None:
    """Run a year of real daily logs through the graph, print a summary, open the UI."""
    run_demo(home.absolute(), json_file, port if serve else None, servers=services)
