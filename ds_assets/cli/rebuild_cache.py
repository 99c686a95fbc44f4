"""`ds-assets rebuild-cache`."""

import typer

from ds_assets.infra.cache import fill
from ds_assets.infra.lake.adoption import open_records
from ds_assets.installation import load_installation

app = typer.Typer(add_completion=False)


@app.command()
def rebuild_cache() -> None:
    """Refill the cache from the predictions in the lake."""
    installation = load_installation()
    lake = installation.lake()
    records = open_records(installation.game, lake)
    with installation.cache() as cache:
        puts = fill.rebuild_cache(records, lake, cache, installation.settings.cache_days)
    for day, put in puts.items():
        typer.echo(f"{day}: {put.written:,} users written, {put.kept_newer:,} have a newer day")
