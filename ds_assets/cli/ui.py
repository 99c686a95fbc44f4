"""`ds-assets ui`."""

from typing import Annotated

import typer

from ds_assets.installation import load_installation
from ds_assets.runs import open_instance
from ds_assets.ui import serve_ui

app = typer.Typer(add_completion=False)


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 3000,
) -> None:
    """Open the Dagster UI and its daemon, with the history of runs, until Ctrl-C."""
    with open_instance(load_installation().settings.home):
        serve_ui(port)
