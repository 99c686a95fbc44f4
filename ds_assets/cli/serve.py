"""`ds-assets serve`."""

from typing import Annotated

import typer

from ds_assets.installation import load_installation

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Number of processes.")] = 1,
) -> None:
    """Serve the prediction API until interrupted. API docs at /docs."""
    load_installation().serve(host, port, workers)
