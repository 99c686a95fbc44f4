"""`ds-assets check`."""

import typer

from ds_assets.installation import load_installation

app = typer.Typer()


@app.command()
def check() -> None:
    """Validate the environment and the game file, and show where data is stored."""
    installation = load_installation()
    typer.echo(f"game      {installation.game.name} ({installation.settings.game})")
    for name, place in installation.settings.places().items():
        typer.echo(f"{name:<9} {place}")
    typer.echo("All settings are valid.")
