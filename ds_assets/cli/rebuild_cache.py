"""`ds-assets rebuild-cache`."""

from functools import partial

import typer

from ds_assets.infra.cache import fill
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.offers import offers_in_effect
from ds_assets.installation import load_installation

app = typer.Typer(add_completion=False)


@app.command()
def rebuild_cache() -> None:
    """Refill the cache from what is in the lake."""
    installation = load_installation()
    lake, game = installation.lake(), installation.game
    records, days = open_records(game, lake), installation.settings.cache_days
    offers = partial(offers_in_effect, lake=lake, game=game)
    with installation.cache() as cache:
        puts = fill.rebuild_cache(records, lake, cache, days, offers)
    for day, put in puts.items():
        typer.echo(f"{day}: {put.written:,} users written, {put.kept_newer:,} have a newer day")
