"""`ds-assets keys`."""

from typing import Annotated

import typer

from ds_assets.installation import load_key_file

app = typer.Typer(add_completion=False, help="Manage the keys of the API.", no_args_is_help=True)


@app.command()
def add(name: Annotated[str, typer.Argument(help="Who will use it.")]) -> None:
    """Create a key and print it. It cannot be shown again: only its hash is stored."""
    typer.echo(load_key_file().add(name))


@app.command("list")
def list_keys() -> None:
    """List the names of the keys and the days on which they were created."""
    for key in load_key_file().read():
        typer.echo(f"{key.created} {key.name}")


@app.command()
def revoke(name: Annotated[str, typer.Argument(help="Name of the key.")]) -> None:
    """Revoke a key. A running server notices within a second."""
    load_key_file().revoke(name)
