"""`ds-assets claim`."""

import typer

from ds_assets.infra.installation_ids import lake_id
from ds_assets.installation import load_installation

app = typer.Typer(add_completion=False)


@app.command()
def claim() -> None:
    """Take over the rows and cache entries of the installation's name for this lake."""
    installation = load_installation()
    owner = lake_id(installation.lake())
    with installation.results() as results, installation.cache() as cache:
        results.claim(owner, is_taking_over=True)
        cache.claim(owner, is_taking_over=True)
    typer.echo(
        f"The installation {installation.name!r} is this lake's. Another lake with that name can "
        "no longer deliver."
    )
